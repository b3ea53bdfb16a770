//! The driver of one connection: the only place where a session meets time and I/O.
//!
//! It works in turns. A turn takes what is ready from each source, a bounded amount of each, so that a
//! busy channel keeps nobody from reading or pinging:
//!
//! 1. completions of effects;
//! 2. the mailbox: signals, and deliveries while the socket takes what we write;
//! 3. the socket: what waits to be written, then one read, if a command may be taken and the socket has
//!    not been found empty since it last raised [`Signal::Readable`].
//!
//! Then commands are taken, and the session's outputs until there are none. There is no
//! timer: the wheel raises [`Signal::Timeout`].

mod buffers;
mod context;
mod ending;
mod stuck;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use gyre_protocol::Envelope;
use gyre_protocol::codes::Disconnect;
use gyre_protocol::frame::Commands;
use gyre_protocol::messages::ConnectRequest;
use gyre_session::{Completion, Frame, Session, Transport as Facts};
use gyre_types::{Now, Ticket, Uptime, limits};

pub(crate) use self::context::Context;
use self::stuck::Stuck;
use crate::effects::{self, Later, Started};
use crate::handle::{Described, Item};
use crate::mailbox::{Signal, Signals};
use crate::metrics::Transport as Counters;
use crate::node::Node;
use crate::outgoing::{Outgoing, Tally};
use crate::revocation;
use crate::transport::{Ended, Transport};

/// What a driver is made of.
///
/// In this order in memory, for a session begins with what every turn looks at: a connection that was
/// at rest lies in no cache, and what lies together comes together.
#[repr(C)]
pub(crate) struct Parts<T> {
    pub(crate) node: Arc<Node>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) facts: Facts,
    pub(crate) limits: Limits,
    pub(crate) context: Context,
    pub(crate) transport: T,
    pub(crate) session: Session,
}

/// Limits of the transport.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Longest command. Unit: bytes.
    pub(crate) command_bytes_max: usize,
    /// How long the socket may take nothing.
    pub(crate) write_timeout: std::time::Duration,
}

/// One connection, from the answered upgrade to the end.
///
/// In this order in memory, see [`Parts`].
#[repr(C)]
pub(crate) struct Driver<T> {
    /// Frames that were read and not looked at, newest first.
    unread: Vec<Bytes>,
    /// The frame that is being looked at.
    commands: Option<Commands>,
    in_flight: Option<Box<FuturesUnordered<Later>>>,
    /// Questions to the backend, which nobody waits for any more once the connection ends.
    asking: Option<Box<FuturesUnordered<Later>>>,
    /// Next timeout, as the alarm knows it.
    due: Option<Uptime>,
    stuck: Stuck,
    /// Told to come back elsewhere: no more commands are taken, those under way are answered.
    is_leaving: bool,
    /// The socket may have something to read; else it raises [`Signal::Readable`] when it has.
    is_readable: bool,
    parts: Parts<T>,
}

/// What one of a hundred thousand connections that do nothing may take; a byte more takes a quarter more
/// of the allocator. Unit: bytes.
const _: () = assert!(size_of::<Driver<crate::transport::websocket::WebSocketTransport>>() <= 1024);

/// What a turn has found at one of its sources.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Looked {
    /// It was not looked at.
    Away,
    /// Nothing; it will wake us.
    Nothing,
    /// Something, and there is no more; it will wake us.
    TookAll,
    /// Something, and there may be more.
    TookSome,
}

impl Looked {
    const fn has_moved(self) -> bool {
        matches!(self, Self::TookAll | Self::TookSome)
    }

    const fn is_exhausted(self) -> bool {
        matches!(self, Self::Nothing | Self::TookAll)
    }
}

impl<T: Transport> Driver<T> {
    /// A driver whose client has sent `unread` already, newest first.
    pub(crate) const fn new(parts: Parts<T>, unread: Vec<Bytes>) -> Self {
        Self {
            parts,
            unread,
            commands: None,
            in_flight: None,
            asking: None,
            due: None,
            stuck: Stuck::new(),
            is_leaving: false,
            is_readable: true,
        }
    }

    /// Serves the connection until it has ended and everything about it is cleaned up.
    ///
    /// Boxed, for a future holds what it takes by value several times over, and wraps of futures again.
    pub(crate) async fn run(mut self: Box<Self>) {
        self.parts.counters.inflight.inc();
        let now = self.now();
        self.settle(now);
        while self.parts.session.closing().is_none() {
            poll_fn(|cx| self.poll_turn(cx)).await;
            if self.may_take_command() {
                tokio::task::yield_now().await;
            } else {
                tokio::task::consume_budget().await;
            }
        }
        // In a box: its state is large and rare, and would lie in every task.
        Box::pin(self.end()).await;
    }

