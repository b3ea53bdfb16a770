//! Publishing and what arrives of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use gyre_protocol::messages::Publication;
use gyre_types::{ChannelName, Position};

use super::bench::{
    Bench, client, data, data_of, found, holds, kept, offsets, same, strings, text, versioned,
};
use super::recorder::Arrival;
use super::{Check, cases};
use crate::{BoxFuture, Broker, Delivered, Publish, PublishOptions, Published, Retention};

cases![
    History offsets_begin_at_one_and_have_no_holes,
    History delivery_and_history_have_the_position_that_was_answered,
    History the_first_publication_carries_the_epoch,
    History all_of_a_publication_arrives,
    History only_the_engine_stamps,
    Nothing without_history_there_is_no_position,
    History without_history_the_stream_stays_as_it_was,
    Nothing one_publisher_is_heard_in_its_order,
    History one_publisher_is_heard_in_its_order_with_history,
    History publishers_at_once_make_one_stream,
    Nothing publishers_at_once_do_not_overlap_in_the_inlet,
    History channels_are_independent,
    History the_previous_publication_comes_along_if_asked_for,
    History the_previous_publication_comes_along_though_only_one_is_kept,
    History many_channels_are_answered_in_their_order,
    Nothing a_broadcast_reaches_every_channel,
    Nothing many_channels_may_be_none,
    Nothing joins_and_leaves_arrive,
    Nothing a_subscriber_that_goes_leaves_the_others,
    Nothing a_channel_can_be_subscribed_again,
];

async fn offsets_begin_at_one_and_have_no_holes(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("offsets").await?;
    for expected in 1..=20 {
        let position = bench.keep(&channel, "data").await?;
        same("offset", position.offset, expected)?;
    }
    Ok(())
}

async fn delivery_and_history_have_the_position_that_was_answered(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("agree").await?;
    let first = bench.keep(&channel, "a").await?;
    let second = bench.keep(&channel, "b").await?;
    holds("there is an epoch", !first.epoch.is_empty())?;
    same("epoch of the second", second.epoch, first.epoch)?;

    let delivered = bench.delivered(&channel, 2).await?;
    let positions: Vec<Position> = delivered.iter().map(position_of).collect();
    same("positions delivered", positions, vec![first, second])?;

    let history = bench.read_all(&channel).await?;
    same("top", history.top, second)?;
    let delivered: Vec<Publication> = delivered.iter().map(publication_of).collect();
    let stored: Vec<Publication> = history.publications.iter().map(|p| (**p).clone()).collect();
    same("publications in history", stored, delivered)
}

async fn the_first_publication_carries_the_epoch(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("first").await?;
    let epoch = bench.fill(&channel, 3).await?.epoch;
    let expected = vec![epoch.as_str().to_owned(), String::new(), String::new()];

    let delivered = bench.delivered(&channel, 3).await?;
    let epochs: Vec<String> = delivered
        .iter()
        .map(|d| d.publication.epoch.to_string())
        .collect();
    same(
        "epochs in the publications delivered",
        epochs,
        expected.clone(),
    )?;

    let history = bench.read_all(&channel).await?;
    let epochs: Vec<String> = history
        .publications
        .iter()
        .map(|p| p.epoch.to_string())
        .collect();
    same("epochs in the publications kept", epochs, expected)
}

async fn all_of_a_publication_arrives(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("all").await?;
    let sent = Publication {
        data: Bytes::from_static(b"\x00\xffany bytes"),
        info: Some(Arc::new(client("user", "client"))),
        tags: BTreeMap::from([("lang".to_owned(), "de".to_owned())]),
        version: 7,
        ..Publication::default()
    };
    bench.publish(&channel, &sent, kept()).await?;
    bench
        .publish(&channel, &sent, PublishOptions::default())
        .await?;
    for delivered in bench.delivered(&channel, 2).await? {
        same(
            "what arrived",
            without_stamps(&delivered.publication),
            sent.clone(),
        )?;
    }
    for stored in bench.read_all(&channel).await?.publications {
        same("what is kept", without_stamps(&stored), sent.clone())?;
    }
    Ok(())
}

