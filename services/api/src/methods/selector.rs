use gyre_proto::gateway::Selector;

use crate::error::Error;

/// Checks a selector before it goes to the gateways.
///
/// An empty user with nothing else means the anonymous connections; since that is easily a mistake
/// of the caller, it is logged.
pub(super) fn checked(selector: Selector) -> Result<Selector, Error> {
    if let Some(filter) = &selector.label_filter {
        gyre_policy::Filter::compile(&filter_node(filter))
            .map_err(|error| Error::of_policy(&error))?;
    }
    let is_anonymous = selector.user.is_empty() && !selector.all_users;
    if is_anonymous && selector.client.is_empty() && selector.session.is_empty() {
        tracing::warn!("a command without a user reaches all anonymous connections");
    }
    Ok(selector)
}

fn filter_node(node: &gyre_proto::api::FilterNode) -> gyre_protocol::messages::FilterNode {
    gyre_protocol::messages::FilterNode {
        op: node.op.clone(),
        key: node.key.clone(),
        cmp: node.cmp.clone(),
        val: node.val.clone(),
        vals: node.vals.clone(),
        nodes: node.nodes.iter().map(filter_node).collect(),
    }
}
