//! The state of one connection, its inputs and its outputs.

pub(crate) mod liveness;
mod one_way;
mod outputs;
pub(crate) mod phase;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use gyre_protocol::codes::{Disconnect, Error, Unsubscribe};
use gyre_protocol::messages::ClientInfo;
use gyre_protocol::{
    Command, Envelope, Push, PushBody, Reply, ReplyBody, Request, encode_push, encode_reply,
};
use gyre_types::{ClientId, Now, SubscriptionId, Ticket, Uptime, UserId, limits};
use smallvec::SmallVec;

use crate::commands::{
    connect, history, presence, publish, refresh, rpc, sub_refresh, subscribe, unsubscribe,
};
use crate::control::{self, Control};
use crate::effect::{Completion, Effect, RefreshBy};
use crate::frame::Frame;
use crate::identity::Identity;
use crate::message::Message;
use crate::observe::{Method, Observation};
use crate::session::liveness::Liveness;
use crate::session::phase::{Connecting, Phase};
use crate::settings::Settings;
use crate::subscription::ending::{Closing, End};
use crate::subscription::entered;
use crate::subscription::opening::Asked;
use crate::subscription::table::Table;
use crate::subscription::watch::Watch;
use crate::transport::{Names, Transport};

/// One client connection's protocol state. See the crate's documentation for the order of calls.
///
/// In this order in memory: first what every delivery looks at, which a session that was at rest has in
/// no cache.
#[derive(Debug)]
#[repr(C)]
pub struct Session {
    pub(crate) messages: VecDeque<Message>,
    pub(crate) table: Table,
    pub(crate) transport: Transport,
    /// Commands that wait for their answer.
    in_flight: u32,
    pub(crate) closing: Option<Box<Closing>>,
    observations: SmallVec<[Observation; 1]>,
    /// In order; hardly ever more than one.
    effects: SmallVec<[(Ticket, Effect); 1]>,
    /// Where there were more, those before `effects`: all that a close brings are taken one by one.
    taken: Option<Box<std::vec::IntoIter<(Ticket, Effect)>>>,
    /// Until an unsubscribe is done, no command is taken; the instant is its deadline.
    exclusive_until: Option<Uptime>,
    /// Closes the connection if it is not prolonged; `None`: never.
    pub(crate) expire_due: Option<Uptime>,
    pub(crate) watch: Watch,
    pub(crate) phase: Phase,
    pub(crate) liveness: Option<Liveness>,
    // What only commands and timeouts look at.
    pub(crate) settings: Arc<Settings>,
    pub(crate) identity: Identity,
    pub(crate) names: Option<Box<Names>>,
    random: u64,
    pending: SmallVec<[(Ticket, Pending); 1]>,
    next_ticket: u32,
    /// A subscribe to a channel that is just being left.
    stalled: Option<Box<Command>>,
    /// Commands of the server API that came in the middle of something, in order.
    pub(crate) held: Vec<(u32, Control)>,
}

/// What an effect's completion is for.
#[derive(Debug)]
pub(crate) enum Pending {
    Authenticate,
    Register,
    Refresh(Asked),
    SubscribeToken(SubscriptionId, Box<subscribe::Waiting>),
    RefreshToken(SubscriptionId, Asked),
    AskRefresh,
    AskSubscribe(SubscriptionId, Box<subscribe::Waiting>),
    AskSubscriptionRefresh(SubscriptionId),
    Opening(SubscriptionId),
    Announcing(SubscriptionId),
    Leaving(SubscriptionId),
    AskPublish(Asked),
    Publish(Asked),
    History(Asked),
    Presence(Asked),
    PresenceStats(Asked),
    Rpc(Asked),
    Top(SubscriptionId),
}

// === inputs ===

