//! What is read from history.

use super::bench::{
    Bench, KEPT, after, before, data_of, everything, found, heard, holds, kept, offsets, same, text,
};
use super::{Check, cases};
use gyre_types::ChannelName;

use super::Failure;
use crate::{Error, HistoryQuery, Order, PublishOptions, Retention};

cases![
    History reading_makes_the_stream,
    History reading_again_finds_the_same_stream,
    History without_a_position_it_is_read_from_either_end,
    History a_limit_is_kept,
    History forward_comes_what_is_after_the_position,
    History backwards_comes_what_is_before_the_position,
    History a_limit_counts_from_the_position,
    History only_the_newest_are_kept,
    History a_smaller_size_trims_at_once,
    History what_was_trimmed_is_left_out,
    History another_epoch_is_unrecoverable,
    History the_epoch_of_the_stream_and_none_are_found,
    History what_was_handed_over_is_found,
    History what_others_published_before_is_found_by_who_subscribes,
    History removal_keeps_the_position,
    History removal_makes_no_stream,
];

async fn reading_makes_the_stream(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("new").await?;
    let history = bench.read_all(&channel).await?;
    same("offset", history.top.offset, 0)?;
    same("publications", history.publications.len(), 0)?;
    holds("there is an epoch", !history.top.epoch.is_empty())?;
    let first = bench.keep(&channel, "data").await?;
    same(
        "epoch of the first publication",
        first.epoch,
        history.top.epoch,
    )?;
    same("its offset", first.offset, 1)
}

async fn reading_again_finds_the_same_stream(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("new").await?;
    let first = bench.read_all(&channel).await?;
    let second = bench.read_all(&channel).await?;
    same("top", second.top, first.top)?;
    let other = bench.read_all(&Bench::name("other")?).await?;
    holds(
        "epochs of two channels differ",
        other.top.epoch != first.top.epoch,
    )
}

async fn without_a_position_it_is_read_from_either_end(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("ends").await?;
    let top = bench.fill(&channel, 3).await?;
    let forward = bench.read_all(&channel).await?;
    same("top", forward.top, top)?;
    same("oldest first", offsets(&forward), vec![1, 2, 3])?;
    let data: Vec<String> = forward.publications.iter().map(|p| data_of(p)).collect();
    same(
        "data",
        data,
        vec!["1".to_owned(), "2".to_owned(), "3".to_owned()],
    )?;
    let reverse = bench.read(
        &channel,
        HistoryQuery {
            order: Order::Reverse,
            ..everything()
        },
    );
    same("newest first", offsets(&reverse.await?), vec![3, 2, 1])
}

async fn a_limit_is_kept(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("limits").await?;
    let top = bench.fill(&channel, 3).await?;
    let forward = [
        (0, vec![]),
        (1, vec![1]),
        (2, vec![1, 2]),
        (3, vec![1, 2, 3]),
        (4, vec![1, 2, 3]),
    ];
    let reverse = [
        (0, vec![]),
        (1, vec![3]),
        (2, vec![3, 2]),
        (3, vec![3, 2, 1]),
        (4, vec![3, 2, 1]),
    ];
    for (order, expected) in [(Order::Forward, forward), (Order::Reverse, reverse)] {
        for (limit, expected) in expected {
            let query = HistoryQuery {
                limit: Some(limit),
                order,
                ..everything()
            };
            let history = bench.read(&channel, query).await?;
            same(
                &format!("{order:?}, limit {limit}"),
                offsets(&history),
                expected,
            )?;
            same("top", history.top, top)?;
        }
    }
    Ok(())
}

async fn forward_comes_what_is_after_the_position(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("since").await?;
    let top = bench.fill(&channel, 3).await?;
    let expected = [
        (0, vec![1, 2, 3]),
        (1, vec![2, 3]),
        (2, vec![3]),
        (3, vec![]),
        (4, vec![]),
    ];
    for (since, expected) in expected.into_iter().chain([(u64::MAX, vec![])]) {
        let history = bench.read(&channel, after(since)).await?;
        same(&format!("after {since}"), offsets(&history), expected)?;
        same("top", history.top, top)?;
    }
    Ok(())
}