async fn only_the_engine_stamps(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("stamps").await?;
    let sent = Publication {
        offset: 99,
        epoch: "false".into(),
        time: -1,
        ..text("data")
    };
    bench
        .publish(&channel, &sent, PublishOptions::default())
        .await?;
    let first = bench.publish(&channel, &sent, kept()).await?;
    bench.publish(&channel, &sent, kept()).await?;
    let epoch = found("position", first.position)?.epoch;

    let delivered = bench.delivered(&channel, 3).await?;
    let stamps: Vec<(u64, String)> = delivered
        .iter()
        .map(|d| (d.publication.offset, d.publication.epoch.to_string()))
        .collect();
    let expected = vec![
        (0, String::new()),
        (1, epoch.as_str().to_owned()),
        (2, String::new()),
    ];
    same("offsets and epochs", stamps, expected)?;
    holds(
        "times are of this century",
        delivered.iter().all(|d| d.publication.time > 0),
    )
}

async fn without_history_there_is_no_position(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("passing").await?;
    let published = bench
        .publish(&channel, &versioned("data", 3), PublishOptions::default())
        .await?;
    same("answer", published, Published::default())?;
    let delivered = bench.delivered(&channel, 1).await?;
    let positions: Vec<Position> = delivered.iter().map(position_of).collect();
    same("position delivered", positions, vec![Position::default()])
}

async fn without_history_the_stream_stays_as_it_was(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("mixed").await?;
    bench.keep(&channel, "a").await?;
    bench
        .publish(&channel, &text("passing"), PublishOptions::default())
        .await?;
    let top = bench.keep(&channel, "b").await?;
    same("offset after it", top.offset, 2)?;
    let history = bench.read_all(&channel).await?;
    same("offsets kept", offsets(&history), vec![1, 2])?;
    same(
        "all arrived",
        data(&bench.arrivals(&channel, 3).await?),
        strings(["a", "passing", "b"]),
    )
}

async fn one_publisher_is_heard_in_its_order(bench: &Bench<'_>) -> Check {
    in_order(bench, &[PublishOptions::default()]).await
}

async fn one_publisher_is_heard_in_its_order_with_history(bench: &Bench<'_>) -> Check {
    in_order(bench, &[kept(), PublishOptions::default(), kept()]).await
}

async fn in_order(bench: &Bench<'_>, options: &[PublishOptions<'_>]) -> Check {
    let channel = bench.channel("order").await?;
    let who = client("user", "client");
    let mut expected = Vec::new();
    for (number, options) in (0..60).zip(options.iter().cycle()) {
        let name = number.to_string();
        bench.publish(&channel, &text(&name), *options).await?;
        bench.engine.broker.publish_join(&channel, &who).await?;
        bench.engine.broker.publish_leave(&channel, &who).await?;
        expected.extend([name, "join".to_owned(), "leave".to_owned()]);
    }
    let arrivals = bench.arrivals(&channel, expected.len()).await?;
    same("order", arrivals.iter().map(label).collect(), expected)
}

async fn publishers_at_once_make_one_stream(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("race").await?;
    publish_at_once(bench, &channel, kept()).await;
    let delivered = bench.delivered(&channel, PUBLISHERS * EACH).await?;
    let arrived: Vec<u64> = delivered.iter().map(|d| d.publication.offset).collect();
    same(
        "offsets in the order of arrival",
        arrived,
        (1..=(PUBLISHERS * EACH) as u64).collect(),
    )?;
    each_in_its_order(
        &delivered
            .iter()
            .map(|d| data_of(&d.publication))
            .collect::<Vec<_>>(),
    )?;

    let history = bench.read_all(&channel).await?;
    let delivered: Vec<Publication> = delivered.iter().map(publication_of).collect();
    let stored: Vec<Publication> = history.publications.iter().map(|p| (**p).clone()).collect();
    same("publications in history", stored, delivered)
}

async fn publishers_at_once_do_not_overlap_in_the_inlet(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("race").await?;
    publish_at_once(bench, &channel, PublishOptions::default()).await;
    let arrivals = bench.arrivals(&channel, PUBLISHERS * EACH).await?;
    each_in_its_order(&data(&arrivals))
}