impl Session {
    /// A session that waits for its connect command. `random` spreads its pings.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        transport: Transport,
        client: ClientId,
        random: u64,
        now: Now,
    ) -> Self {
        let stale_at = settings
            .timing
            .stale_close_delay
            .map(|delay| now.uptime + delay);
        let info = Arc::new(ClientInfo {
            client: client.shared(),
            ..ClientInfo::default()
        });
        Self {
            settings,
            transport,
            phase: Phase::Waiting { stale_at },
            identity: Identity {
                client,
                user: UserId::from(Arc::clone(&info.user)),
                info,
                meta: Bytes::new(),
                expire_at: None,
                refresh_by: RefreshBy::Client,
                token: None,
                capabilities: None,
                app: None,
                connected_at: now.unix,
            },
            names: None,
            table: Table::default(),
            watch: Watch::default(),
            liveness: None,
            random,
            expire_due: None,
            pending: SmallVec::new(),
            next_ticket: 0,
            in_flight: 0,
            exclusive_until: None,
            stalled: None,
            held: Vec::new(),
            messages: VecDeque::new(),
            effects: SmallVec::new(),
            taken: None,
            observations: SmallVec::new(),
            closing: None,
        }
    }

    /// Whether the next command may be handled now. If not, the driver leaves it undecoded.
    #[must_use]
    pub fn accepts_command(&self) -> bool {
        let has_room = match self.phase {
            Phase::Waiting { .. } => true,
            Phase::Connecting(_) | Phase::Refused { .. } | Phase::Closed => false,
            Phase::Connected => self.in_flight < self.settings.limits.concurrency,
        };
        has_room && self.exclusive_until.is_none() && self.stalled.is_none()
    }

    /// Whether input is still of use: after a refused connect nothing more is read.
    #[must_use]
    pub const fn is_reading(&self) -> bool {
        !matches!(self.phase, Phase::Refused { .. } | Phase::Closed)
    }

    /// Takes a command that the client sent, after [`Self::accepts_command`] said so.
    // hot path: command 3/5
    pub fn handle_command(&mut self, command: Command, now: Now) {
        match (&self.phase, &command.request) {
            (Phase::Closed | Phase::Refused { .. }, _) => {}
            (Phase::Waiting { .. }, Request::Connect(_)) => self.dispatch(command, now),
            (Phase::Waiting { .. } | Phase::Connecting(_), _)
            | (Phase::Connected, Request::Connect(_) | Request::Empty) => {
                self.close(Disconnect::BAD_REQUEST, now);
            }
            (Phase::Connected, Request::Pong) => self.handle_pong(now),
            (Phase::Connected, _) => self.dispatch(command, now),
        }
    }

    /// Takes an answer to the transport's own ping. One that nobody asked for is no fault.
    pub fn handle_transport_pong(&mut self, now: Now) {
        if let Some(liveness) = self.liveness.as_mut()
            && !self.transport.app_pings
        {
            liveness.handle_pong(now.uptime);
        }
    }

    /// Takes the end of a subscription's stream.
    pub fn handle_stream_end(&mut self, id: SubscriptionId, unsubscribe: Unsubscribe) {
        let end = End::Server {
            unsubscribe,
            control: None,
        };
        self.end_subscription(id, end);
    }

    /// Takes the end of what could be decoded: the client broke the protocol.
    pub fn handle_malformed(&mut self, now: Now) {
        self.close(Disconnect::BAD_REQUEST, now);
    }

    /// Takes the result of an effect. One whose ticket is unknown is ignored.
    pub fn handle_completion(&mut self, ticket: Ticket, completion: Completion, now: Now) {
        let Some(index) = self.pending.iter().position(|(known, _)| *known == ticket) else {
            return;
        };
        let (_, pending) = self.pending.swap_remove(index);
        self.complete(pending, completion, now);
    }

    /// Takes a command of the server API.
    pub fn handle_control(&mut self, control: u32, command: Control, now: Now) {
        control::handle(self, control, command, now);
    }

    /// Has to be called when the instant of [`Self::poll_timeout`] is reached.
    pub fn handle_timeout(&mut self, now: Now) {
        if let Some(disconnect) = self.phase.overdue(now.uptime) {
            return self.close(disconnect, now);
        }
        if is_due(self.exclusive_until, now) {
            return self.close(Disconnect::SERVER_ERROR, now);
        }
        if is_due(self.expire_due, now) {
            refresh::expired(self, now);
        }
        if self.closing.is_some() {
            return;
        }
        self.handle_liveness(now);
        self.handle_watch(now);
    }

    /// Takes what a reload of the configuration has changed: it counts for what comes from here on.
    /// Subscriptions keep the options that they were made with, and timers that run go on.
    pub fn handle_settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// Ends the connection from outside: drain, a slow or broken transport, a peer that left.
    pub fn handle_disconnect(&mut self, disconnect: Disconnect, now: Now) {
        self.close(disconnect, now);
    }
}

// === what the driver may want to know ===

