use gyre_proto::api::{BlockUserRequest, BlockUserResult};
use gyre_proto::gateway::{DisconnectRequest, Selector};
use gyre_protocol::codes::Disconnect;
use gyre_store::Kind;
use gyre_types::UnixSeconds;

use super::Methods;
use super::exclusion;
use crate::error::Error;

/// Keeps the user out first, then ends what it has: nothing can be opened in between.
pub(super) async fn run(
    methods: &Methods,
    request: BlockUserRequest,
) -> Result<BlockUserResult, Error> {
    let key = exclusion::key(Kind::User, &request.user, "")?;
    let ends = exclusion::put(methods, key, UnixSeconds(0), request.expire_at).await?;
    if ends == exclusion::Holds::Now {
        let command = DisconnectRequest {
            selector: Some(Selector {
                user: request.user,
                ..Selector::default()
            }),
            code: Disconnect::PERMISSION_DENIED.code,
            reason: Disconnect::PERMISSION_DENIED.reason.into_owned(),
            ..DisconnectRequest::default()
        };
        methods.gateways.disconnect(command).await?;
    }
    Ok(BlockUserResult {})
}
