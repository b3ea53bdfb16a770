use gyre_engine::Status;
use gyre_proto::api::{GetUserStatusRequest, GetUserStatusResult, UserStatus};

use super::{Methods, status};
use crate::error::Error;

/// One status a user, in the order of the users; of an unknown one only who it is.
pub(super) async fn run(
    methods: &Methods,
    request: GetUserStatusRequest,
) -> Result<GetUserStatusResult, Error> {
    let statuses = status::statuses(methods, &request.users)?;
    let found = statuses.statuses(&request.users).await;
    let found = found.map_err(|error| Error::of_engine(&error))?;
    let statuses = request.users.into_iter().zip(found).map(told).collect();
    Ok(GetUserStatusResult { statuses })
}

fn told((user, status): (String, Status)) -> UserStatus {
    UserStatus {
        user,
        active: status.active.map_or(0, |at| at.0),
        online: status.online.map_or(0, |at| at.0),
        state: status.state,
    }
}
