//! What every question to the backend begins with, and what its answers come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use gyre_backend::{Answer, CallError, ClientContext, Event, Proxy};
use gyre_proto::proxy as pb;
use gyre_protocol::Format;
use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::FilterNode;
use gyre_session::{Refusal, Session};
use gyre_types::{Capability, Override, UnixSeconds};

use crate::connection::Context;
use crate::handle::Handle;
use crate::node::Node;

/// Who asks.
pub(super) struct Asking {
    pub(super) node: Arc<Node>,
    pub(super) handle: Arc<Handle>,
    pub(super) brought: Arc<ClientContext>,
    /// What the backend said of the connection before.
    pub(super) meta: Bytes,
    transport: &'static str,
    format: Format,
    user: Arc<str>,
}

impl Asking {
    pub(super) fn new(node: &Arc<Node>, session: &Session, context: &Context) -> Self {
        Self {
            node: Arc::clone(node),
            handle: Arc::clone(&context.handle),
            brought: Arc::clone(context.brought.as_ref().unwrap_or(&node.nothing)),
            meta: session.meta().clone(),
            transport: context.transport,
            format: context.format,
            user: session.user().shared(),
        }
    }

    pub(super) fn client(&self) -> String {
        self.handle.client.as_str().to_owned()
    }

    pub(super) fn transport(&self) -> String {
        self.transport.to_owned()
    }

    pub(super) fn protocol(&self) -> String {
        match self.format {
            Format::Json => "json",
            Format::Protobuf => "protobuf",
        }
        .to_owned()
    }

    pub(super) fn user(&self) -> String {
        self.user.as_ref().to_owned()
    }

    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        self.handle.labels().clone()
    }

    /// Whom a channel's namespace names for an event.
    pub(super) fn proxy_of(
        &self,
        channel: &str,
        event: Event,
        name: fn(&gyre_config::channel::Options) -> &str,
    ) -> Option<&Arc<Proxy>> {
        let live = self.node.live.load();
        let rules = live.settings.policy.resolve(channel).ok()?;
        self.node.backends.find(event, name(rules.options()))
    }
}

/// The result of an answer, if it has one, or why the client does not get what it wants.
pub(super) fn result<R>(answer: Result<Answer<R>, CallError>) -> Result<Option<R>, Refusal> {
    match answer {
        Ok(Answer::Result(result)) => Ok(result),
        Ok(Answer::Error(error)) => Err(error_of(error)),
        Ok(Answer::Disconnect(disconnect)) => Err(disconnect_of(disconnect)),
        // What went wrong stands in the log of who called.
        Err(_unanswered) => Err(Refusal::Error(Error::INTERNAL)),
    }
}

/// There is no backend for this.
pub(super) const NOBODY: Refusal = Refusal::Error(Error::NOT_AVAILABLE);

pub(super) fn error_of(error: pb::Error) -> Refusal {
    Refusal::Error(Error {
        code: error.code,
        message: error.message.into(),
        temporary: error.temporary,
    })
}

pub(super) fn disconnect_of(disconnect: pb::Disconnect) -> Refusal {
    Refusal::Disconnect(Disconnect {
        code: disconnect.code,
        reason: disconnect.reason.into(),
    })
}

/// An end as messages have it, where 0 is none.
pub(super) fn end_of(expire_at: i64) -> Option<UnixSeconds> {
    (expire_at > 0).then_some(UnixSeconds(expire_at))
}

pub(super) fn override_of(given: Option<pb::SubscribeOptionOverride>) -> Override {
    let given = given.unwrap_or_default();
    let value = |option: Option<pb::BoolValue>| option.map(|option| option.value);
    Override {
        presence: value(given.presence),
        join_leave: value(given.join_leave),
        force_push_join_leave: value(given.force_push_join_leave),
        force_positioning: value(given.force_positioning),
        force_recovery: value(given.force_recovery),
    }
}

pub(super) fn filter_of(node: pb::FilterNode) -> FilterNode {
    FilterNode {
        op: node.op,
        key: node.key,
        cmp: node.cmp,
        val: node.val,
        vals: node.vals,
        nodes: node.nodes.into_iter().map(filter_of).collect(),
    }
}

pub(super) fn capabilities_of(given: Vec<pb::ChannelsCapability>) -> Vec<Capability> {
    given
        .into_iter()
        .map(|one| Capability {
            channels: one.channels,
            matching: one.r#match,
            allow: one.allow,
        })
        .collect()
}