impl Session {
    /// Identity of the connection.
    #[must_use]
    pub const fn client(&self) -> &ClientId {
        &self.identity.client
    }

    /// What it shares with other sessions.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Who is connected; empty: anonymous or not known yet.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.identity.user
    }

    /// What the backend sees of the connection.
    #[must_use]
    pub const fn meta(&self) -> &Bytes {
        &self.identity.meta
    }

    /// Whether no connect command has come yet.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        matches!(self.phase, Phase::Waiting { .. })
    }

    /// Whether the connect command was answered with success.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected)
    }

    /// Subscriptions, those on their way included.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.table.len()
    }
}

// === the two decisions: which command, which completion ===

impl Session {
    pub(crate) fn dispatch(&mut self, command: Command, now: Now) {
        let asked = Asked {
            id: command.id,
            at: now.uptime,
        };
        self.in_flight += 1;
        match command.request {
            Request::Connect(request) => connect::handle(self, asked, request, now),
            Request::Subscribe(request) => subscribe::handle(self, asked, request, now),
            Request::Unsubscribe(request) => unsubscribe::handle(self, asked, &request, now),
            Request::Publish(request) => publish::handle(self, asked, *request, now),
            Request::Presence(request) => {
                presence::handle_members(self, asked, &request.channel, now);
            }
            Request::PresenceStats(request) => {
                presence::handle_stats(self, asked, &request.channel, now);
            }
            Request::History(request) => history::handle(self, asked, *request, now),
            Request::Rpc(request) => rpc::handle(self, asked, request, now),
            Request::Send(_) => self.close(Disconnect::NOT_AVAILABLE, now),
            Request::Refresh(request) => refresh::handle(self, asked, request.token, now),
            Request::SubRefresh(request) => sub_refresh::handle(self, asked, *request, now),
            Request::PingWithOther => {
                self.answer(asked, Method::Rpc, Err(Error::NOT_AVAILABLE), now);
            }
            Request::Pong | Request::Empty => {}
        }
    }

    fn complete(&mut self, pending: Pending, completion: Completion, now: Now) {
        match (pending, completion) {
            (Pending::Authenticate, Completion::Authenticated(request, outcome)) => {
                connect::authenticated(self, *request, outcome, now);
            }
            (Pending::Register, Completion::Registered(outcome)) => {
                connect::registered(self, outcome, now);
            }
            (Pending::Refresh(asked), Completion::ConnectionToken(outcome)) => {
                refresh::verified(self, asked, outcome, now);
            }
            (Pending::SubscribeToken(id, waiting), Completion::SubscriptionToken(outcome)) => {
                subscribe::verified(self, id, *waiting, outcome, now);
            }
            (Pending::RefreshToken(id, asked), Completion::SubscriptionToken(outcome)) => {
                sub_refresh::verified(self, id, asked, outcome, now);
            }
            (Pending::Opening(id), Completion::Subscribed(outcome)) => {
                entered::entered(self, id, outcome, now);
            }
            (Pending::Announcing(id), Completion::Done(_)) => self.announced(id),
            (Pending::Leaving(id), Completion::Done(outcome)) => self.left(id, outcome, now),
            (Pending::AskRefresh, Completion::Refreshed(outcome)) => {
                refresh::asked(self, outcome, now);
            }
            (Pending::AskSubscribe(id, waiting), Completion::SubscribeAsked(outcome)) => {
                subscribe::asked(self, id, *waiting, outcome, now);
            }
            (Pending::AskSubscriptionRefresh(id), Completion::SubscriptionRefreshed(outcome)) => {
                sub_refresh::asked(self, id, outcome, now);
            }
            (Pending::AskPublish(asked), Completion::PublishAsked(outcome)) => {
                publish::asked(self, asked, outcome, now);
            }
            (Pending::Publish(asked), Completion::Done(outcome)) => {
                publish::done(self, asked, outcome, now);
            }
            (Pending::History(asked), Completion::History(outcome)) => {
                history::done(self, asked, outcome, now);
            }
            (Pending::Presence(asked), Completion::Presence(outcome)) => {
                presence::members_done(self, asked, outcome, now);
            }
            (Pending::PresenceStats(asked), Completion::PresenceStats(outcome)) => {
                presence::stats_done(self, asked, outcome, now);
            }
            (Pending::Rpc(asked), Completion::Rpc(outcome)) => {
                rpc::done(self, asked, outcome, now);
            }
            (Pending::Top(id), Completion::Top(outcome)) => self.top_read(id, outcome, now),
            (pending, completion) => {
                debug_assert!(false, "{completion:?} does not complete {pending:?}");
            }
        }
    }
}