    fn now(&self) -> Now {
        self.parts.node.clock.now()
    }

    // === inputs ===

    /// Ready: look again; pending: nothing is left, and every source knows whom to wake.
    // hot path: delivery 4/6
    fn poll_turn(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let mut lists = buffers::borrow();
        self.parts.session.exchange_list(&mut lists.outgoing);
        let now = self.now();
        let has_completed = self.poll_completions(cx, now);
        let mail = self.poll_mailbox(cx, &mut lists.items, now);
        let has_flushed = self.poll_flush(cx, now);
        let read = self.poll_read(&mut lists.frames, now);
        let has_moved = has_completed || has_flushed || mail.has_moved() || read.has_moved();
        let turn = if has_moved || self.may_take_command() {
            self.settle(now);
            if mail.is_exhausted() && read.is_exhausted() && self.is_at_rest() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        } else {
            Poll::Pending
        };
        self.parts.session.exchange_list(&mut lists.outgoing);
        buffers::give_back(lists);
        turn
    }

    /// Whether only the mailbox or the socket can bring something new.
    fn is_at_rest(&self) -> bool {
        self.in_flight.is_none()
            && self.asking.is_none()
            && !self.has_read()
            && !self.parts.transport.is_pending()
            && self.parts.session.closing().is_none()
    }

    fn poll_completions(&mut self, cx: &mut TaskContext<'_>, now: Now) -> bool {
        let mut has_moved = false;
        for running in [&mut self.in_flight, &mut self.asking] {
            let Some(effects) = running else {
                continue;
            };
            while let Poll::Ready(Some((ticket, completion))) = effects.poll_next_unpin(cx) {
                self.parts.complete(ticket, completion, now);
                has_moved = true;
            }
            if effects.is_empty() {
                *running = None;
            }
        }
        has_moved
    }

    fn poll_mailbox(
        &mut self,
        cx: &mut TaskContext<'_>,
        items: &mut Vec<Item>,
        now: Now,
    ) -> Looked {
        let is_stuck = self.parts.transport.is_pending();
        let max = if is_stuck {
            0 // What is not taken out of the mailbox counts against the queue's limit.
        } else {
            limits::TURN_DELIVERIES_MAX
        };
        let mailbox = &self.parts.context.handle.mailbox;
        let Poll::Ready(signals) = mailbox.poll_recv(cx, items, max) else {
            // What a stuck socket keeps in the mailbox wakes nobody a second time.
            return if is_stuck {
                Looked::Away
            } else {
                Looked::Nothing
            };
        };
        if signals.has(Signal::Urgent) {
            if is_stuck {
                mailbox.pull(items, Item::is_urgent);
            } else if items.len() == max {
                mailbox.raise(Signal::Urgent); // It may be behind these.
            }
        }
        let is_exhausted = items.len() < max;
        if !items.is_empty() {
            self.touch(now);
        }
        for item in items.drain(..) {
            self.take_item(item, now);
        }
        if !signals.is_empty() {
            self.handle_signals(signals, now);
        }
        if is_exhausted {
            Looked::TookAll
        } else {
            Looked::TookSome
        }
    }

    fn take_item(&mut self, item: Item, now: Now) {
        let parts = &mut self.parts;
        match item {
            Item::Delivery(id, prepared) => parts.session.handle_delivery(id, &prepared, now),
            Item::StreamEnd(id, unsubscribe) => {
                parts.session.handle_stream_end(id, *unsubscribe);
            }
            Item::Frame(frame) => self.unread.insert(0, *frame),
            Item::Control(controlled) => {
                let control = parts.context.expect(controlled.done);
                parts
                    .session
                    .handle_control(control, controlled.command, now);
            }
            Item::Describe(asked) => {
                if let Some(session) = parts.session.describe() {
                    // Who asked may have given up.
                    let _ = asked.send(Described {
                        session,
                        transport: parts.transport.name(),
                        format: parts.facts.format,
                    });
                }
            }
        }
    }

    fn handle_signals(&mut self, signals: Signals, now: Now) {
        if signals.has(Signal::Overflow) {
            self.parts.session.handle_disconnect(Disconnect::SLOW, now);
        }
        self.is_leaving |= signals.has(Signal::Drain);
        self.is_readable |= signals.has(Signal::Readable);
        if signals.has(Signal::Timeout) {
            self.parts.take_settings();
            self.due = None; // The alarm is over, and wants to be set anew.
            self.parts.session.handle_timeout(now);
        }
    }

