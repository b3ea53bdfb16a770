//! What is not published though all is well: idempotency keys and versions.

use std::sync::Arc;
use std::time::Duration;

use gyre_types::ChannelName;

use super::bench::{Bench, KEPT, found, kept, same, strings, text, versioned};
use super::{Check, Failure, cases};
use crate::{BoxFuture, Publish, PublishOptions, Published, Retention, Suppressed};

cases![
    History a_key_repeated_answers_with_the_first_place,
    Nothing a_key_repeated_without_history_is_suppressed,
    History a_key_is_of_its_channel,
    Nothing no_key_is_not_a_key,
    Nothing a_key_is_forgotten_after_its_time,
    Nothing a_key_used_at_once_is_used_once,
    History a_version_not_above_the_stored_one_is_suppressed,
    History large_versions_are_exact,
    History another_version_epoch_begins_again,
    History an_empty_version_epoch_matches_any,
    History a_publication_without_version_leaves_it_alone,
    History without_history_versions_do_not_count,
    History a_version_outlives_the_removal_of_history,
    History a_version_ends_with_the_stream,
    History a_key_is_looked_up_before_the_version,
    History what_a_version_suppressed_leaves_no_key,
];

fn keyed(key: &str) -> PublishOptions<'_> {
    PublishOptions {
        idempotency_key: key,
        ..kept()
    }
}

fn passing(key: &str) -> PublishOptions<'_> {
    PublishOptions {
        idempotency_key: key,
        ..PublishOptions::default()
    }
}

fn in_epoch(version_epoch: &str) -> PublishOptions<'_> {
    PublishOptions {
        version_epoch,
        ..kept()
    }
}

async fn a_key_repeated_answers_with_the_first_place(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("keys").await?;
    let first = bench.publish(&channel, &text("a"), keyed("key")).await?;
    same("suppressed at first", first.suppressed, None)?;
    bench.publish(&channel, &text("b"), keyed("other")).await?;

    let again = bench
        .publish(&channel, &text("another"), keyed("key"))
        .await?;
    same(
        "suppressed",
        again.suppressed,
        Some(Suppressed::Idempotency),
    )?;
    same("position", again.position, first.position)?;
    let next = bench.keep(&channel, "c").await?;
    same("offset after it", next.offset, 3)?;
    same(
        "arrived",
        bench.data_until_now(&channel).await?,
        strings(["a", "b", "c"]),
    )
}

async fn a_key_repeated_without_history_is_suppressed(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("keys").await?;
    bench.publish(&channel, &text("a"), passing("key")).await?;
    let again = bench.publish(&channel, &text("b"), passing("key")).await?;
    let expected = Published {
        position: None,
        suppressed: Some(Suppressed::Idempotency),
    };
    same("answer", again, expected)?;
    same(
        "arrived",
        bench.data_until_now(&channel).await?,
        strings(["a"]),
    )
}

async fn a_key_is_of_its_channel(bench: &Bench<'_>) -> Check {
    let (one, other) = (bench.channel("one").await?, bench.channel("other").await?);
    bench.publish(&one, &text("data"), keyed("key")).await?;
    let published = bench.publish(&other, &text("data"), keyed("key")).await?;
    same("suppressed", published.suppressed, None)
}

async fn no_key_is_not_a_key(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("keys").await?;
    bench.publish(&channel, &text("a"), passing("")).await?;
    let again = bench.publish(&channel, &text("a"), passing("")).await?;
    same("suppressed", again.suppressed, None)
}

async fn a_key_is_forgotten_after_its_time(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("keys").await?;
    let options = PublishOptions {
        idempotency_ttl: Duration::from_secs(2),
        ..passing("key")
    };
    bench.publish(&channel, &text("a"), options).await?;
    bench.advance(Duration::from_secs(1)).await;
    let early = bench.publish(&channel, &text("b"), options).await?;
    same(
        "suppressed within its time",
        early.suppressed,
        Some(Suppressed::Idempotency),
    )?;
    // The repetition has not renewed it.
    bench.advance(Duration::from_millis(1500)).await;
    let late = bench.publish(&channel, &text("c"), options).await?;
    same("suppressed after its time", late.suppressed, None)?;
    same(
        "arrived",
        bench.data_until_now(&channel).await?,
        strings(["a", "c"]),
    )
}

async fn a_key_used_at_once_is_used_once(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("keys").await?;
    let task = |_| -> BoxFuture<'static, ()> {
        let broker = Arc::clone(&bench.engine.broker);
        let channel = channel.clone();
        Box::pin(async move {
            for number in 0..50 {
                let (key, publication) = (format!("key {number}"), text("data"));
                let publish = Publish {
                    publication: &publication,
                    options: passing(&key),
                };
                // One that fails does not arrive, which is what the case looks at.
                let _ = broker.publish(&channel, publish).await;
            }
        })
    };
    bench.at_once((0..4).map(task).collect()).await;
    same("arrived", bench.data_until_now(&channel).await?.len(), 50)
}

