use gyre_engine::PublishOptions;
use gyre_policy::Policy;
use gyre_proto::api::{BroadcastRequest, BroadcastResult, PublishResponse, PublishResult};
use gyre_protocol::messages::Publication;
use gyre_types::ChannelName;

use super::publish::result;
use super::{Methods, channel, payload};
use crate::error::Error;
use crate::metrics::Protocol;

/// Channels that an engine is given at once. 1024, as in the reference.
const CHANNELS_AT_ONCE: usize = 1024;

pub(super) async fn run(
    methods: &Methods,
    protocol: Protocol,
    request: BroadcastRequest,
) -> Result<BroadcastResult, Error> {
    gyre_telemetry::traces::channels(request.channels.len());
    if request.channels.is_empty() {
        return Err(Error::BadRequest);
    }
    let BroadcastRequest {
        channels,
        data,
        b64data,
        tags,
        ..
    } = request;
    let publication = Publication {
        data: payload::decode(data, &b64data)?,
        tags,
        version: request.version,
        ..Publication::default()
    };
    let common = Common {
        skip_history: request.skip_history,
        delta: request.delta,
        idempotency_key: &request.idempotency_key,
        version_epoch: &request.version_epoch,
    };
    let mut responses = Vec::with_capacity(channels.len());
    for part in channels.chunks(CHANNELS_AT_ONCE) {
        let mut to_all = ToPart::new(methods, &publication, part, &common);
        to_all.publish(methods, &publication).await;
        for error in to_all
            .outcomes
            .iter()
            .filter_map(|outcome| outcome.as_ref().err())
        {
            methods
                .metrics
                .count_error(protocol, "broadcast_publish", error.label());
        }
        responses.extend(to_all.outcomes.into_iter().map(response));
    }
    Ok(BroadcastResult { responses })
}

/// What holds for every channel of a broadcast.
struct Common<'a> {
    skip_history: bool,
    delta: bool,
    idempotency_key: &'a str,
    version_epoch: &'a str,
}

type Outcome = Result<PublishResult, Error>;

/// A part of a broadcast: an outcome for each channel, and the channels that are still without one.
struct ToPart<'a> {
    outcomes: Vec<Outcome>,
    accepted: Vec<(ChannelName, PublishOptions<'a>)>,
    /// Where the outcome of each of `accepted` stands.
    places: Vec<usize>,
}

impl<'a> ToPart<'a> {
    /// Checks each channel.
    fn new(
        methods: &Methods,
        publication: &Publication,
        names: &[String],
        common: &Common<'a>,
    ) -> Self {
        let mut part = Self {
            outcomes: Vec::with_capacity(names.len()),
            accepted: Vec::with_capacity(names.len()),
            places: Vec::with_capacity(names.len()),
        };
        let policy = methods.policy();
        let mut data = channel::SharedData::new(&publication.data);
        for (place, name) in names.iter().enumerate() {
            match options(&policy, name, &mut data, common) {
                Ok(accepted) => {
                    part.accepted.push(accepted);
                    part.places.push(place);
                    part.outcomes.push(Err(Error::Internal));
                }
                Err(error) => part.outcomes.push(Err(error)),
            }
        }
        part
    }

    /// Publishes to the accepted ones, all in one call of the engine.
    async fn publish(&mut self, methods: &Methods, publication: &Publication) {
        let results = methods
            .broker
            .publish_to_many(&self.accepted, publication)
            .await;
        for (place, published) in self.places.iter().zip(results) {
            if let Some(outcome) = self.outcomes.get_mut(*place) {
                *outcome = published
                    .map(result)
                    .map_err(|error| Error::of_engine(&error));
            }
        }
    }
}

fn options<'c, 'n>(
    policy: &'n Policy,
    name: &'n str,
    data: &mut channel::SharedData<'n>,
    common: &Common<'c>,
) -> Result<(ChannelName, PublishOptions<'c>), Error> {
    let channel = channel::of_stream(policy, name)?;
    data.check(&channel)?;
    let options = PublishOptions {
        retention: channel.retention_unless(common.skip_history),
        with_previous: common.delta || channel.options().delta_publish,
        idempotency_key: common.idempotency_key,
        idempotency_ttl: PublishOptions::IDEMPOTENCY_TTL,
        version_epoch: common.version_epoch,
    };
    Ok((channel.into_name(), options))
}

fn response(outcome: Outcome) -> PublishResponse {
    match outcome {
        Ok(result) => PublishResponse {
            error: None,
            result: Some(result),
        },
        Err(error) => PublishResponse {
            error: Some(error.to_message()),
            result: None,
        },
    }
}
