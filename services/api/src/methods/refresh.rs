use gyre_proto::api::{RefreshRequest, RefreshResult};
use gyre_proto::gateway::{self, Selector};

use super::{Methods, selector};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: RefreshRequest,
) -> Result<RefreshResult, Error> {
    let command = gateway::RefreshRequest {
        selector: Some(selector::checked(Selector {
            user: request.user,
            all_users: request.all_users,
            client: request.client,
            session: request.session,
            label_filter: request.label_filter,
            whitelist: Vec::new(),
        })?),
        expired: request.expired,
        expire_at: request.expire_at,
        info: request.info,
        ..gateway::RefreshRequest::default()
    };
    methods.gateways.refresh(command).await?;
    Ok(RefreshResult {})
}
