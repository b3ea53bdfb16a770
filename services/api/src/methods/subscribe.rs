use gyre_proto::api::{SubscribeRequest, SubscribeResult};
use gyre_proto::gateway::{self, Selector};

use super::{Methods, channel, payload, selector};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: SubscribeRequest,
) -> Result<SubscribeResult, Error> {
    gyre_telemetry::traces::channel(&request.channel);
    let policy = methods.policy();
    channel::resolve(&policy, &request.channel)?;
    let command = gateway::SubscribeRequest {
        selector: Some(selector::checked(Selector {
            user: request.user,
            all_users: request.all_users,
            client: request.client,
            session: request.session,
            label_filter: request.label_filter,
            whitelist: Vec::new(),
        })?),
        channel: request.channel,
        expire_at: request.expire_at,
        info: payload::decode(request.info, &request.b64info)?,
        data: payload::decode(request.data, &request.b64data)?,
        recover_since: request.recover_since,
        r#override: request.r#override,
        ..gateway::SubscribeRequest::default()
    };
    methods.gateways.subscribe(command).await?;
    Ok(SubscribeResult {})
}
