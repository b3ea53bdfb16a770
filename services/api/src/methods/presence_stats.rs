use gyre_proto::api::{PresenceStatsRequest, PresenceStatsResult};

use super::{Methods, channel};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: PresenceStatsRequest,
) -> Result<PresenceStatsResult, Error> {
    gyre_telemetry::traces::channel(&request.channel);
    let policy = methods.policy();
    let channel = channel::resolve(&policy, &request.channel)?;
    if !channel.options().presence {
        return Err(Error::NotAvailable);
    }
    let stats = methods.presence.stats(channel.name()).await;
    let stats = stats.map_err(|error| Error::of_engine(&error))?;
    Ok(PresenceStatsResult {
        num_clients: u32::try_from(stats.clients).unwrap_or(u32::MAX),
        num_users: u32::try_from(stats.users).unwrap_or(u32::MAX),
    })
}
