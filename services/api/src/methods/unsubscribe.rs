use gyre_proto::api::{UnsubscribeRequest, UnsubscribeResult};
use gyre_proto::gateway::{self, Selector};

use super::{Methods, channel, selector};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: UnsubscribeRequest,
) -> Result<UnsubscribeResult, Error> {
    gyre_telemetry::traces::channel(&request.channel);
    let policy = methods.policy();
    channel::resolve(&policy, &request.channel)?;
    let command = gateway::UnsubscribeRequest {
        selector: Some(selector::checked(Selector {
            user: request.user,
            all_users: request.all_users,
            client: request.client,
            session: request.session,
            label_filter: request.label_filter,
            whitelist: Vec::new(),
        })?),
        channel: request.channel,
        ..gateway::UnsubscribeRequest::default()
    };
    methods.gateways.unsubscribe(command).await?;
    Ok(UnsubscribeResult {})
}
