use gyre_proto::api::{DeleteUserStatusRequest, DeleteUserStatusResult};

use super::{Methods, status};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: DeleteUserStatusRequest,
) -> Result<DeleteUserStatusResult, Error> {
    let statuses = status::statuses(methods, &request.users)?;
    let told = statuses.forget(&request.users).await;
    told.map_err(|error| Error::of_engine(&error))?;
    Ok(DeleteUserStatusResult {})
}
