//! What ends with time.
//!
//! The times are a second and more, and the steps lie half a second beside them, so that an engine
//! that really waits and counts in whole seconds is not asked for more than it promises.

use std::time::Duration;

use super::bench::{Bench, KEPT, after, found, heard, holds, kept, offsets, same, text};
use super::{Check, cases};
use crate::{History, HistoryQuery, PublishOptions, Retention};

cases![
    History publications_end_after_their_time,
    History what_was_handed_over_ends_too,
    History a_publication_renews_all,
    History reading_does_not_renew_publications,
    History what_ended_is_no_previous_publication,
    History a_stream_ends_after_its_time,
    History a_stream_that_ended_begins_again_by_publishing,
    History publishing_renews_the_stream,
    History reading_renews_the_stream,
    History a_stream_that_was_only_read_ends_too,
    History removal_does_not_renew_the_stream,
    History a_stream_without_an_end_stays,
];

const SECOND: Duration = Duration::from_secs(1);
const HALF: Duration = Duration::from_millis(500);

async fn publications_end_after_their_time(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("ttl").await?;
    bench
        .publish(&channel, &text("a"), lasting(2 * SECOND, 60 * SECOND))
        .await?;
    bench.advance(SECOND).await;
    let early = bench.read_all(&channel).await?;
    same("kept within their time", offsets(&early), vec![1])?;
    bench.advance(SECOND + HALF).await;
    let late = bench.read_all(&channel).await?;
    same("kept after their time", offsets(&late), vec![])?;
    same("top after their time", late.top, early.top)?;
    let next = bench.keep(&channel, "b").await?;
    same(
        "next position",
        (next.offset, next.epoch),
        (2, early.top.epoch),
    )?;
    same(
        "kept then",
        offsets(&bench.read_all(&channel).await?),
        vec![2],
    )
}

async fn what_was_handed_over_ends_too(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("ttl").await?;
    let retention = Retention {
        size: 10,
        ttl: 2 * SECOND,
        meta_ttl: Some(60 * SECOND),
    };
    let options = lasting(2 * SECOND, 60 * SECOND);
    bench.publish(&channel, &text("a"), options).await?;
    bench.publish(&channel, &text("b"), options).await?;
    bench.arrivals(&channel, 2).await?;
    bench.advance(SECOND).await;
    for _ in 0..2 {
        let early = bench.read(&channel, heard(after(0), retention)).await?;
        same("within their time", offsets(&early), vec![1, 2])?;
    }
    bench.advance(SECOND + HALF).await;
    let late = bench.read(&channel, heard(after(0), retention)).await?;
    same("after their time", offsets(&late), vec![])?;
    same("top after their time", late.top.offset, 2)
}

async fn a_publication_renews_all(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("ttl").await?;
    let options = lasting(2 * SECOND, 60 * SECOND);
    bench.publish(&channel, &text("a"), options).await?;
    bench.advance(SECOND + HALF).await;
    bench.publish(&channel, &text("b"), options).await?;
    bench.advance(SECOND).await;
    same(
        "kept",
        offsets(&bench.read_all(&channel).await?),
        vec![1, 2],
    )
}

async fn reading_does_not_renew_publications(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("ttl").await?;
    bench
        .publish(&channel, &text("a"), lasting(2 * SECOND, 60 * SECOND))
        .await?;
    bench.advance(SECOND).await;
    bench.read_all(&channel).await?;
    bench.advance(SECOND + HALF).await;
    same("kept", offsets(&bench.read_all(&channel).await?), vec![])
}

async fn what_ended_is_no_previous_publication(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("ttl").await?;
    let options = PublishOptions {
        with_previous: true,
        ..lasting(SECOND, 60 * SECOND)
    };
    bench.publish(&channel, &text("a"), options).await?;
    bench.advance(SECOND + HALF).await;
    bench.publish(&channel, &text("b"), options).await?;
    let last = found("delivery", bench.delivered(&channel, 2).await?.pop())?;
    holds("nothing comes along", last.previous.is_none())
}

