//! The suite finds what it is there to find: an engine with one fault fails the case that is about it.

use std::sync::Arc;
use std::time::Duration;

use gyre_engine::conformance::{self, Failures, Recorder, Subject};
use gyre_engine::{
    BoxFuture, Broker, Delivered, Engine, Error, Features, Gateway, HistoryQuery, HistoryRead,
    Inlet, Members, Order, Presence, PresenceStats, Publish, PublishOptions, Published, Registry,
    Retention,
};
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{ChannelName, ClientId, Epoch};

use crate::subject::{Memory, block_on};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    KeysIgnored,
    KeysRememberedForEver,
    VersionsIgnored,
    VersionEpochsIgnored,
    PreviousMissing,
    SizeIgnored,
    PublicationsForEver,
    StreamsForEver,
    EverythingInHistory,
    LimitIgnored,
    OrderIgnored,
    SinceIgnored,
    EpochIgnored,
    RemovalIgnored,
    AnswersReversed,
    JoinsLost,
    DeliveredEpochMissing,
    DeliveredTwice,
    SuppressedDelivered,
    FirstInfoStays,
    MembersStay,
    UsersNotCounted,
    GatewaysUnordered,
    GatewaysStay,
}

/// Every fault, and the case that must notice it.
const BROKER: &[(Fault, &str)] = &[
    (
        Fault::KeysIgnored,
        "a_key_repeated_answers_with_the_first_place",
    ),
    (
        Fault::KeysRememberedForEver,
        "a_key_is_forgotten_after_its_time",
    ),
    (
        Fault::VersionsIgnored,
        "a_version_not_above_the_stored_one_is_suppressed",
    ),
    (
        Fault::VersionEpochsIgnored,
        "another_version_epoch_begins_again",
    ),
    (
        Fault::PreviousMissing,
        "the_previous_publication_comes_along_if_asked_for",
    ),
    (Fault::SizeIgnored, "only_the_newest_are_kept"),
    (
        Fault::PublicationsForEver,
        "publications_end_after_their_time",
    ),
    (Fault::StreamsForEver, "a_stream_ends_after_its_time"),
    (
        Fault::EverythingInHistory,
        "without_history_there_is_no_position",
    ),
    (Fault::LimitIgnored, "a_limit_is_kept"),
    (
        Fault::OrderIgnored,
        "backwards_comes_what_is_before_the_position",
    ),
    (
        Fault::SinceIgnored,
        "forward_comes_what_is_after_the_position",
    ),
    (Fault::EpochIgnored, "another_epoch_is_unrecoverable"),
    (Fault::RemovalIgnored, "removal_keeps_the_position"),
    (
        Fault::AnswersReversed,
        "many_channels_are_answered_in_their_order",
    ),
    (Fault::JoinsLost, "joins_and_leaves_arrive"),
    (
        Fault::DeliveredEpochMissing,
        "delivery_and_history_have_the_position_that_was_answered",
    ),
    (Fault::DeliveredTwice, "one_publisher_is_heard_in_its_order"),
    (
        Fault::SuppressedDelivered,
        "a_version_not_above_the_stored_one_is_suppressed",
    ),
];

const PRESENCE: &[(Fault, &str)] = &[
    (Fault::FirstInfoStays, "adding_again_replaces_the_info"),
    (Fault::MembersStay, "whoever_is_removed_is_gone"),
    (Fault::UsersNotCounted, "users_are_counted_once"),
];

const REGISTRY: &[(Fault, &str)] = &[
    (Fault::GatewaysUnordered, "gateways_are_listed_by_id"),
    (Fault::GatewaysStay, "a_gateway_withdrawn_is_out_at_once"),
];

#[test]
fn a_broker_with_a_fault_is_found_out() {
    find(BROKER, |subject| block_on(conformance::broker(subject)));
}

#[test]
fn presence_with_a_fault_is_found_out() {
    find(PRESENCE, |subject| block_on(conformance::presence(subject)));
}

#[test]
fn a_registry_with_a_fault_is_found_out() {
    find(REGISTRY, |subject| block_on(conformance::registry(subject)));
}

