use gyre_proto::api::FilterNode;
use gyre_proto::gateway::Selector;

use crate::error::Error;

/// Checks a selector before it goes to the gateways.
///
/// An empty user with nothing else means the anonymous connections; since that is easily a mistake
/// of the caller, it is logged.
pub(super) fn checked(selector: Selector) -> Result<Selector, Error> {
    check_filter(selector.label_filter.as_ref())?;
    let is_anonymous = selector.user.is_empty() && !selector.all_users;
    if is_anonymous && selector.client.is_empty() && selector.session.is_empty() {
        tracing::warn!("a command without a user reaches all anonymous connections");
    }
    Ok(selector)
}

/// Checks a filter of labels before it goes to the gateways.
pub(super) fn check_filter(filter: Option<&FilterNode>) -> Result<(), Error> {
    let Some(filter) = filter else {
        return Ok(());
    };
    gyre_policy::Filter::compile(&filter_node(filter))
        .map(drop)
        .map_err(|error| Error::of_policy(&error))
}

fn filter_node(node: &FilterNode) -> gyre_protocol::messages::FilterNode {
    gyre_protocol::messages::FilterNode {
        op: node.op.clone(),
        key: node.key.clone(),
        cmp: node.cmp.clone(),
        val: node.val.clone(),
        vals: node.vals.clone(),
        nodes: node.nodes.iter().map(filter_node).collect(),
    }
}
