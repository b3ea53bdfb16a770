use gyre_proto::api::{InvalidateUserTokensRequest, InvalidateUserTokensResult};
use gyre_proto::gateway::RevokeRequest;
use gyre_store::Kind;
use gyre_types::UnixSeconds;

use super::Methods;
use super::exclusion;
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: InvalidateUserTokensRequest,
) -> Result<InvalidateUserTokensResult, Error> {
    let key = exclusion::key(Kind::TokensOfUser, &request.user, &request.channel)?;
    let issued_before = match request.issued_before {
        ..0 => return Err(Error::BadRequest),
        0 => methods.access.now(),
        at => UnixSeconds(at),
    };
    let holds = exclusion::put(methods, key, issued_before, request.expire_at).await?;
    if holds == exclusion::Holds::Now {
        let command = RevokeRequest {
            user: request.user,
            issued_before: issued_before.0,
            channel: request.channel,
            ..RevokeRequest::default()
        };
        methods.gateways.revoke(command).await?;
    }
    Ok(InvalidateUserTokensResult {})
}
