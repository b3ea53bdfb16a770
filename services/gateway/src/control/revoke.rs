use std::sync::Arc;

use gyre_proto::gateway::RevokeRequest;
use gyre_session::Void;
use gyre_types::{UnixSeconds, UserId};
use tonic::Status;

use crate::connections::{Connections, SHARDS};
use crate::handle::Handle;

/// What a request says.
///
/// # Errors
///
/// `INVALID_ARGUMENT` if it names neither a token nor a user.
pub(super) fn void(request: &RevokeRequest) -> Result<Void, Status> {
    if !request.uid.is_empty() {
        return Ok(Void::Token(request.uid.as_str().into()));
    }
    if request.user.is_empty() {
        return Err(Status::invalid_argument("neither a token nor a user"));
    }
    Ok(Void::IssuedBefore {
        user: UserId::new(&request.user),
        channel: request.channel.as_str().into(),
        at: UnixSeconds(request.issued_before),
    })
}

/// Connections that may hold a void token. Those that are still being accepted are among them; each
/// session knows better.
pub(super) fn concerned(connections: &Connections, void: &Void) -> Vec<Arc<Handle>> {
    match void {
        Void::IssuedBefore { user, .. } => {
            let mut found = connections.waiting();
            found.extend(connections.of(user));
            found
        }
        Void::Token(uid) => {
            let mut found = connections.waiting();
            found.retain(|handle| handle.presented.may_have(uid));
            for shard in 0..SHARDS {
                connections.for_each_in(shard, |handle| {
                    if handle.presented.may_have(uid) {
                        found.push(Arc::clone(handle));
                    }
                });
            }
            found
        }
    }
}