fn find(faults: &[(Fault, &str)], suite: impl Fn(&Faulty) -> Result<(), Failures>) {
    for &(fault, case) in faults {
        let subject = Faulty {
            fault,
            memory: Memory::default(),
        };
        let found = match suite(&subject) {
            Ok(()) => Vec::new(),
            Err(failures) => failures.cases().collect(),
        };
        assert!(
            found.contains(&case),
            "{fault:?} must fail {case}, failed {found:?}"
        );
    }
}

/// The memory engine with a fault.
struct Faulty {
    fault: Fault,
    memory: Memory,
}

impl Subject for Faulty {
    fn open(&self, inlet: Arc<Recorder>) -> BoxFuture<'_, Engine> {
        let fault = self.fault;
        let skewed = Arc::new(SkewedInlet {
            fault,
            inlet: Arc::clone(&inlet),
        });
        let Engine {
            broker,
            presence,
            registry,
        } = self.memory.engine(skewed);
        let skewed = Arc::new(Skewed {
            fault,
            broker,
            presence,
            registry,
            inlet,
        });
        Box::pin(std::future::ready(Engine {
            broker: Arc::clone(&skewed) as _,
            presence: Arc::clone(&skewed) as _,
            registry: skewed,
        }))
    }

    fn advance(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.memory.advance(time)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        self.memory.spawn(task)
    }

    fn patience(&self) -> BoxFuture<'_, ()> {
        self.memory.patience()
    }
}

struct SkewedInlet {
    fault: Fault,
    inlet: Arc<Recorder>,
}

impl Inlet for SkewedInlet {
    fn on_publication(&self, channel: &ChannelName, mut delivered: Delivered) {
        if self.fault == Fault::DeliveredEpochMissing {
            delivered.epoch = Epoch::default();
        }
        if self.fault == Fault::DeliveredTwice {
            self.inlet.on_publication(channel, delivered.clone());
        }
        self.inlet.on_publication(channel, delivered);
    }

    fn on_join(&self, channel: &ChannelName, info: &Arc<ClientInfo>) {
        if self.fault != Fault::JoinsLost {
            self.inlet.on_join(channel, info);
        }
    }

    fn on_leave(&self, channel: &ChannelName, info: &Arc<ClientInfo>) {
        self.inlet.on_leave(channel, info);
    }

    fn on_gap(&self, channel: &ChannelName) {
        self.inlet.on_gap(channel);
    }
}

struct Skewed {
    fault: Fault,
    broker: Arc<dyn Broker>,
    presence: Arc<dyn Presence>,
    registry: Arc<dyn Registry>,
    inlet: Arc<Recorder>,
}

impl Skewed {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn publication(&self, publication: &Publication) -> Publication {
        let mut skewed = publication.clone();
        if self.fault == Fault::VersionsIgnored {
            skewed.version = 0;
        }
        skewed
    }

    fn options<'a>(&self, mut options: PublishOptions<'a>) -> PublishOptions<'a> {
        if self.has(Fault::KeysIgnored) {
            options.idempotency_key = "";
        }
        if self.has(Fault::KeysRememberedForEver) {
            options.idempotency_ttl *= 1000;
        }
        if self.has(Fault::VersionEpochsIgnored) {
            options.version_epoch = "";
        }
        if self.has(Fault::PreviousMissing) {
            options.with_previous = false;
        }
        if self.has(Fault::EverythingInHistory) {
            options.retention = Some(EVERYTHING);
        }
        options.retention = options.retention.map(|retention| self.retention(retention));
        options
    }

    fn retention(&self, mut retention: Retention) -> Retention {
        if self.has(Fault::SizeIgnored) {
            retention.size = EVERYTHING.size;
        }
        if self.has(Fault::PublicationsForEver) {
            retention.ttl = EVERYTHING.ttl;
        }
        if self.has(Fault::StreamsForEver) {
            retention.meta_ttl = None;
        }
        retention
    }

    fn query<'a>(&self, mut query: HistoryQuery<'a>) -> HistoryQuery<'a> {
        if self.has(Fault::StreamsForEver) {
            query.meta_ttl = None;
        }
        if self.has(Fault::LimitIgnored) {
            query.limit = None;
        }
        if self.has(Fault::OrderIgnored) {
            query.order = Order::Forward;
        }
        if self.has(Fault::SinceIgnored) {
            query.since = None;
        }
        if self.has(Fault::EpochIgnored) {
            query.since = query.since.map(|(offset, _)| (offset, ""));
        }
        query
    }
}

