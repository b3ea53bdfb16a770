use gyre_proto::api::{UnblockUserRequest, UnblockUserResult};
use gyre_store::Kind;

use super::Methods;
use super::exclusion;
use crate::error::Error;

/// A user that is not blocked is none the worse for it.
pub(super) async fn run(
    methods: &Methods,
    request: UnblockUserRequest,
) -> Result<UnblockUserResult, Error> {
    let key = exclusion::key(Kind::User, &request.user, "")?;
    let removed = methods.access.remove(key).await;
    removed.map_err(|error| Error::of_store(&error))?;
    exclusion::follow(methods, Kind::User).await?;
    Ok(UnblockUserResult {})
}
