use gyre_proto::api::{HistoryRemoveRequest, HistoryRemoveResult};

use super::{Methods, channel};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: HistoryRemoveRequest,
) -> Result<HistoryRemoveResult, Error> {
    gyre_telemetry::traces::channel(&request.channel);
    let policy = methods.policy();
    let channel = channel::resolve(&policy, &request.channel)?;
    if channel.retention().is_none() {
        return Err(Error::NotAvailable);
    }
    let removed = methods.broker.remove_history(channel.name()).await;
    removed.map_err(|error| Error::of_engine(&error))?;
    Ok(HistoryRemoveResult {})
}
