//! A small world around sessions: streams, a hub and clients, all in memory and one step at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_config::channel::{DeltaType, Namespace};
use gyre_config::{Config, Limit, Millis};
use gyre_policy::Policy;
use gyre_protocol::codes::{Disconnect, Unsubscribe};
use gyre_protocol::frame::Commands;
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_protocol::prepared::Prepared;
use gyre_protocol::{Envelope, Format};
use gyre_session::{
    Completion, ConnectionGrant, Effect, Failure, Grants, HistoryPart, Publish, Question, Read,
    Refreshed, RefreshedSubscription, Refusal, Session, Settings, Stats, Subscribe, Subscribed,
    SubscriptionGrant, Terms, TokenRefusal, Transport, Unrefreshed,
};
use gyre_types::{
    ChannelName, ClientId, Epoch, HubSlot, Now, Position, SubscriptionId, Ticket, UnixSeconds,
    UserId,
};
use serde_json::Value;

/// A WebSocket that speaks JSON.
const TRANSPORT: Transport = Transport {
    format: Format::Json,
    envelope: Envelope::Reply,
    app_pings: true,
    tells_disconnect: false,
};

/// Options of a world's sessions: insecure, so that tests speak of what they are about.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.client.insecure = true;
    config.client.channel_limit = Limit(5);
    config.client.presence_update_interval = Millis::from_secs(27);
    for (name, edit) in namespaces() {
        let mut namespace = Namespace {
            name: name.to_owned(),
            ..Namespace::default()
        };
        edit(&mut namespace.options);
        config.channel.namespaces.push(namespace);
    }
    config
}

type Edit = fn(&mut gyre_config::channel::Options);

fn namespaces() -> [(&'static str, Edit); 9] {
    [
        ("hist", |options| {
            options.history_size = 100;
            options.history_ttl = Millis::from_secs(300);
        }),
        ("recjl", |options| {
            options.history_size = 100;
            options.history_ttl = Millis::from_secs(300);
            options.force_recovery = true;
            options.join_leave = true;
            options.force_push_join_leave = true;
        }),
        ("delta", |options| {
            options.history_size = 100;
            options.history_ttl = Millis::from_secs(300);
            options.force_recovery = true;
            options.allowed_delta_types = vec![DeltaType::Fossil];
        }),
        ("rec", |options| {
            options.history_size = 100;
            options.history_ttl = Millis::from_secs(300);
            options.force_recovery = true;
        }),
        ("jl", |options| {
            options.presence = true;
            options.join_leave = true;
            options.force_push_join_leave = true;
        }),
        ("tags", |options| {
            options.history_size = 100;
            options.history_ttl = Millis::from_secs(300);
            options.force_recovery = true;
            options.allow_tags_filter = true;
        }),
        ("pres", |options| options.presence = true),
        ("askrec", |options| {
            options.subscribe_proxy_enabled = true;
            options.history_size = 100;
            options.history_ttl = Millis::from_secs(300);
            options.force_recovery = true;
        }),
        ("feed", |options| {
            options.subscribe_stream_proxy_enabled = true;
        }),
    ]
}

/// Streams and the hub.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) now: Now,
    streams: BTreeMap<String, Stream>,
    /// By channel: which subscription of which client.
    hub: BTreeMap<String, Vec<(usize, SubscriptionId)>>,
    pub(crate) clients: Vec<Client>,
    /// What joins and leaves were published, in order.
    pub(crate) comings: Vec<String>,
}

#[derive(Debug, Default)]
struct Stream {
    epoch: u32,
    publications: Vec<Arc<Publication>>,
}

/// A session, its mailbox, its effects under way, and what it has sent.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) mailbox: VecDeque<(SubscriptionId, Arc<Prepared>)>,
    pub(crate) pending: VecDeque<(Ticket, Work)>,
    pub(crate) sent: Vec<Value>,
    /// Tokens that this client's effects verify, by text.
    pub(crate) tokens: BTreeMap<String, Result<SubscriptionGrant, TokenRefusal>>,
    pub(crate) grants: Grants,
    pub(crate) controlled: Vec<u32>,
    pub(crate) backend: Backend,
    /// Nothing that is pending moves on.
    pub(crate) is_stuck: bool,
    waiting: Option<Commands>,
}

