//! Two gateways, one engine, and what may happen to them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use gyre_config::{Config, Millis};
use gyre_engine::{
    Delivered, Engine, History, HistoryQuery, Inlet, Publish, PublishOptions, Retention,
};
use gyre_engine_memory::MemoryEngine;
use gyre_hub::{Hub, Wants};
use gyre_policy::Policy;
use gyre_protocol::codes::Disconnect;
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_protocol::prepared::Prepared;
use gyre_session::{
    Completion, Effect, Grants, HistoryPart, Read, Settings, Subscribe, Subscribed,
};
use gyre_types::{ChannelName, Now, Ticket};
use parking_lot::Mutex;

use crate::client::{Client, Connection, Mailbox};

const GATEWAYS: usize = 2;
const CHANNELS: usize = 3;
const CLIENTS: usize = 8;

/// Publications that are kept: few, so that some cannot be caught up.
const KEPT: u32 = 12;

type Line = (ChannelName, Option<Delivered>);

/// What the engine has said and no hub has heard.
#[derive(Debug, Default)]
struct Bus(Mutex<Vec<(ChannelName, Delivered)>>);

impl Inlet for Bus {
    fn on_publication(&self, channel: &ChannelName, delivered: Delivered) {
        self.0.lock().push((channel.clone(), delivered));
    }

    fn on_join(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_leave(&self, _channel: &ChannelName, _info: &Arc<ClientInfo>) {}

    fn on_gap(&self, _channel: &ChannelName) {}
}

#[derive(Default)]
struct Gateway {
    hub: Hub<Mailbox>,
    /// On the way from the engine; `None` stands where something was lost, and it is known.
    line: VecDeque<Line>,
}

pub(crate) struct World {
    random: u64,
    clock: Arc<Mutex<Now>>,
    settings: Arc<Settings>,
    engine: Engine,
    bus: Arc<Bus>,
    gateways: Vec<Gateway>,
    clients: Vec<Client>,
    published: [u64; CHANNELS],
}

fn name(channel: usize) -> ChannelName {
    ChannelName::new(&format!("ch{channel}")).unwrap()
}

fn settings() -> Arc<Settings> {
    let mut config = Config::default();
    config.client.insecure = true;
    let options = &mut config.channel.without_namespace;
    options.history_size = KEPT as usize;
    options.history_ttl = Millis::from_secs(3600);
    options.force_recovery = true;
    let policy = Policy::new(&config.channel, &config.client, &config.rpc).unwrap();
    Arc::new(Settings::new(&config, Arc::new(policy), "sim"))
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let clock = Arc::new(Mutex::new(Now::default()));
        let bus = Arc::<Bus>::default();
        let reads = Arc::clone(&clock);
        let engine = MemoryEngine::open(Arc::clone(&bus), move || *reads.lock()).engine();
        let client = |number: usize| Client {
            channel: name(number % CHANNELS).to_string(),
            ..Client::default()
        };
        Self {
            random: seed,
            clock,
            settings: settings(),
            engine,
            bus,
            gateways: (0..GATEWAYS).map(|_| Gateway::default()).collect(),
            clients: (0..CLIENTS).map(client).collect(),
            published: [0; CHANNELS],
        }
    }