async fn a_version_not_above_the_stored_one_is_suppressed(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("versions").await?;
    bench
        .publish(&channel, &versioned("five", 5), kept())
        .await?;
    let top = bench.keep(&channel, "none").await?;
    for version in [5, 4, 1] {
        let published = bench
            .publish(&channel, &versioned("old", version), kept())
            .await?;
        let expected = Published {
            position: Some(top),
            suppressed: Some(Suppressed::Version),
        };
        same("answer to an old version", published, expected)?;
    }
    accepted(bench, &channel, 6, kept()).await?;
    same(
        "arrived",
        bench.data_until_now(&channel).await?,
        strings(["five", "none", "new"]),
    )
}

async fn large_versions_are_exact(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("versions").await?;
    // Above 2^53, where a floating point number would not tell them apart.
    accepted(bench, &channel, (1 << 53) + 2, kept()).await?;
    suppressed(bench, &channel, (1 << 53) + 1, kept()).await?;
    accepted(bench, &channel, (1 << 53) + 3, kept()).await?;
    accepted(bench, &channel, u64::MAX, kept()).await?;
    suppressed(bench, &channel, u64::MAX - 1, kept()).await
}

async fn another_version_epoch_begins_again(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("versions").await?;
    accepted(bench, &channel, 5, in_epoch("a")).await?;
    accepted(bench, &channel, 2, in_epoch("b")).await?;
    suppressed(bench, &channel, 2, in_epoch("b")).await?;
    // The epoch before is forgotten.
    accepted(bench, &channel, 1, in_epoch("a")).await
}

async fn an_empty_version_epoch_matches_any(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("versions").await?;
    accepted(bench, &channel, 5, in_epoch("a")).await?;
    suppressed(bench, &channel, 5, in_epoch("")).await?;
    accepted(bench, &channel, 6, in_epoch("")).await?;
    // It is stored like any other, and now it is not the epoch «a».
    accepted(bench, &channel, 1, in_epoch("a")).await
}

async fn a_publication_without_version_leaves_it_alone(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("versions").await?;
    accepted(bench, &channel, 5, in_epoch("a")).await?;
    bench
        .publish(&channel, &text("data"), in_epoch("b"))
        .await?;
    suppressed(bench, &channel, 5, in_epoch("a")).await
}

async fn without_history_versions_do_not_count(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("versions").await?;
    accepted(bench, &channel, 5, PublishOptions::default()).await?;
    accepted(bench, &channel, 5, PublishOptions::default()).await?;
    // Nor are they stored.
    accepted(bench, &channel, 3, kept()).await?;
    accepted(bench, &channel, 2, PublishOptions::default()).await?;
    same("offset", bench.read_all(&channel).await?.top.offset, 1)
}

async fn a_version_outlives_the_removal_of_history(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("versions").await?;
    accepted(bench, &channel, 5, kept()).await?;
    bench.engine.broker.remove_history(&channel).await?;
    suppressed(bench, &channel, 5, kept()).await
}

async fn a_version_ends_with_the_stream(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("versions").await?;
    let second = Duration::from_secs(1);
    let retention = Retention {
        ttl: second,
        meta_ttl: Some(second),
        ..KEPT
    };
    let short = PublishOptions {
        retention: Some(retention),
        ..kept()
    };
    accepted(bench, &channel, 5, short).await?;
    bench.advance(second * 2).await;
    accepted(bench, &channel, 1, short).await
}

async fn a_key_is_looked_up_before_the_version(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("both").await?;
    let first = bench
        .publish(&channel, &versioned("a", 1), keyed("key"))
        .await?;
    bench.publish(&channel, &versioned("b", 2), kept()).await?;
    let again = bench
        .publish(&channel, &versioned("a", 1), keyed("key"))
        .await?;
    let expected = Published {
        position: Some(found("position", first.position)?),
        suppressed: Some(Suppressed::Idempotency),
    };
    same("answer", again, expected)
}

async fn what_a_version_suppressed_leaves_no_key(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("both").await?;
    accepted(bench, &channel, 5, kept()).await?;
    suppressed(bench, &channel, 5, keyed("key")).await?;
    accepted(bench, &channel, 6, keyed("key")).await
}

async fn accepted(
    bench: &Bench<'_>,
    channel: &ChannelName,
    version: u64,
    options: PublishOptions<'_>,
) -> Check {
    outcome(bench, channel, version, options, None).await
}

async fn suppressed(
    bench: &Bench<'_>,
    channel: &ChannelName,
    version: u64,
    options: PublishOptions<'_>,
) -> Check {
    outcome(bench, channel, version, options, Some(Suppressed::Version)).await
}

async fn outcome(
    bench: &Bench<'_>,
    channel: &ChannelName,
    version: u64,
    options: PublishOptions<'_>,
    expected: Option<Suppressed>,
) -> Result<(), Failure> {
    let published = bench
        .publish(channel, &versioned("new", version), options)
        .await?;
    let what = format!(
        "what suppressed version {version} of epoch «{}»",
        options.version_epoch
    );
    same(&what, published.suppressed, expected)
}