const EVERYTHING: Retention = Retention {
    size: 1000,
    ttl: Duration::from_secs(10_000),
    meta_ttl: None,
};

impl Broker for Skewed {
    fn features(&self) -> Features {
        self.broker.features()
    }

    fn publish<'a>(
        &'a self,
        channel: &'a ChannelName,
        publish: Publish<'a>,
    ) -> BoxFuture<'a, Result<Published, Error>> {
        Box::pin(async move {
            let publication = self.publication(publish.publication);
            let options = self.options(publish.options);
            let publish = Publish {
                publication: &publication,
                options,
            };
            let published = self.broker.publish(channel, publish).await?;
            if published.suppressed.is_some() && self.fault == Fault::SuppressedDelivered {
                let delivered = Delivered {
                    publication: Arc::new(publication),
                    epoch: Epoch::default(),
                    previous: None,
                };
                self.inlet.on_publication(channel, delivered);
            }
            Ok(published)
        })
    }

    fn publish_to_many<'a>(
        &'a self,
        channels: &'a [(ChannelName, PublishOptions<'a>)],
        publication: &'a Publication,
    ) -> BoxFuture<'a, Vec<Result<Published, Error>>> {
        Box::pin(async move {
            let mut published = self.broker.publish_to_many(channels, publication).await;
            if self.fault == Fault::AnswersReversed {
                published.reverse();
            }
            published
        })
    }

    fn publish_join<'a>(
        &'a self,
        channel: &'a ChannelName,
        info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.broker.publish_join(channel, info)
    }

    fn publish_leave<'a>(
        &'a self,
        channel: &'a ChannelName,
        info: &'a ClientInfo,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.broker.publish_leave(channel, info)
    }

    fn subscribe<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>> {
        self.broker.subscribe(channel)
    }

    fn unsubscribe(&self, channel: &ChannelName) {
        self.broker.unsubscribe(channel);
    }

    fn history<'a>(
        &'a self,
        channel: &'a ChannelName,
        query: HistoryQuery<'a>,
    ) -> BoxFuture<'a, HistoryRead> {
        self.broker.history(channel, self.query(query))
    }

    fn remove_history<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<(), Error>> {
        if self.has(Fault::RemovalIgnored) {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.broker.remove_history(channel)
    }
}

impl Presence for Skewed {
    fn add<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &'a ClientId,
        info: Arc<ClientInfo>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if self.fault == Fault::FirstInfoStays
                && self.presence.members(channel).await?.contains_key(client)
            {
                return Ok(());
            }
            self.presence.add(channel, client, info).await
        })
    }

    fn remove<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &'a ClientId,
    ) -> BoxFuture<'a, Result<(), Error>> {
        if self.has(Fault::MembersStay) {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.presence.remove(channel, client)
    }

    fn members<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<Members, Error>> {
        self.presence.members(channel)
    }

    fn stats<'a>(
        &'a self,
        channel: &'a ChannelName,
    ) -> BoxFuture<'a, Result<PresenceStats, Error>> {
        Box::pin(async move {
            let mut stats = self.presence.stats(channel).await?;
            if self.fault == Fault::UsersNotCounted {
                stats.users = stats.clients;
            }
            Ok(stats)
        })
    }
}

impl Registry for Skewed {
    fn announce(&self, gateway: Gateway) -> BoxFuture<'_, Result<(), Error>> {
        self.registry.announce(gateway)
    }

    fn withdraw<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        if self.has(Fault::GatewaysStay) {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.registry.withdraw(id)
    }

    fn gateways(&self) -> BoxFuture<'_, Result<Vec<Gateway>, Error>> {
        Box::pin(async move {
            let mut gateways = self.registry.gateways().await?;
            if self.fault == Fault::GatewaysUnordered {
                gateways.reverse();
            }
            Ok(gateways)
        })
    }
}
