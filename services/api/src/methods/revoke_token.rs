use gyre_proto::api::{RevokeTokenRequest, RevokeTokenResult};
use gyre_proto::gateway::RevokeRequest;
use gyre_store::Kind;
use gyre_types::UnixSeconds;

use super::Methods;
use super::exclusion;
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: RevokeTokenRequest,
) -> Result<RevokeTokenResult, Error> {
    let key = exclusion::key(Kind::Token, &request.uid, "")?;
    let holds = exclusion::put(methods, key, UnixSeconds(0), request.expire_at).await?;
    if holds == exclusion::Holds::Now {
        let command = RevokeRequest {
            uid: request.uid,
            ..RevokeRequest::default()
        };
        methods.gateways.revoke(command).await?;
    }
    Ok(RevokeTokenResult {})
}
