use std::sync::Arc;

use gyre_policy::Filter;
use gyre_proto::api::FilterNode;
use gyre_proto::gateway::Selector;
use gyre_types::UserId;
use tonic::Status;

use crate::connections::Connections;
use crate::handle::Handle;

/// The connections that a selector means.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for a filter that is none.
pub(super) fn select(
    connections: &Connections,
    selector: &Selector,
) -> Result<Vec<Arc<Handle>>, Status> {
    let filter = compile(selector.label_filter.as_ref())?;
    let mut handles = if selector.all_users && selector.user.is_empty() {
        connections.all()
    } else {
        connections.of(&UserId::new(&selector.user))
    };
    handles.retain(|handle| is_meant(handle, selector) && passes(handle, filter.as_ref()));
    Ok(handles)
}

/// Whether the labels of a connection pass a filter, if there is one.
pub(super) fn passes(handle: &Handle, filter: Option<&Filter>) -> bool {
    filter.is_none_or(|filter| filter.matches(handle.labels()))
}

/// Makes a filter of labels ready.
///
/// # Errors
///
/// `INVALID_ARGUMENT`.
pub(super) fn compile(node: Option<&FilterNode>) -> Result<Option<Filter>, Status> {
    node.map(|node| Filter::compile(&filter_node(node)))
        .transpose()
        .map_err(|_bad| Status::invalid_argument("not a filter of labels"))
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

fn is_meant(handle: &Handle, selector: &Selector) -> bool {
    let client = handle.client.as_str();
    let is_client = selector.client.is_empty() || selector.client == client;
    let is_session =
        selector.session.is_empty() || handle.session.as_deref() == Some(&*selector.session);
    let is_spared = selector.whitelist.iter().any(|spared| spared == client);
    is_client && is_session && !is_spared
}

#[cfg(test)]
mod tests {
    use gyre_types::ClientId;

    use super::*;

    #[test]
    fn what_is_set_is_joined_by_and() {
        let connections = Connections::default();
        for (client, user) in [("1", "ann"), ("2", "ann"), ("3", "bob"), ("4", "")] {
            let handle = Arc::new(Handle::new(ClientId::new(client), 1024));
            connections.enter(&handle, &UserId::new(user), 0).unwrap();
        }
        let of = |selector: Selector| {
            let mut clients: Vec<String> = select(&connections, &selector)
                .unwrap()
                .iter()
                .map(|handle| handle.client.to_string())
                .collect();
            clients.sort();
            clients
        };
        let ann = || Selector {
            user: "ann".to_owned(),
            ..Selector::default()
        };
        assert_eq!(of(ann()), ["1", "2"]);
        assert_eq!(of(Selector::default()), ["4"]);
        assert_eq!(
            of(Selector {
                all_users: true,
                ..Selector::default()
            }),
            ["1", "2", "3", "4"]
        );
        assert_eq!(
            of(Selector {
                client: "2".to_owned(),
                ..ann()
            }),
            ["2"]
        );
        assert_eq!(
            of(Selector {
                client: "3".to_owned(),
                ..ann()
            }),
            [""; 0]
        );
        assert_eq!(
            of(Selector {
                whitelist: vec!["1".to_owned()],
                ..ann()
            }),
            ["2"]
        );
        // Without labels, every label is absent.
        for (cmp, val, expected) in [
            ("nex", "", &["1", "2"][..]),
            ("ex", "", &[]),
            ("eq", "pro", &[]),
            ("neq", "pro", &["1", "2"]),
        ] {
            let label_filter = Some(FilterNode {
                key: "tier".to_owned(),
                cmp: cmp.to_owned(),
                val: val.to_owned(),
                ..FilterNode::default()
            });
            let selector = Selector {
                label_filter,
                ..ann()
            };
            assert_eq!(of(selector), expected, "{cmp}");
        }
    }

    #[test]
    fn a_session_is_its_secret_name() {
        let handle = Handle::new(ClientId::new("1"), 1024).with_session(Some("secret"));
        let selector = |client: &str, session: &str| Selector {
            client: client.to_owned(),
            session: session.to_owned(),
            ..Selector::default()
        };
        assert!(is_meant(&handle, &selector("", "secret")));
        assert!(is_meant(&handle, &selector("1", "secret")));
        assert!(!is_meant(&handle, &selector("2", "secret")));
        assert!(!is_meant(&handle, &selector("", "other")));
        let nameless = Handle::new(ClientId::new("1"), 1024);
        assert!(!is_meant(&nameless, &selector("", "secret")));
        assert!(is_meant(&nameless, &selector("", "")));
    }

    #[test]
    fn a_bad_filter_selects_nobody() {
        let selector = Selector {
            all_users: true,
            label_filter: Some(FilterNode::default()),
            ..Selector::default()
        };
        let refused = select(&Connections::default(), &selector).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    }
}
