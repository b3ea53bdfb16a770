use std::sync::Arc;

use gyre_backend::ClientContext;
use gyre_protocol::Format;
use gyre_protocol::codes::Error;
use gyre_protocol::messages::ConnectRequest;
use gyre_session::{Question, Session};
use gyre_types::SubscriptionId;
use tokio::sync::oneshot;

use crate::effects::Streams;
use crate::handle::Handle;
use crate::metrics::Transport;
use crate::node::Node;
use crate::online;

/// What effects may know and change of their connection, beside the session.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) handle: Arc<Handle>,
    /// User that a proxy in front vouches for.
    pub(crate) user_from_header: Option<Box<str>>,
    /// What backends want to know of how it came; `None`: nothing.
    pub(crate) brought: Option<Arc<ClientContext>>,
    /// Name of its transport.
    pub(crate) transport: &'static str,
    /// How its messages are encoded.
    pub(crate) format: Format,
    /// Streams of its subscriptions, once it has had any.
    streams: Option<Arc<Streams>>,
    /// Whether the connection stands in the node's tables.
    pub(crate) is_registered: bool,
    controls: Vec<(u32, oneshot::Sender<Result<(), Error>>)>,
    next_control: u32,
}

impl Context {
    pub(crate) const fn new(handle: Arc<Handle>, user_from_header: Option<Box<str>>) -> Self {
        Self {
            handle,
            user_from_header,
            brought: None,
            transport: "",
            format: Format::Json,
            streams: None,
            is_registered: false,
            controls: Vec::new(),
            next_control: 0,
        }
    }

    /// Notes who wants to know how a command of the server API ends; gives the command its name.
    pub(crate) fn expect(&mut self, done: oneshot::Sender<Result<(), Error>>) -> u32 {
        let control = self.next_control;
        self.next_control = self.next_control.wrapping_add(1);
        self.controls.push((control, done));
        control
    }

    /// Tells the server API how its command ended.
    pub(crate) fn report(&mut self, control: u32, outcome: Result<(), Error>) {
        let found = self
            .controls
            .iter()
            .position(|(known, _)| *known == control);
        if let Some(index) = found {
            let (_, done) = self.controls.swap_remove(index);
            // Who asked may have given up.
            let _ = done.send(outcome);
        }
        if self.controls.is_empty() {
            self.controls = Vec::new();
        }
    }

    /// Counts what the session has seen.
    pub(crate) fn observe(node: &Node, counters: &Transport, session: &mut Session) {
        for observation in session.poll_observations() {
            node.metrics.observed(counters, &observation);
        }
    }

    /// Adds what the client itself sent for backends with its connect command.
    pub(crate) fn emulate(&mut self, node: &Node, request: &ConnectRequest) {
        let given = request.headers.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        let emulated = node.backends.forwarded().emulated(given);
        if !emulated.is_empty() {
            let brought = self.brought.get_or_insert_default();
            Arc::make_mut(brought).emulated_headers = emulated;
        }
    }

    /// Streams of its subscriptions; where one is asked for, a place for it.
    pub(crate) fn streams_for(&mut self, question: &Question) -> Option<Arc<Streams>> {
        if matches!(question, Question::Stream(_)) {
            self.streams.get_or_insert_default();
        }
        self.streams.clone()
    }

    /// Ends the stream of a subscription, if it has one.
    pub(crate) fn close_stream(&self, id: SubscriptionId) {
        if let Some(streams) = &self.streams {
            streams.close(id);
        }
    }

    /// Ends the streams of its subscriptions.
    pub(crate) fn hang_up(&mut self) {
        if let Some(streams) = self.streams.take() {
            streams.close_all();
        }
    }

    /// Takes the connection out of the node's tables.
    pub(crate) fn leave(&self, node: &Node) {
        node.connections.leave(&self.handle);
        if let Some(name) = &self.handle.session {
            node.sessions.leave(name);
        }
        if self.is_registered {
            node.metrics.actions.remove_client.inc();
            if let Some(user) = self.handle.user() {
                online::appear(node, user);
            }
        }
    }
}