/// What the backend says of a client, and what it was asked.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) subscribe: Result<Terms, Refusal>,
    /// How a publication is changed, or why it is refused.
    pub(crate) publish: Result<fn(&mut Publish), Refusal>,
    pub(crate) refresh: Result<Refreshed, Unrefreshed>,
    pub(crate) sub_refresh: Result<RefreshedSubscription, Unrefreshed>,
    /// Names of the questions, in order.
    pub(crate) asked: Vec<String>,
    /// Streams that were opened and not closed.
    pub(crate) streams: Vec<SubscriptionId>,
    /// What presence was told of the client, in order.
    pub(crate) shown: Vec<Arc<ClientInfo>>,
}

impl Default for Backend {
    fn default() -> Self {
        Self {
            subscribe: Ok(Terms::default()),
            publish: Ok(|_publish| {}),
            refresh: Err(Unrefreshed::Unanswered),
            sub_refresh: Err(Unrefreshed::Unanswered),
            asked: Vec::new(),
            streams: Vec::new(),
            shown: Vec::new(),
        }
    }
}

/// An effect that takes more than one step.
#[derive(Debug)]
pub(crate) enum Work {
    /// In the hub; history is not read yet.
    Entering(Box<Subscribe>),
    Other(Effect),
}

impl World {
    pub(crate) fn connect(&mut self) -> usize {
        self.connect_with(&config())
    }