const PUBLISHERS: usize = 4;
const EACH: usize = 100;

/// Every publisher sends «publisher number» for its numbers.
async fn publish_at_once(
    bench: &Bench<'_>,
    channel: &ChannelName,
    options: PublishOptions<'static>,
) {
    let task = |publisher: usize| -> BoxFuture<'static, ()> {
        let broker = Arc::clone(&bench.engine.broker);
        let channel = channel.clone();
        Box::pin(async move {
            for number in 0..EACH {
                // One that fails does not arrive, which is what the case looks at.
                let _ = send(
                    &*broker,
                    &channel,
                    &format!("{publisher} {number}"),
                    options,
                )
                .await;
            }
        })
    };
    bench.at_once((0..PUBLISHERS).map(task).collect()).await;
}

async fn send(
    broker: &dyn Broker,
    channel: &ChannelName,
    data: &str,
    options: PublishOptions<'_>,
) -> Result<Published, crate::Error> {
    let publication = text(data);
    let publish = Publish {
        publication: &publication,
        options,
    };
    broker.publish(channel, publish).await
}

fn each_in_its_order(arrived: &[String]) -> Check {
    for publisher in 0..PUBLISHERS {
        let prefix = format!("{publisher} ");
        let own: Vec<&str> = arrived
            .iter()
            .filter_map(|one| one.strip_prefix(&prefix))
            .collect();
        let expected: Vec<String> = (0..EACH).map(|number| number.to_string()).collect();
        same(
            "order of one publisher",
            own,
            expected.iter().map(String::as_str).collect(),
        )?;
    }
    Ok(())
}

async fn channels_are_independent(bench: &Bench<'_>) -> Check {
    let (one, other) = (bench.channel("one").await?, bench.channel("other").await?);
    let top = bench.fill(&one, 3).await?;
    let first = bench.keep(&other, "data").await?;
    same("offset of the other channel", first.offset, 1)?;
    holds("epochs differ", first.epoch != top.epoch)?;
    bench.engine.broker.remove_history(&other).await?;
    same(
        "offsets kept",
        offsets(&bench.read_all(&one).await?),
        vec![1, 2, 3],
    )
}

async fn the_previous_publication_comes_along_if_asked_for(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("previous").await?;
    let asked = PublishOptions {
        with_previous: true,
        ..kept()
    };
    bench.publish(&channel, &text("a"), asked).await?;
    bench.publish(&channel, &text("b"), asked).await?;
    bench.publish(&channel, &text("c"), kept()).await?;
    bench.publish(&channel, &text("d"), asked).await?;
    bench.engine.broker.remove_history(&channel).await?;
    bench.publish(&channel, &text("e"), asked).await?;
    same(
        "previous",
        previous(&bench.delivered(&channel, 5).await?),
        strings(["", "a", "", "c", ""]),
    )
}

async fn the_previous_publication_comes_along_though_only_one_is_kept(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("previous").await?;
    let retention = Retention {
        size: 1,
        ..super::bench::KEPT
    };
    let options = PublishOptions {
        with_previous: true,
        retention: Some(retention),
        ..kept()
    };
    bench.publish(&channel, &text("a"), options).await?;
    bench.publish(&channel, &text("b"), options).await?;
    same(
        "previous",
        previous(&bench.delivered(&channel, 2).await?),
        strings(["", "a"]),
    )?;
    same(
        "offsets kept",
        offsets(&bench.read_all(&channel).await?),
        vec![2],
    )
}

