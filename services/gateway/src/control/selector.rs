use std::sync::Arc;

use gyre_proto::gateway::Selector;
use gyre_types::UserId;
use tonic::Status;

use crate::connections::Connections;
use crate::handle::Handle;

/// The connections that a selector means.
///
/// # Errors
///
/// `INVALID_ARGUMENT` for what cannot select anything yet.
pub(super) fn select(
    connections: &Connections,
    selector: &Selector,
) -> Result<Vec<Arc<Handle>>, Status> {
    if selector.label_filter.is_some() {
        return Err(Status::invalid_argument("connections have no labels yet"));
    }
    let mut handles = if selector.all_users && selector.user.is_empty() {
        connections.all()
    } else {
        connections.of(&UserId::new(&selector.user))
    };
    handles.retain(|handle| is_meant(handle, selector));
    Ok(handles)
}

fn is_meant(handle: &Handle, selector: &Selector) -> bool {
    let client = handle.client.as_str();
    let is_client = selector.client.is_empty() || selector.client == client;
    // Sessions have names on transports that only go down; there are none of those yet.
    let is_session = selector.session.is_empty();
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
    }
}