    pub(crate) fn connect_with(&mut self, config: &Config) -> usize {
        let client = self.open(config);
        self.command(client, r#"{"id":1,"connect":{}}"#);
        self.settle();
        client
    }

    /// A client that has not sent its connect command.
    pub(crate) fn open(&mut self, config: &Config) -> usize {
        self.open_with(config, TRANSPORT)
    }

    /// The same over another transport.
    pub(crate) fn open_with(&mut self, config: &Config, transport: Transport) -> usize {
        let policy = Policy::new(&config.channel, &config.client, &config.rpc);
        let policy = Arc::new(policy.expect("the options are good"));
        let settings = Arc::new(Settings::new(config, policy, "test"));
        let index = self.clients.len();
        let client = ClientId::new(&format!("client-{index}"));
        self.clients.push(Client {
            session: Session::new(settings, transport, client, 7, self.now),
            mailbox: VecDeque::new(),
            pending: VecDeque::new(),
            sent: Vec::new(),
            tokens: BTreeMap::new(),
            grants: Grants {
                may_ask: true,
                ..Grants::default()
            },
            controlled: Vec::new(),
            backend: Backend::default(),
            is_stuck: false,
            waiting: None,
        });
        index
    }

    /// Sends a frame of commands and lets the session take what it accepts.
    pub(crate) fn command(&mut self, client: usize, frame: &str) {
        let bytes = Bytes::from(frame.to_owned());
        let one = &mut self.clients[client];
        if let Some(mut waiting) = one.waiting.take() {
            assert!(waiting.next_command().is_none(), "a frame is still waiting");
        }
        one.waiting = Some(Commands::new(Format::Json, bytes, 65_536));
        self.outputs(client);
    }

    /// Publishes with history.
    pub(crate) fn publish(&mut self, channel: &str, data: &str) {
        self.publish_tagged(channel, data, &[], true);
    }

    /// Publishes; a publication that is lost reaches history but nobody's mailbox.
    pub(crate) fn publish_tagged(
        &mut self,
        channel: &str,
        data: &str,
        tags: &[(&str, &str)],
        is_delivered: bool,
    ) {
        let stream = self.streams.entry(channel.to_owned()).or_default();
        let publication = Arc::new(Publication {
            data: Bytes::from(data.to_owned()),
            offset: stream.publications.len() as u64 + 1,
            tags: tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            time: self.now.unix.0,
            ..Publication::default()
        });
        let previous = stream.publications.last().cloned();
        stream.publications.push(Arc::clone(&publication));
        let epoch = epoch(stream.epoch);
        if is_delivered {
            let name = name(channel);
            let prepared = Prepared::publication(&name, publication, epoch, previous);
            self.fan_out(channel, prepared);
        }
    }

    /// Publishes past history.
    pub(crate) fn publish_passing(&mut self, channel: &str, data: &str) {
        let publication = Arc::new(Publication {
            data: Bytes::from(data.to_owned()),
            time: self.now.unix.0,
            ..Publication::default()
        });
        let prepared = Prepared::publication(&name(channel), publication, Epoch::default(), None);
        self.fan_out(channel, prepared);
    }

    /// Begins a stream anew, as after a loss.
    pub(crate) fn reset(&mut self, channel: &str) {
        let stream = self.streams.entry(channel.to_owned()).or_default();
        stream.epoch += 1;
        stream.publications.clear();
    }

    /// Tells the channel where its stream's top is, as after a loss on the way.
    pub(crate) fn tell_top(&mut self, channel: &str) {
        let top = Position {
            offset: self.top(channel),
            epoch: epoch(self.streams.get(channel).map_or(0, |stream| stream.epoch)),
        };
        self.fan_out(channel, Prepared::top(&name(channel), top));
    }

    pub(crate) fn top(&self, channel: &str) -> u64 {
        self.streams
            .get(channel)
            .map_or(0, |stream| stream.publications.len() as u64)
    }

    pub(crate) fn epoch_of(&self, channel: &str) -> String {
        epoch(self.streams.get(channel).map_or(0, |stream| stream.epoch)).to_string()
    }

    /// Lets everything happen that can.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut has_moved = false;
            for client in 0..self.clients.len() {
                while self.step(client) || self.deliver(client) {
                    has_moved = true;
                }
            }
            if !has_moved {
                break;
            }
        }
    }

    /// Takes one pending effect of a client one step further.
    pub(crate) fn step(&mut self, client: usize) -> bool {
        if self.clients[client].is_stuck {
            return false;
        }
        let Some((ticket, work)) = self.clients[client].pending.pop_front() else {
            return false;
        };
        let completion = match work {
            Work::Entering(subscribe) => self.entered(&subscribe),
            Work::Other(effect) => self.run(client, effect),
        };
        let now = self.now;
        self.clients[client]
            .session
            .handle_completion(ticket, completion, now);
        self.outputs(client);
        true
    }

    /// Fails the first pending subscribe of a client.
    pub(crate) fn fail(&mut self, client: usize, failure: Failure) {
        let pending = &mut self.clients[client].pending;
        let index = pending
            .iter()
            .position(|(_, work)| matches!(work, Work::Entering(_)))
            .expect("a subscribe is pending");
        let Some((ticket, Work::Entering(subscribe))) = pending.remove(index) else {
            unreachable!("it was just looked at");
        };
        let subscribers = self.hub.entry(subscribe.channel.to_string()).or_default();
        subscribers.retain(|other| *other != (client, subscribe.id));
        let now = self.now;
        let completion = Completion::Subscribed(Err(failure));
        self.clients[client]
            .session
            .handle_completion(ticket, completion, now);
        self.outputs(client);
    }

    /// Delivers one item of a client's mailbox.
    pub(crate) fn deliver(&mut self, client: usize) -> bool {
        let Some((id, prepared)) = self.clients[client].mailbox.pop_front() else {
            return false;
        };
        let now = self.now;
        self.clients[client]
            .session
            .handle_delivery(id, &prepared, now);
        self.outputs(client);
        true
    }

    /// Moves time on, and lets due timeouts happen.
    pub(crate) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            let next = self
                .clients
                .iter()
                .filter_map(|client| client.session.poll_timeout())
                .min()
                .filter(|next| *next <= end.uptime);
            let Some(next) = next else { break };
            let step = next - self.now.uptime;
            self.now = self.now + step;
            for client in 0..self.clients.len() {
                let now = self.now;
                self.clients[client].session.handle_timeout(now);
                self.outputs(client);
            }
            self.settle();
        }
        self.now = end;
    }

    pub(crate) fn disconnect(&mut self, client: usize, disconnect: Disconnect) {
        let now = self.now;
        self.clients[client]
            .session
            .handle_disconnect(disconnect, now);
        self.outputs(client);
    }

    pub(crate) fn control(&mut self, client: usize, command: gyre_session::Control) {
        let now = self.now;
        self.clients[client].session.handle_control(1, command, now);
        self.outputs(client);
    }

    pub(crate) fn stream_end(
        &mut self,
        client: usize,
        id: SubscriptionId,
        unsubscribe: Unsubscribe,
    ) {
        self.clients[client]
            .session
            .handle_stream_end(id, unsubscribe);
        self.outputs(client);
    }

    /// What was published with history, in order.
    pub(crate) fn data(&self, channel: &str) -> Vec<String> {
        let publications = &self.streams[channel].publications;
        let text = |one: &Arc<Publication>| String::from_utf8_lossy(&one.data).into_owned();
        publications.iter().map(text).collect()
    }

    /// What a client has sent since the last call.
    pub(crate) fn sent(&mut self, client: usize) -> Vec<Value> {
        std::mem::take(&mut self.clients[client].sent)
    }

    pub(crate) fn closed(&self, client: usize) -> Option<u32> {
        self.clients[client]
            .session
            .closing()
            .map(|disconnect| disconnect.code)
    }

    pub(crate) fn subscribers(&self, channel: &str) -> usize {
        self.hub.get(channel).map_or(0, Vec::len)
    }

    fn outputs(&mut self, client: usize) {
        loop {
            self.take_outputs(client);
            let now = self.now;
            let one = &mut self.clients[client];
            if !one.session.accepts_command() {
                break;
            }
            match one.waiting.as_mut().and_then(Commands::next_command) {
                Some(Ok(command)) => one.session.handle_command(command, now),
                Some(Err(_)) => one.session.handle_malformed(now),
                None => break,
            }
        }
    }

    fn take_outputs(&mut self, client: usize) {
        while let Some(message) = self.clients[client].session.poll_message() {
            let text = match &message {
                gyre_session::Message::Own(bytes, _) => bytes.clone(),
                gyre_session::Message::TransportPing => continue,
                shared @ gyre_session::Message::Shared { .. } => shared
                    .shared(TRANSPORT)
                    .expect("it was encoded when it was queued")
                    .bytes()
                    .clone(),
            };
            let value = serde_json::from_slice(&text).expect("the server sends JSON");
            self.clients[client].sent.push(value);
        }
        while let Some((ticket, effect)) = self.clients[client].session.poll_effect() {
            self.start(client, ticket, effect);
        }
        drop(self.clients[client].session.poll_observations());
    }

    fn start(&mut self, client: usize, ticket: Ticket, effect: Effect) {
        let work = match effect {
            Effect::Controlled { control, .. } => {
                self.clients[client].controlled.push(control);
                return;
            }
            Effect::DisconnectOthers { .. } => return,
            Effect::CloseStream(id) => {
                self.clients[client]
                    .backend
                    .streams
                    .retain(|other| *other != id);
                return;
            }
            Effect::Subscribe(subscribe) => {
                let channel = subscribe.channel.to_string();
                self.hub
                    .entry(channel)
                    .or_default()
                    .push((client, subscribe.id));
                Work::Entering(subscribe)
            }
            other => Work::Other(other),
        };
        self.clients[client].pending.push_back((ticket, work));
    }

    fn entered(&mut self, subscribe: &Subscribe) -> Completion {
        let stream = self
            .streams
            .entry(subscribe.channel.to_string())
            .or_default();
        let top = Position {
            offset: stream.publications.len() as u64,
            epoch: epoch(stream.epoch),
        };
        let history = subscribe.read.map(|read| HistoryPart {
            top,
            publications: match read {
                Read::Top => Vec::new(),
                Read::Since { offset, limit } => stream
                    .publications
                    .iter()
                    .filter(|publication| publication.offset > offset)
                    .take(limit)
                    .cloned()
                    .collect(),
                Read::Newest { limit } => stream
                    .publications
                    .iter()
                    .rev()
                    .take(limit)
                    .cloned()
                    .collect(),
            },
        });
        Completion::Subscribed(Ok(Box::new(Subscribed {
            channel: subscribe.channel.clone(),
            slot: HubSlot(0),
            history,
        })))
    }

    fn run(&mut self, client: usize, effect: Effect) -> Completion {
        match effect {
            Effect::Authenticate(request) => {
                let grants = self.clients[client].grants.clone();
                Completion::Authenticated(request, Ok(Box::new(grants)))
            }
            Effect::Register(_) => Completion::Registered(Ok(())),
            Effect::VerifyConnectionToken(token) => {
                Completion::ConnectionToken(connection_token(&token))
            }
            Effect::VerifySubscriptionToken(token) => Completion::SubscriptionToken(
                self.clients[client]
                    .tokens
                    .get(&token)
                    .cloned()
                    .unwrap_or(Err(TokenRefusal::Invalid))
                    .map(Box::new),
            ),
            Effect::Unsubscribe(effect) => {
                let channel = effect.channel.to_string();
                let subscribers = self.hub.entry(channel.clone()).or_default();
                let before = subscribers.len();
                subscribers.retain(|(other, id)| (*other, *id) != (client, effect.id));
                assert_eq!(subscribers.len() + 1, before, "it was in the hub");
                if let Some(info) = effect.leave {
                    self.comings.push(format!("-{}", info.client));
                    let prepared = Prepared::leave(&name(&channel), info);
                    self.fan_out(&channel, prepared);
                }
                Completion::Done(Ok(()))
            }
            Effect::PublishJoin { channel, info } => {
                self.comings.push(format!("+{}", info.client));
                let prepared = Prepared::join(&channel, info);
                self.fan_out(channel.as_str(), prepared);
                Completion::Done(Ok(()))
            }
            Effect::PublishOnTerms(publish, _) => self.run(client, Effect::Publish(*publish)),
            Effect::Publish(publish) => {
                let data = String::from_utf8(publish.data.to_vec());
                self.publish(publish.channel.as_str(), &data.expect("tests publish text"));
                Completion::Done(Ok(()))
            }
            Effect::ReadTop { channel } => Completion::Top(Ok(Position {
                offset: self.top(channel.as_str()),
                epoch: epoch(self.streams.get(channel.as_str()).map_or(0, |s| s.epoch)),
            })),
            Effect::History(_) => Completion::History(Ok(HistoryPart::default())),
            Effect::Presence(_) => Completion::Presence(Ok(BTreeMap::default())),
            Effect::PresenceStats(_) => Completion::PresenceStats(Ok(Stats::default())),
            Effect::ShowPresence { info, .. } => {
                self.clients[client].backend.shown.push(info);
                Completion::Done(Ok(()))
            }
            Effect::Ask(question) => self.clients[client].backend.answer(question),
            Effect::Subscribe(_)
            | Effect::Controlled { .. }
            | Effect::CloseStream(_)
            | Effect::DisconnectOthers { .. } => panic!("handled when it was started"),
        }
    }

    fn fan_out(&mut self, channel: &str, prepared: Prepared) {
        let prepared = Arc::new(prepared);
        for (client, id) in self.hub.get(channel).into_iter().flatten() {
            let mailbox = &mut self.clients[*client].mailbox;
            mailbox.push_back((*id, Arc::clone(&prepared)));
        }
    }
}

