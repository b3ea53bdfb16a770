use gyre_proto::api::{PresenceRequest, PresenceResult};

use super::{Methods, channel};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: PresenceRequest,
) -> Result<PresenceResult, Error> {
    gyre_telemetry::traces::channel(&request.channel);
    let policy = methods.policy();
    let channel = channel::resolve(&policy, &request.channel)?;
    if !channel.options().presence {
        return Err(Error::NotAvailable);
    }
    let members = methods.presence.members(channel.name()).await;
    let members = members.map_err(|error| Error::of_engine(&error))?;
    let presence = members
        .iter()
        .map(|(client, info)| (client.as_str().to_owned(), channel::client_info(info)))
        .collect();
    Ok(PresenceResult { presence })
}
