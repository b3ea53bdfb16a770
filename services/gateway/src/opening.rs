use std::sync::Arc;

use bytes::Bytes;
use gyre_backend::ClientContext;
use gyre_runtime::Head;
use gyre_session::{Names, Session, Transport as Facts};
use gyre_types::ClientId;
use http::Version;
use http::header::CONTENT_TYPE;
use uuid::Uuid;

use crate::connection::{Context, Driver, Limits, Parts};
use crate::handle::Handle;
use crate::live::Options;
use crate::mailbox::Signal;
use crate::node::Node;
use crate::transport::Transport;

/// A connection that is about to be served: everything but its transport.
#[derive(Debug)]
pub(crate) struct Opening {
    node: Arc<Node>,
    session: Session,
    context: Context,
    facts: Facts,
    version: Version,
}

/// What the client learns of its session's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Naming {
    /// Nothing: it has no use for one.
    Unnamed,
    /// A name, and nothing can be sent there.
    Named,
    /// A name and a node, to send commands to by requests of their own.
    Reachable,
}

impl Opening {
    /// Makes a session and enters its handle, so that a drain finds it from here on.
    pub(crate) fn new(node: &Arc<Node>, facts: Facts, naming: Naming, head: &Head) -> Self {
        let id = Uuid::new_v4();
        let client = ClientId::from(Arc::from(text(id).as_str()));
        let is_reachable = naming == Naming::Reachable;
        let name = (naming != Naming::Unnamed).then(|| text(Uuid::new_v4()));
        let live = node.live.load();
        let handle = Handle::new(client.clone(), live.options.queue_bytes_max);
        let handle = Arc::new(handle.with_session(name.as_deref()));
        let settings = Arc::clone(&live.settings);
        let random = id.as_u64_pair().0;
        let mut session = Session::new(settings, facts, client, random, node.clock.now());
        let mut context = Context::new(Arc::clone(&handle), user_of(&live.options, head));
        context.brought = brought(node, head);
        if let Some(name) = name {
            if is_reachable {
                node.sessions.enter(&name, &handle, facts.format);
            }
            session = session.with_names(Names {
                session: name,
                node: if is_reachable {
                    node.identity.id.clone()
                } else {
                    String::new()
                },
            });
        }
        node.connections.wait(&handle);
        if node.tasks.drain().is_draining() {
            handle.mailbox.raise(Signal::Drain);
        }
        Self {
            node: Arc::clone(node),
            session,
            context,
            facts,
            version: head.version,
        }
    }

    /// Takes everything back: the client has gone already.
    pub(crate) fn give_up(self) {
        self.context.leave(&self.node);
    }

    /// The driver over a transport, on which `unread` has come already, newest first.
    pub(crate) fn driver<T: Transport>(
        mut self,
        transport: T,
        limits: Limits,
        unread: Vec<Bytes>,
    ) -> Driver<T> {
        let counters = self.node.metrics.transport(transport.name(), self.version);
        counters.accepted.inc();
        self.context.transport = transport.name();
        self.context.format = self.facts.format;
        let parts = Parts {
            counters,
            node: self.node,
            session: self.session,
            transport,
            context: self.context,
            facts: self.facts,
            limits,
        };
        Driver::new(parts, unread)
    }
}

fn user_of(options: &Options, head: &Head) -> Option<Box<str>> {
    let name = options.user_id_header.as_ref()?;
    head.header(name)
        .filter(|user| !user.is_empty())
        .map(Box::from)
}

/// What backends want to know of the request that the connection came with; `None`: nothing.
fn brought(node: &Node, head: &Head) -> Option<Arc<ClientContext>> {
    let content_type = head.header(&CONTENT_TYPE).unwrap_or_default();
    let forwarded = node.backends.forwarded();
    let brought = if content_type.starts_with("application/grpc") {
        forwarded.of_call(&head.headers)
    } else {
        forwarded.of_request(&head.headers)
    };
    (!brought.is_empty()).then(|| Arc::new(brought))
}

fn text(id: Uuid) -> String {
    id.as_hyphenated().to_string()
}