    fn poll_flush(&mut self, cx: &mut TaskContext<'_>, now: Now) -> bool {
        if !self.parts.transport.is_pending() {
            return false;
        }
        match self.parts.transport.poll_flush(cx) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, "write failed");
                self.broken(now);
                true
            }
            Poll::Pending => {
                self.watch_socket(now); // It may have taken a part.
                false
            }
        }
    }

    // hot path: command 1/5
    fn poll_read(&mut self, frames: &mut Vec<Bytes>, now: Now) -> Looked {
        if !self.is_readable {
            return Looked::Nothing;
        }
        let is_busy = self.has_read() || self.is_leaving;
        if is_busy || self.parts.transport.is_pending() || !self.parts.session.is_reading() {
            return Looked::Away;
        }
        // A waker of its own: most turns are for deliveries, and leave the socket alone.
        let waker = Waker::from(Arc::clone(&self.parts.context.handle));
        let cx = &mut TaskContext::from_waker(&waker);
        let read = self.parts.transport.poll_read(cx, frames);
        self.is_readable = read.is_ready();
        if !frames.is_empty() {
            // Most reads bring one frame, whose place is `commands`.
            self.commands = take_first(frames, &mut self.unread, &self.parts);
        }
        if self.parts.transport.take_pong() {
            self.parts.session.handle_transport_pong(now);
        }
        match read {
            Poll::Ready(Ok(())) => Looked::TookSome,
            Poll::Ready(Err(error)) => {
                self.ended(&error, now);
                Looked::TookSome
            }
            Poll::Pending => Looked::Nothing,
        }
    }

    /// Something goes over the connection.
    fn touch(&self, now: Now) {
        let now_s = u32::try_from(now.uptime.as_millis() / 1000).unwrap_or(u32::MAX);
        self.parts.context.handle.touch(now_s);
    }

    fn ended(&mut self, error: &Ended, now: Now) {
        tracing::debug!(client = %self.parts.session.client(), %error, "nothing more to read");
        let gone = Disconnect::CONNECTION_CLOSED;
        self.parts.session.handle_disconnect(gone, now);
    }

    fn broken(&mut self, now: Now) {
        let disconnect = Disconnect::WRITE_ERROR;
        self.parts.session.handle_disconnect(disconnect, now);
    }

    // === outputs ===

    /// Takes the session's outputs and the commands that it accepts, until neither brings more or the
    /// turn has had its share of commands.
    fn settle(&mut self, now: Now) {
        self.start_effects(now);
        if self.is_leaving {
            self.leave(now);
        } else if self.has_read() && !self.parts.transport.is_pending() {
            self.take_commands(now);
        }
        // One write for all that the turn has brought.
        if self.parts.session.has_messages() && self.parts.write().is_err() {
            self.broken(now);
            self.start_effects(now);
        }
        let parts = &mut self.parts;
        Context::observe(&parts.node, &parts.counters, &mut parts.session);
        self.watch_socket(now);
        if self.stuck_until().is_some_and(|until| until <= now.uptime) {
            self.broken(now);
            self.start_effects(now);
        }
        self.arm(now);
    }

    /// Closes the connection once every command that was taken is answered: each ends within the
    /// deadlines of what it asks.
    fn leave(&mut self, now: Now) {
        if self.in_flight.is_none() && self.asking.is_none() {
            self.parts
                .session
                .handle_disconnect(Disconnect::SHUTDOWN, now);
            self.start_effects(now);
        }
    }

    fn start_effects(&mut self, now: Now) {
        let parts = &mut self.parts;
        while let Some((ticket, effect)) = parts.session.poll_effect() {
            let Parts {
                node,
                session,
                context,
                ..
            } = parts;
            let (mut later, running) = match effects::start(node, session, context, ticket, effect)
            {
                Started::Now(completion) => {
                    parts.complete(ticket, completion, now);
                    continue;
                }
                Started::Later(later) => (later, &mut self.in_flight),
                Started::Asking(later) => (later, &mut self.asking),
                Started::Told => continue,
            };
            match (&mut later).now_or_never() {
                Some((ticket, completion)) => parts.complete(ticket, completion, now),
                None => running.get_or_insert_default().push(later),
            }
        }
    }

    /// Whether there may be commands that nobody has looked at.
    const fn has_read(&self) -> bool {
        self.commands.is_some() || !self.unread.is_empty()
    }

    /// Whether commands have been read that a turn may take now.
    fn may_take_command(&self) -> bool {
        self.has_read()
            && !self.is_leaving
            && !self.parts.transport.is_pending()
            && self.parts.session.accepts_command()
    }

    /// Hands the session as many commands as it takes, up to a turn's share.
    fn take_commands(&mut self, now: Now) {
        self.parts.take_settings();
        let mut taken = Tally::default();
        for _ in 0..limits::TURN_COMMANDS_MAX {
            if !self.take_command(&mut taken, now) {
                break;
            }
            self.touch(now);
            self.start_effects(now);
        }
        self.parts.counters.received.count(taken.take());
    }

    /// Hands the session the next command, if there is one and it may be taken.
    fn take_command(&mut self, taken: &mut Tally, now: Now) -> bool {
        if !self.parts.session.is_reading() {
            self.commands = None;
            self.unread = Vec::new();
            return false;
        }
        if !self.parts.session.accepts_command() {
            return false;
        }
        loop {
            let Some(commands) = &mut self.commands else {
                let Some(frame) = self.unread.pop() else {
                    self.unread = Vec::new();
                    return false;
                };
                if self.parts.facts.envelope == Envelope::Bare {
                    let run = taken.add(Frame::Connect, frame.len());
                    self.parts.counters.received.count(run);
                    self.take_connect(&frame, now);
                    return true;
                }
                self.commands = Some(self.parts.commands_of(frame));
                continue;
            };
            let session = &mut self.parts.session;
            let begin = commands.position();
            match commands.next_command() {
                Some(Ok(command)) => {
                    if let Some(frame) = Frame::of_request(&command.request) {
                        let run = taken.add(frame, commands.position() - begin);
                        self.parts.counters.received.count(run);
                    }
                    session.handle_command(command, now);
                }
                Some(Err(error)) => {
                    tracing::debug!(client = %session.client(), %error, "malformed frame");
                    session.handle_malformed(now);
                }
                None => {
                    self.commands = None;
                    continue;
                }
            }
            return true;
        }
    }

    /// A unidirectional client's one request; what it sends after it is not looked at.
    fn take_connect(&mut self, frame: &Bytes, now: Now) {
        let session = &mut self.parts.session;
        if !session.is_waiting() {
            return;
        }
        match ConnectRequest::decode(self.parts.facts.format, frame) {
            Ok(request) => session.handle_connect(Box::new(request), now),
            Err(error) => {
                tracing::debug!(client = %session.client(), %error, "malformed connect request");
                session.handle_malformed(now);
            }
        }
    }

    // === time ===

    fn watch_socket(&mut self, now: Now) {
        let transport = &self.parts.transport;
        if transport.is_pending() {
            self.stuck.waits(now.uptime, transport.sent_bytes());
        } else {
            self.stuck.ends();
        }
    }

    fn stuck_until(&self) -> Option<Uptime> {
        self.stuck.until(self.parts.limits.write_timeout)
    }

    /// Has the wheel wake us for the next timeout, unless it will do so earlier anyway.
    fn arm(&mut self, now: Now) {
        let session = self.parts.session.poll_timeout();
        let due = [session, self.stuck_until()].into_iter().flatten().min();
        if due == self.due {
            return;
        }
        self.due = due;
        let handle = &self.parts.context.handle;
        if let Some(at) = handle.alarm.set(now.uptime, due) {
            let wheel = &self.parts.node.wheel;
            wheel.schedule(now.uptime, at, Arc::clone(handle));
        }
    }
}

