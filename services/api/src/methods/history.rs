use gyre_engine::{HistoryQuery, Order};
use gyre_proto::api::{HistoryRequest, HistoryResult, Publication};
use gyre_protocol::messages;

use super::{Methods, channel};
use crate::error::Error;

pub(super) async fn run(
    methods: &Methods,
    request: HistoryRequest,
) -> Result<HistoryResult, Error> {
    gyre_telemetry::traces::channel(&request.channel);
    let policy = methods.policy();
    let channel = channel::resolve(&policy, &request.channel)?;
    let Some(retention) = channel.retention() else {
        return Err(Error::NotAvailable);
    };
    let since = request.since.as_ref();
    let query = HistoryQuery {
        since: since.map(|since| (since.offset, since.epoch.as_str())),
        // A negative limit is none.
        limit: usize::try_from(request.limit).ok(),
        order: if request.reverse {
            Order::Reverse
        } else {
            Order::Forward
        },
        meta_ttl: retention.meta_ttl,
        heard: None,
    };
    let history = methods.broker.history(channel.name(), query).await;
    let history = history.map_err(|error| Error::of_engine(&error))?;
    Ok(HistoryResult {
        publications: history
            .publications
            .iter()
            .map(|kept| publication(kept))
            .collect(),
        epoch: history.top.epoch.as_str().to_owned(),
        offset: history.top.offset,
    })
}

fn publication(kept: &messages::Publication) -> Publication {
    Publication {
        data: kept.data.clone(),
        info: kept.info.as_deref().map(channel::client_info),
        offset: kept.offset,
        tags: kept.tags.clone(),
    }
}