// === transitions that commands share ===

impl Session {
    pub(crate) fn issue(&mut self, effect: Effect, pending: Pending) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        self.pending.push((ticket, pending));
        self.effects.push((ticket, effect));
    }

    /// Issues an effect that has no completion.
    pub(crate) fn tell(&mut self, effect: Effect) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        self.effects.push((ticket, effect));
    }

    pub(crate) fn answer(
        &mut self,
        asked: Asked,
        method: Method,
        outcome: Result<ReplyBody, Error>,
        now: Now,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.closing.is_some() {
            return;
        }
        let took = now.uptime - asked.at;
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.observe(Observation::answered(
            method,
            took_ms,
            outcome.as_ref().err(),
        ));
        let body = outcome.unwrap_or_else(ReplyBody::Error);
        let reply = Reply { id: asked.id, body };
        match encode_reply(self.transport.format, &reply) {
            Ok(message) => self.transmit(Message::Own(message, Frame::of_reply(method))),
            Err(_not_json) => self.close(Disconnect::INAPPROPRIATE_PROTOCOL, now),
        }
    }

    pub(crate) fn push(&mut self, channel: &str, body: PushBody, now: Now) {
        let push = Push {
            id: 0,
            channel: channel.into(),
            body,
        };
        match encode_push(self.transport.format, self.transport.envelope, &push) {
            Ok(message) => {
                let frame = Frame::of_push(&push.body);
                self.transmit(Message::Own(message, frame));
            }
            Err(_not_json) => self.close(Disconnect::INAPPROPRIATE_PROTOCOL, now),
        }
    }

    pub(crate) fn transmit(&mut self, message: Message) {
        if self.closing.is_none() {
            self.messages.push_back(message);
        }
    }

    pub(crate) fn observe(&mut self, observation: Observation) {
        self.observations.push(observation);
    }

    pub(crate) fn report(&mut self, control: u32, outcome: Result<(), Error>) {
        self.tell(Effect::Controlled { control, outcome });
    }

    /// Takes no more commands until an unsubscribe is done.
    pub(crate) fn begin_exclusive(&mut self, now: Now) {
        self.exclusive_until = Some(now.uptime + limits::UNSUBSCRIBE_WAIT);
    }

    pub(crate) fn end_exclusive(&mut self) {
        self.exclusive_until = None;
    }

    /// Keeps a command until the channel it is for has been left.
    pub(crate) fn stall(&mut self, command: Command) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.stalled = Some(Box::new(command));
    }

    pub(crate) fn retry_stalled(&mut self, now: Now) {
        if let Some(command) = self.stalled.take() {
            self.handle_command(*command, now);
        }
    }

    pub(crate) const fn random(&self) -> u64 {
        self.random
    }

    /// Enters the last phase; `false` if it was entered before.
    pub(crate) fn begin_close(&mut self, disconnect: Disconnect) -> bool {
        if self.closing.is_some() {
            return false;
        }
        if disconnect == Disconnect::CONNECTION_CLOSED || disconnect == Disconnect::SLOW {
            self.messages.clear();
        }
        // A request that cannot be read gets no push: it may be no request of this protocol at all.
        let is_known = disconnect != Disconnect::BAD_REQUEST
            || self.transport.envelope == Envelope::Reply
            || !self.is_waiting();
        self.phase = Phase::Closed;
        self.closing = Some(Box::new(Closing {
            disconnect,
            refused: None,
        }));
        if is_known {
            self.say_disconnect();
        }
        self.stalled = None;
        self.exclusive_until = None;
        self.liveness = None;
        self.expire_due = None;
        true
    }

    pub(crate) fn connecting(&mut self) -> Option<&mut Connecting> {
        match &mut self.phase {
            Phase::Connecting(connecting) => Some(connecting),
            Phase::Waiting { .. } | Phase::Connected | Phase::Refused { .. } | Phase::Closed => {
                None
            }
        }
    }
}

fn is_due(instant: Option<Uptime>, now: Now) -> bool {
    instant.is_some_and(|instant| instant <= now.uptime)
}