async fn backwards_comes_what_is_before_the_position(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("since").await?;
    let top = bench.fill(&channel, 3).await?;
    let expected = [
        (0, vec![]),
        (1, vec![]),
        (2, vec![1]),
        (3, vec![2, 1]),
        (4, vec![3, 2, 1]),
        (5, vec![3, 2, 1]),
        (u64::MAX, vec![3, 2, 1]),
    ];
    for (since, expected) in expected {
        let history = bench.read(&channel, before(since)).await?;
        same(&format!("before {since}"), offsets(&history), expected)?;
        same("top", history.top, top)?;
    }
    Ok(())
}

async fn a_limit_counts_from_the_position(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("pages").await?;
    bench.fill(&channel, 5).await?;
    let page = HistoryQuery {
        limit: Some(2),
        ..after(2)
    };
    same(
        "after 2",
        offsets(&bench.read(&channel, page).await?),
        vec![3, 4],
    )?;
    let page = HistoryQuery {
        limit: Some(2),
        ..before(4)
    };
    same(
        "before 4",
        offsets(&bench.read(&channel, page).await?),
        vec![3, 2],
    )
}

async fn only_the_newest_are_kept(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("sized").await?;
    for number in 1..=5_u64 {
        bench.publish(&channel, &text("data"), sized(3)).await?;
        let history = bench.read_all(&channel).await?;
        same(
            "offsets kept",
            offsets(&history),
            (number.saturating_sub(2).max(1)..=number).collect(),
        )?;
        same("top", history.top.offset, number)?;
    }
    Ok(())
}

async fn a_smaller_size_trims_at_once(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("sized").await?;
    bench.fill(&channel, 5).await?;
    bench.publish(&channel, &text("data"), sized(2)).await?;
    same(
        "offsets kept",
        offsets(&bench.read_all(&channel).await?),
        vec![5, 6],
    )?;
    bench.publish(&channel, &text("data"), sized(10)).await?;
    same(
        "offsets kept",
        offsets(&bench.read_all(&channel).await?),
        vec![5, 6, 7],
    )
}

async fn what_was_trimmed_is_left_out(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("trimmed").await?;
    for _ in 0..5 {
        bench.publish(&channel, &text("data"), sized(2)).await?;
    }
    for since in [0, 1, 2, 3] {
        let history = bench.read(&channel, after(since)).await?;
        same(&format!("after {since}"), offsets(&history), vec![4, 5])?;
    }
    let page = HistoryQuery {
        limit: Some(1),
        ..after(1)
    };
    same(
        "one after 1",
        offsets(&bench.read(&channel, page).await?),
        vec![4],
    )?;
    for (since, expected) in [(3, vec![]), (4, vec![]), (5, vec![4]), (6, vec![5, 4])] {
        let history = bench.read(&channel, before(since)).await?;
        same(&format!("before {since}"), offsets(&history), expected)?;
    }
    Ok(())
}

async fn another_epoch_is_unrecoverable(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("epochs").await?;
    let top = bench.fill(&channel, 3).await?;
    let long = "another epoch, longer than any that we make";
    for (epoch, order, limit) in [
        ("another", Order::Forward, None),
        ("another", Order::Reverse, Some(1)),
        ("another", Order::Forward, Some(0)),
        (long, Order::Forward, None),
    ] {
        let query = HistoryQuery {
            since: Some((2, epoch)),
            order,
            limit,
            ..everything()
        };
        match bench.read(&channel, query).await {
            Err(Error::UnrecoverablePosition { top: now }) => same("top", now, top)?,
            other => same(
                &format!("{order:?} with limit {limit:?} and epoch «{epoch}»"),
                format!("{other:?}"),
                "an unrecoverable position".to_owned(),
            )?,
        }
    }
    Ok(())
}

async fn the_epoch_of_the_stream_and_none_are_found(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("epochs").await?;
    let top = bench.fill(&channel, 3).await?;
    for epoch in [top.epoch.as_str(), ""] {
        let query = HistoryQuery {
            since: Some((2, epoch)),
            ..everything()
        };
        let history = bench.read(&channel, query).await?;
        same(&format!("after 2 of «{epoch}»"), offsets(&history), vec![3])?;
    }
    Ok(())
}