async fn a_stream_ends_after_its_time(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("meta").await?;
    let first = bench
        .publish(&channel, &text("a"), lasting(SECOND, 2 * SECOND))
        .await?;
    let first = found("position", first.position)?;
    bench.advance(2 * SECOND + HALF).await;
    let history = bench.read_all(&channel).await?;
    same("offset", history.top.offset, 0)?;
    same("publications", offsets(&history), vec![])?;
    holds("the epoch is new", history.top.epoch != first.epoch)
}

async fn a_stream_that_ended_begins_again_by_publishing(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("meta").await?;
    let options = lasting(2 * SECOND, 2 * SECOND);
    let first = bench.publish(&channel, &text("a"), options).await?;
    let first = found("position", first.position)?;
    bench.advance(2 * SECOND + HALF).await;
    let second = bench.publish(&channel, &text("b"), options).await?;
    let second = found("position", second.position)?;
    same("offset", second.offset, 1)?;
    holds("the epoch is new", second.epoch != first.epoch)?;
    same("kept", offsets(&bench.read_all(&channel).await?), vec![1])?;
    let last = found("delivery", bench.delivered(&channel, 2).await?.pop())?;
    same("epoch delivered", last.epoch, second.epoch)?;
    same(
        "epoch in the publication",
        &*last.publication.epoch,
        second.epoch.as_str(),
    )
}

async fn publishing_renews_the_stream(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("meta").await?;
    let options = lasting(SECOND, 2 * SECOND);
    for _ in 0..3 {
        bench.publish(&channel, &text("a"), options).await?;
        bench.advance(SECOND + HALF).await;
    }
    same("offset", bench.read_all(&channel).await?.top.offset, 3)
}

async fn reading_renews_the_stream(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("meta").await?;
    bench
        .publish(&channel, &text("a"), lasting(SECOND, 2 * SECOND))
        .await?;
    for _ in 0..2 {
        bench.advance(SECOND + HALF).await;
        let history = read_for(bench, &channel, 2 * SECOND).await?;
        same("offset", history.top.offset, 1)?;
    }
    Ok(())
}

async fn a_stream_that_was_only_read_ends_too(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("meta").await?;
    let first = read_for(bench, &channel, 2 * SECOND).await?;
    bench.advance(SECOND).await;
    let second = read_for(bench, &channel, SECOND).await?;
    same("epoch within its time", second.top.epoch, first.top.epoch)?;
    // The last read decides, though it gave less time than the one before.
    bench.advance(SECOND + HALF).await;
    let third = read_for(bench, &channel, SECOND).await?;
    holds("the epoch is new", third.top.epoch != first.top.epoch)
}

async fn removal_does_not_renew_the_stream(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("meta").await?;
    let first = read_for(bench, &channel, 2 * SECOND).await?;
    bench.advance(SECOND + HALF).await;
    bench.engine.broker.remove_history(&channel).await?;
    bench.advance(SECOND).await;
    let second = read_for(bench, &channel, SECOND).await?;
    holds("the epoch is new", second.top.epoch != first.top.epoch)
}

async fn a_stream_without_an_end_stays(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("meta").await?;
    let first = read_for(bench, &channel, SECOND).await?;
    let retention = Retention {
        ttl: SECOND,
        meta_ttl: None,
        ..KEPT
    };
    let options = PublishOptions {
        retention: Some(retention),
        ..kept()
    };
    bench.publish(&channel, &text("a"), options).await?;
    bench.advance(3 * SECOND).await;
    let history = bench.read_all(&channel).await?;
    same(
        "top",
        (history.top.offset, history.top.epoch),
        (1, first.top.epoch),
    )
}

/// Reads the position, which gives the stream so much time.
async fn read_for(
    bench: &Bench<'_>,
    channel: &gyre_types::ChannelName,
    meta_ttl: Duration,
) -> Result<History, super::Failure> {
    let query = HistoryQuery {
        limit: Some(0),
        meta_ttl: Some(meta_ttl),
        ..HistoryQuery::default()
    };
    Ok(bench.read(channel, query).await?)
}

fn lasting(ttl: Duration, meta_ttl: Duration) -> PublishOptions<'static> {
    let retention = Retention {
        ttl,
        meta_ttl: Some(meta_ttl),
        ..KEPT
    };
    PublishOptions {
        retention: Some(retention),
        ..kept()
    }
}