impl Backend {
    fn answer(&mut self, question: Question) -> Completion {
        match question {
            Question::Refresh => {
                self.asked.push("refresh".to_owned());
                Completion::Refreshed(self.refresh.clone().map(Box::new))
            }
            Question::Subscribe(ask) => {
                self.asked
                    .push(format!("subscribe {} {:?}", ask.channel, ask.data));
                Completion::SubscribeAsked(self.subscribe.clone().map(Box::new))
            }
            Question::Stream(ask) => {
                self.asked.push(format!("stream {}", ask.channel));
                if self.subscribe.is_ok() {
                    self.streams.push(ask.id);
                }
                Completion::SubscribeAsked(self.subscribe.clone().map(Box::new))
            }
            Question::Publish(mut publish) => {
                self.asked.push(format!("publish {}", publish.channel));
                Completion::PublishAsked(self.publish.clone().map(|change| {
                    change(&mut publish);
                    (publish, Box::default())
                }))
            }
            Question::TakePublication { id, data } => {
                assert!(self.streams.contains(&id), "a stream is open");
                self.asked.push(format!("up {data:?}"));
                Completion::Done(Ok(()))
            }
            Question::SubscriptionRefresh { channel } => {
                self.asked.push(format!("sub_refresh {channel}"));
                Completion::SubscriptionRefreshed(self.sub_refresh.clone().map(Box::new))
            }
            Question::Rpc(request) => Completion::Rpc(Ok(request.data)),
        }
    }
}

/// A token is the text `user:expiry`, or `expired`.
fn connection_token(token: &str) -> Result<Box<ConnectionGrant>, TokenRefusal> {
    if token == "expired" {
        return Err(TokenRefusal::Expired);
    }
    let (user, expiry) = token.split_once(':').ok_or(TokenRefusal::Invalid)?;
    Ok(Box::new(ConnectionGrant {
        user: UserId::new(user),
        expire_at: expiry.parse().ok().map(UnixSeconds),
        ..ConnectionGrant::default()
    }))
}

fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).expect("tests name their channels")
}

fn epoch(number: u32) -> Epoch {
    Epoch::new(&format!("e{number}")).expect("it is short")
}