    /// Splitmix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.random() % end as u64).unwrap_or_default()
    }

    fn now(&self) -> Now {
        *self.clock.lock()
    }

    /// Something happens.
    pub(crate) fn step(&mut self) {
        let client = self.below(CLIENTS);
        let gateway = self.below(GATEWAYS);
        match self.below(100) {
            0..12 => self.publish(),
            12..38 => self.transmit(gateway),
            38..40 => self.lose(gateway),
            40..70 => {
                self.work(client);
            }
            70..90 => {
                self.deliver(client);
            }
            90..95 => self.connect(client),
            95..96 => self.hang_up(client),
            _ => {
                // Mostly a moment, now and then a minute.
                let longest = if self.below(20) == 0 { 60_000 } else { 400 };
                let by = Duration::from_millis(self.random() % longest);
                self.pass(by);
            }
        }
    }

    /// Lets everything happen that can, and everybody come back, for some minutes.
    pub(crate) fn settle(&mut self) {
        for _ in 0..40 {
            self.pass(Duration::from_secs(10));
            loop {
                let before = self.activity();
                for gateway in 0..GATEWAYS {
                    while !self.gateways[gateway].line.is_empty() {
                        self.transmit(gateway);
                    }
                }
                for client in 0..CLIENTS {
                    self.connect(client);
                    while self.work(client) || self.deliver(client) {}
                }
                if self.activity() == before {
                    break;
                }
            }
        }
    }

    fn activity(&self) -> (usize, usize, usize) {
        let pending = |client: &Client| {
            client
                .connection
                .as_ref()
                .map_or(0, |one| one.pending.len())
        };
        (
            self.clients.iter().map(|one| one.received).sum(),
            self.clients.iter().map(|one| one.stretches.len()).sum(),
            self.clients.iter().map(pending).sum(),
        )
    }

    fn publish(&mut self) {
        let channel = self.below(CHANNELS);
        let number = self.published[channel] + 1;
        let publication = Publication {
            data: Bytes::from(number.to_string()),
            ..Publication::default()
        };
        let publish = Publish {
            publication: &publication,
            options: PublishOptions {
                retention: Some(Retention {
                    size: KEPT,
                    ttl: Duration::from_secs(3600),
                    meta_ttl: None,
                }),
                ..PublishOptions::default()
            },
        };
        let published = self
            .engine
            .broker
            .publish(&name(channel), publish)
            .now_or_never();
        assert_eq!(published.unwrap().unwrap().position.unwrap().offset, number);
        self.published[channel] = number;
        for (channel, delivered) in self.bus.0.lock().drain(..) {
            for gateway in &mut self.gateways {
                let line = (channel.clone(), Some(delivered.clone()));
                gateway.line.push_back(line);
            }
        }
    }

    /// One publication comes from the engine to the hub.
    fn transmit(&mut self, gateway: usize) {
        let Some((channel, delivered)) = self.gateways[gateway].line.pop_front() else {
            return;
        };
        let hub = &self.gateways[gateway].hub;
        match delivered {
            Some(Delivered {
                publication,
                epoch,
                previous,
            }) => {
                hub.fan_out(&channel, || {
                    Prepared::publication(&channel, publication, epoch, previous)
                });
            }
            None => self.repair(gateway, &channel),
        }
    }

    /// One publication is lost on the way; now and then nobody notices.
    fn lose(&mut self, gateway: usize) {
        let is_noticed = self.below(4) > 0;
        let line = &mut self.gateways[gateway].line;
        if let Some((channel, _)) = line.pop_front()
            && is_noticed
        {
            line.push_front((channel, None));
        }
    }

    /// What a gateway does about a loss: what was missing, then the top.
    fn repair(&self, gateway: usize, channel: &ChannelName) {
        let hub = &self.gateways[gateway].hub;
        let Some(last) = hub.last_offset(channel) else {
            return;
        };
        let query = HistoryQuery {
            since: (last > 0).then_some((last, "")),
            limit: (last == 0).then_some(0),
            ..HistoryQuery::default()
        };
        let History { top, publications } = self.read(channel, query);
        if publications
            .first()
            .is_some_and(|first| first.offset == last + 1)
        {
            for publication in publications {
                hub.fan_out(channel, || {
                    Prepared::publication(channel, publication, top.epoch, None)
                });
            }
        }
        hub.fan_out(channel, || Prepared::top(channel, top));
    }

    fn read(&self, channel: &ChannelName, query: HistoryQuery<'_>) -> History {
        let read = self.engine.broker.history(channel, query).now_or_never();
        read.unwrap().unwrap()
    }

    fn connect(&mut self, client: usize) {
        let closing = |one: &Connection| one.session.closing().is_some();
        if self.clients[client]
            .connection
            .as_ref()
            .is_some_and(closing)
        {
            self.hang_up(client);
        }
        if self.clients[client].connection.is_none() {
            let (gateway, random, now) = (self.below(GATEWAYS), self.random(), self.now());
            let settings = Arc::clone(&self.settings);
            self.clients[client].connect(gateway, &settings, random, now);
        }
    }

    /// The link breaks: what lies in the mailbox is gone.
    fn hang_up(&mut self, client: usize) {
        let now = self.now();
        let Some(mut connection) = self.clients[client].connection.take() else {
            return;
        };
        let gone = Disconnect::CONNECTION_CLOSED;
        connection.session.handle_disconnect(gone, now);
        if let Some((slot, id)) = connection.slot {
            let channel = ChannelName::new(&self.clients[client].channel).unwrap();
            let hub = &self.gateways[connection.gateway].hub;
            hub.unsubscribe(&channel, slot, id);
        }
    }

    /// The session takes one delivery; whether there was one.
    fn deliver(&mut self, client: usize) -> bool {
        let now = self.now();
        let one = &mut self.clients[client];
        let Some(connection) = &mut one.connection else {
            return false;
        };
        let Some((id, prepared)) = connection.mailbox.0.lock().pop_front() else {
            return false;
        };
        connection.session.handle_delivery(id, &prepared, now);
        one.settle(now);
        true
    }

    /// One effect of a session is run; whether there was one.
    fn work(&mut self, client: usize) -> bool {
        let now = self.now();
        let Some(connection) = &mut self.clients[client].connection else {
            return false;
        };
        let Some((ticket, effect)) = connection.pending.pop_front() else {
            return false;
        };
        if let Some(completion) = self.complete(client, ticket, effect)
            && let Some(connection) = &mut self.clients[client].connection
        {
            connection
                .session
                .handle_completion(ticket, completion, now);
        }
        self.clients[client].settle(now);
        true
    }

    fn complete(&mut self, client: usize, _ticket: Ticket, effect: Effect) -> Option<Completion> {
        Some(match effect {
            Effect::Authenticate(request) => {
                Completion::Authenticated(request, Ok(Box::new(Grants::default())))
            }
            Effect::Register(_) => Completion::Registered(Ok(())),
            Effect::Subscribe(subscribe) => self.enter(client, &subscribe),
            Effect::Unsubscribe(leave) => {
                let connection = self.clients[client].connection.as_mut()?;
                connection.slot = None;
                let hub = &self.gateways[connection.gateway].hub;
                hub.unsubscribe(&leave.channel, leave.slot, leave.id);
                Completion::Done(Ok(()))
            }
            Effect::ReadTop { channel } => {
                let query = HistoryQuery {
                    limit: Some(0),
                    ..HistoryQuery::default()
                };
                Completion::Top(Ok(self.read(&channel, query).top))
            }
            Effect::Controlled { .. }
            | Effect::CloseStream(_)
            | Effect::DisconnectOthers { .. } => {
                return None;
            }
            other => panic!("nobody asked for {other:?}"),
        })
    }

    /// Enters the hub, then reads: what is published in between waits in the session.
    fn enter(&mut self, client: usize, subscribe: &Subscribe) -> Completion {
        let channel = &subscribe.channel;
        let connection = self.clients[client].connection.as_ref().unwrap();
        let (gateway, mailbox) = (connection.gateway, connection.mailbox.clone());
        let hub = &self.gateways[gateway].hub;
        let joined = hub.subscribe(channel, subscribe.id, mailbox, Wants::Publications);
        let history = subscribe.read.map(|read| {
            let query = match read {
                Read::Top => HistoryQuery {
                    limit: Some(0),
                    ..HistoryQuery::default()
                },
                Read::Since { offset, limit } => HistoryQuery {
                    since: Some((offset, "")),
                    limit: Some(limit),
                    ..HistoryQuery::default()
                },
                Read::Newest { limit } => HistoryQuery {
                    limit: Some(limit),
                    order: gyre_engine::Order::Reverse,
                    ..HistoryQuery::default()
                },
            };
            let History { top, publications } = self.read(channel, query);
            HistoryPart { top, publications }
        });
        if let Some(part) = &history {
            hub.note_top(channel, part.top.offset);
        }
        let connection = self.clients[client].connection.as_mut().unwrap();
        connection.slot = Some((joined.slot, subscribe.id));
        Completion::Subscribed(Ok(Box::new(Subscribed {
            channel: joined.channel,
            slot: joined.slot,
            history,
        })))
    }

    /// Time passes, and what is due happens.
    fn pass(&mut self, by: Duration) {
        let end = self.now() + by;
        loop {
            let sessions = self
                .clients
                .iter()
                .filter_map(|one| one.connection.as_ref());
            let due = sessions.filter_map(|one| one.session.poll_timeout()).min();
            let Some(due) = due.filter(|due| *due <= end.uptime) else {
                break;
            };
            let step = due - self.now().uptime;
            let now = self.now() + step;
            *self.clock.lock() = now;
            for one in &mut self.clients {
                if let Some(connection) = &mut one.connection {
                    connection.session.handle_timeout(now);
                    one.settle(now);
                }
            }
        }
        *self.clock.lock() = end;
    }

    /// What was promised and not kept.
    pub(crate) fn verdict(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for (number, client) in self.clients.iter().enumerate() {
            broken.extend(client.broken.iter().map(|what| format!("{number}: {what}")));
            let top = self.published[number % CHANNELS];
            let at = client.stretches.last().map(|last| last.to);
            if at != Some(top) {
                broken.push(format!("{number}: at {at:?}, and the top is {top}"));
            }
            let overlap = client
                .stretches
                .windows(2)
                .any(|pair| pair[1].from < pair[0].to);
            if overlap {
                broken.push(format!("{number}: something came twice"));
            }
        }
        broken
    }

    pub(crate) fn told(&self) -> usize {
        self.clients.iter().map(|one| one.told).sum()
    }

    pub(crate) fn received(&self) -> usize {
        self.clients.iter().map(|one| one.received).sum()
    }
}
