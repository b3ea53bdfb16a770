use gyre_engine::{Publish, PublishOptions, Published};
use gyre_proto::api::{PublishRequest, PublishResult};
use gyre_protocol::messages::Publication;

use super::{Methods, channel, payload};
use crate::error::Error;

// hot path: server publish 2/3
pub(super) async fn run(
    methods: &Methods,
    request: PublishRequest,
) -> Result<PublishResult, Error> {
    if request.channel.is_empty() {
        return Err(Error::BadRequest);
    }
    let data = payload::decode(request.data, &request.b64data)?;
    gyre_telemetry::traces::channel(&request.channel);
    let policy = methods.policy();
    let channel = channel::of_stream(&policy, &request.channel)?;
    channel.check_data(&data)?;
    let publication = Publication {
        data,
        tags: request.tags,
        version: request.version,
        ..Publication::default()
    };
    let options = PublishOptions {
        retention: channel.retention_unless(request.skip_history),
        with_previous: request.delta || channel.options().delta_publish,
        idempotency_key: &request.idempotency_key,
        idempotency_ttl: PublishOptions::IDEMPOTENCY_TTL,
        version_epoch: &request.version_epoch,
    };
    let publish = Publish {
        publication: &publication,
        options,
    };
    let published = methods.broker.publish(channel.name(), publish).await;
    published
        .map(result)
        .map_err(|error| Error::of_engine(&error))
}

/// What a backend sees of a publish that was done.
pub(super) fn result(published: Published) -> PublishResult {
    let position = published.position.unwrap_or_default();
    PublishResult {
        offset: position.offset,
        epoch: position.epoch.as_str().to_owned(),
    }
}