async fn many_channels_are_answered_in_their_order(bench: &Bench<'_>) -> Check {
    let channels = [
        (bench.channel("a").await?, kept()),
        (bench.channel("b").await?, PublishOptions::default()),
        (
            bench.channel("c").await?,
            PublishOptions {
                idempotency_key: "key",
                ..kept()
            },
        ),
    ];
    let [a, b, c] = channels.clone();
    bench.fill(&a.0, 4).await?;
    let targets = [a.clone(), b.clone(), c.clone(), a, c];

    let published = bench
        .engine
        .broker
        .publish_to_many(&targets, &text("many"))
        .await;
    let published: Vec<Published> = published.into_iter().collect::<Result<_, _>>()?;
    let places: Vec<(u64, bool)> = published
        .iter()
        .map(|one| {
            (
                one.position.unwrap_or_default().offset,
                one.suppressed.is_some(),
            )
        })
        .collect();
    let expected = vec![(5, false), (0, false), (1, false), (6, false), (1, true)];
    same("offsets, and what was suppressed", places, expected)?;
    for ((channel, _), count) in channels.iter().zip([6, 1, 1]) {
        let last = bench.delivered(channel, count).await?.pop();
        let last = found("last publication", last)?;
        same(
            "data of the last",
            data_of(&last.publication),
            "many".to_owned(),
        )?;
        let top = bench.read_all(channel).await?.top;
        same("top of the stream", top.offset, last.publication.offset)?;
    }
    Ok(())
}

async fn a_broadcast_reaches_every_channel(bench: &Bench<'_>) -> Check {
    let mut targets = Vec::new();
    for number in 0..300 {
        let channel = bench.channel(&number.to_string()).await?;
        targets.push((channel, PublishOptions::default()));
    }
    let published = bench
        .engine
        .broker
        .publish_to_many(&targets, &text("many"))
        .await;
    same("results", published.len(), targets.len())?;
    for (result, (channel, _)) in published.into_iter().zip(&targets) {
        same("answer", result?, Published::default())?;
        same(
            "arrived",
            data(&bench.arrivals(channel, 1).await?),
            strings(["many"]),
        )?;
    }
    Ok(())
}

async fn many_channels_may_be_none(bench: &Bench<'_>) -> Check {
    let published = bench
        .engine
        .broker
        .publish_to_many(&[], &text("many"))
        .await;
    same("results", published.len(), 0)
}

async fn joins_and_leaves_arrive(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("coming").await?;
    let mut who = client("user", "client");
    who.chan_info = Bytes::from_static(b"{}");
    bench.engine.broker.publish_join(&channel, &who).await?;
    bench.engine.broker.publish_leave(&channel, &who).await?;
    match &*bench.arrivals(&channel, 2).await? {
        [Arrival::Join(came), Arrival::Leave(left)] => {
            same("who came", &**came, &who)?;
            same("who left", &**left, &who)
        }
        other => same(
            "arrivals",
            format!("{other:?}"),
            "a join and a leave".to_owned(),
        ),
    }
}

async fn a_subscriber_that_goes_leaves_the_others(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("counted").await?;
    bench.engine.broker.subscribe(&channel).await?;
    bench.engine.broker.unsubscribe(&channel);
    bench
        .publish(&channel, &text("data"), PublishOptions::default())
        .await?;
    same(
        "arrived",
        data(&bench.arrivals(&channel, 1).await?),
        strings(["data"]),
    )
}

async fn a_channel_can_be_subscribed_again(bench: &Bench<'_>) -> Check {
    let channel = bench.channel("again").await?;
    bench.engine.broker.unsubscribe(&channel);
    bench.engine.broker.subscribe(&channel).await?;
    bench
        .publish(&channel, &text("data"), PublishOptions::default())
        .await?;
    same(
        "arrived",
        data(&bench.arrivals(&channel, 1).await?),
        strings(["data"]),
    )
}

fn position_of(delivered: &Delivered) -> Position {
    Position {
        offset: delivered.publication.offset,
        epoch: delivered.epoch,
    }
}

fn publication_of(delivered: &Delivered) -> Publication {
    (*delivered.publication).clone()
}

fn without_stamps(publication: &Publication) -> Publication {
    Publication {
        offset: 0,
        time: 0,
        epoch: "".into(),
        ..publication.clone()
    }
}

fn previous(delivered: &[Delivered]) -> Vec<String> {
    delivered
        .iter()
        .map(|d| d.previous.as_deref().map(data_of).unwrap_or_default())
        .collect()
}

fn label(arrival: &Arrival) -> String {
    match arrival {
        Arrival::Publication(delivered) => data_of(&delivered.publication),
        Arrival::Join(_) => "join".to_owned(),
        Arrival::Leave(_) => "leave".to_owned(),
        Arrival::Gap => "gap".to_owned(),
    }
}