impl<T: Transport> Parts<T> {
    /// Hands a completion to the session, unless somebody is kept out meanwhile.
    fn complete(&mut self, ticket: Ticket, completion: Completion, now: Now) {
        let admitted = revocation::admit(&self.node, &self.context.handle, completion);
        self.session.handle_completion(ticket, admitted, now);
    }

    /// Gives the session what a reload has changed.
    fn take_settings(&mut self) {
        let live = self.node.live.load();
        if !Arc::ptr_eq(self.session.settings(), &live.settings) {
            self.session.handle_settings(Arc::clone(&live.settings));
        }
    }

    fn write(&mut self) -> std::io::Result<()> {
        let mut outgoing = Outgoing::new(&mut self.session, self.facts, &self.counters.sent);
        let written = self.transport.write(&mut outgoing);
        outgoing.end();
        written
    }

    fn commands_of(&self, frame: Bytes) -> Commands {
        Commands::new(self.facts.format, frame, self.limits.command_bytes_max)
    }
}

/// The first of the frames that were read; the others wait in `unread`.
fn take_first<T: Transport>(
    frames: &mut Vec<Bytes>,
    unread: &mut Vec<Bytes>,
    parts: &Parts<T>,
) -> Option<Commands> {
    if frames.len() > 1 {
        unread.extend(frames.drain(1..).rev());
    }
    let first = frames.pop()?;
    if parts.facts.envelope == Envelope::Bare {
        unread.push(first);
        return None;
    }
    Some(parts.commands_of(first))
}
