use gyre_proto::api::{UpdateUserStatusRequest, UpdateUserStatusResult};

use super::{Methods, status};
use crate::error::Error;

/// Longest state of a user. Unit: bytes. 64: it is a word.
const STATE_BYTES_MAX: usize = 64;

pub(super) async fn run(
    methods: &Methods,
    request: UpdateUserStatusRequest,
) -> Result<UpdateUserStatusResult, Error> {
    let statuses = status::statuses(methods, &request.users)?;
    if request.state.len() > STATE_BYTES_MAX {
        return Err(Error::BadRequest);
    }
    let told = statuses.act(&request.users, &request.state).await;
    told.map_err(|error| Error::of_engine(&error))?;
    Ok(UpdateUserStatusResult {})
}