/// What a subscriber finds after an offset.
async fn heard_after(
    bench: &Bench<'_>,
    channel: &ChannelName,
    offset: u64,
) -> Result<Vec<u64>, Failure> {
    let query = heard(after(offset), KEPT);
    Ok(offsets(&bench.read(channel, query).await?))
}

async fn what_was_handed_over_is_found(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("heard").await?;
    bench.fill(&channel, 3).await?;
    bench.arrivals(&channel, 3).await?;
    // Some of these are answered by what is known from the others.
    for offset in [2, 0, 1, 3, 0] {
        let expected: Vec<u64> = (offset + 1..=3).collect();
        let found = heard_after(bench, &channel, offset).await?;
        same("after an offset", found, expected)?;
    }
    let top = bench.keep(&channel, "4").await?;
    bench.arrivals(&channel, 4).await?;
    let found = heard_after(bench, &channel, 1).await?;
    same("with one more", found, vec![2, 3, 4])?;
    let limited = HistoryQuery {
        limit: Some(1),
        ..after(1)
    };
    let found = bench.read(&channel, heard(limited, KEPT)).await?;
    same("one", offsets(&found), vec![2])?;
    same("top", found.top, top)?;
    let newest = HistoryQuery {
        limit: Some(2),
        order: Order::Reverse,
        ..everything()
    };
    let found = bench.read(&channel, heard(newest, KEPT)).await?;
    same("newest", offsets(&found), vec![4, 3])?;
    let position = HistoryQuery {
        limit: Some(0),
        ..everything()
    };
    let found = bench.read(&channel, heard(position, KEPT)).await?;
    same("top alone", found.top, top)?;
    bench.engine.broker.remove_history(&channel).await?;
    let found = bench.read(&channel, heard(after(1), KEPT)).await?;
    same("after the removal", offsets(&found), vec![])?;
    same("top then", found.top, top)?;
    bench.keep(&channel, "5").await?;
    bench.arrivals(&channel, 5).await?;
    same("later", heard_after(bench, &channel, 1).await?, vec![5])
}

async fn what_others_published_before_is_found_by_who_subscribes(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("before")?;
    bench.fill(&channel, 3).await?;
    let found = heard_after(bench, &channel, 1).await?;
    same("without a subscriber", found, vec![2, 3])?;
    bench.engine.broker.subscribe(&channel).await?;
    for offset in [2, 0, 1] {
        let expected: Vec<u64> = (offset + 1..=3).collect();
        let found = heard_after(bench, &channel, offset).await?;
        same("with one", found, expected)?;
    }
    let small = Retention { size: 2, ..KEPT };
    let options = PublishOptions {
        retention: Some(small),
        ..PublishOptions::default()
    };
    bench.publish(&channel, &text("4"), options).await?;
    bench.arrivals(&channel, 1).await?;
    for offset in [0, 1, 2, 3] {
        let found = bench.read(&channel, heard(after(offset), small)).await?;
        let expected: Vec<u64> = (offset.max(2) + 1..=4).collect();
        same("of two that are kept", offsets(&found), expected)?;
    }
    Ok(())
}

async fn removal_keeps_the_position(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("removed").await?;
    let top = bench.fill(&channel, 3).await?;
    bench.engine.broker.remove_history(&channel).await?;
    let history = bench.read_all(&channel).await?;
    same("publications", offsets(&history), vec![])?;
    same("top", history.top, top)?;
    let next = bench.publish(&channel, &text("data"), kept()).await?;
    let next = found("position", next.position)?;
    same("next position", (next.offset, next.epoch), (4, top.epoch))?;
    same(
        "after it",
        offsets(&bench.read(&channel, after(1)).await?),
        vec![4],
    )?;
    same(
        "before 4",
        offsets(&bench.read(&channel, before(4)).await?),
        vec![],
    )
}

async fn removal_makes_no_stream(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("removed").await?;
    bench.engine.broker.remove_history(&channel).await?;
    let first = bench.keep(&channel, "data").await?;
    same("first offset", first.offset, 1)
}

fn sized(size: u32) -> PublishOptions<'static> {
    PublishOptions {
        retention: Some(Retention { size, ..KEPT }),
        ..kept()
    }
}
