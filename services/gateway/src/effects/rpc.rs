use std::sync::Arc;

use bytes::Bytes;
use gyre_backend::{Event, Proxy};
use gyre_policy::RpcRoute;
use gyre_proto::proxy as pb;
use gyre_protocol::messages::RpcRequest;
use gyre_session::{Completion, Refusal, UPDATE_USER_STATUS};

use super::ask::{Asking, NOBODY, result};
use crate::node::Node;
use crate::online;

/// Answers a call of a client: that its user is active, or whatever the backend answers.
pub(super) async fn call(asking: &Asking, request: RpcRequest) -> Completion {
    let node = &asking.node;
    if node.live.load().settings.user_status && request.method == UPDATE_USER_STATUS {
        return online::rpc(node, &asking.handle, &request.method).await;
    }
    Completion::Rpc(ask(asking, request).await)
}

async fn ask(asking: &Asking, request: RpcRequest) -> Result<Bytes, Refusal> {
    let node = &asking.node;
    let proxy = proxy(node, &request.method)?;
    let question = pb::RpcRequest {
        client: asking.client(),
        transport: asking.transport(),
        protocol: asking.protocol(),
        user: asking.user(),
        method: request.method,
        data: request.data,
        meta: asking.meta.clone(),
        labels: asking.labels(),
        ..pb::RpcRequest::default()
    };
    let said = result(proxy.rpc(question, &asking.brought).await)?;
    Ok(said.unwrap_or_default().data)
}

/// Who answers calls of this method.
fn proxy<'n>(node: &'n Node, method: &str) -> Result<&'n Arc<Proxy>, Refusal> {
    let live = node.live.load();
    let route = live.settings.policy.route_rpc(method);
    let RpcRoute::Backend(name) = route.map_err(Refusal::Error)? else {
        return Err(NOBODY); // The session has answered that itself.
    };
    node.backends.find(Event::Rpc, name).ok_or(NOBODY)
}
