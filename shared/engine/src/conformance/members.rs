//! Who is in a channel.

use std::sync::Arc;

use bytes::Bytes;
use gyre_protocol::messages::ClientInfo;
use gyre_types::{ChannelName, ClientId};

use super::bench::{Bench, client, same};
use super::{Check, cases};
use crate::{BoxFuture, Members, PresenceStats};

cases![
    Nothing a_channel_without_members_is_empty,
    Nothing whoever_is_added_is_there,
    Nothing adding_again_replaces_the_info,
    Nothing adding_again_for_another_user_counts_the_other,
    Nothing whoever_is_removed_is_gone,
    Nothing removing_whoever_is_not_there_changes_nothing,
    Nothing users_are_counted_once,
    Nothing channels_have_their_own_members,
    Nothing members_come_and_go_at_once,
];

async fn a_channel_without_members_is_empty(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("empty")?;
    same(
        "members",
        bench.engine.presence.members(&channel).await?,
        Members::new(),
    )?;
    counts(bench, &channel, 0, 0).await
}

async fn whoever_is_added_is_there(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("room")?;
    let (one, other) = (informed("ann", "1", "{}"), informed("bob", "2", "[]"));
    add(bench, &channel, &one).await?;
    add(bench, &channel, &other).await?;
    members_are(bench, &channel, &[one, other]).await?;
    counts(bench, &channel, 2, 2).await
}

async fn adding_again_replaces_the_info(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("room")?;
    add(bench, &channel, &informed("ann", "1", "{}")).await?;
    let newer = informed("ann", "1", "[]");
    add(bench, &channel, &newer).await?;
    members_are(bench, &channel, &[newer]).await?;
    counts(bench, &channel, 1, 1).await
}

async fn adding_again_for_another_user_counts_the_other(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("room")?;
    add(bench, &channel, &client("ann", "1")).await?;
    add(bench, &channel, &client("ann", "2")).await?;
    add(bench, &channel, &client("bob", "2")).await?;
    counts(bench, &channel, 2, 2).await?;
    remove(bench, &channel, "1").await?;
    counts(bench, &channel, 1, 1).await?;
    members_are(bench, &channel, &[client("bob", "2")]).await
}

async fn whoever_is_removed_is_gone(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("room")?;
    add(bench, &channel, &client("ann", "1")).await?;
    add(bench, &channel, &client("bob", "2")).await?;
    remove(bench, &channel, "1").await?;
    members_are(bench, &channel, &[client("bob", "2")]).await?;
    counts(bench, &channel, 1, 1).await?;
    remove(bench, &channel, "2").await?;
    members_are(bench, &channel, &[]).await?;
    counts(bench, &channel, 0, 0).await?;
    add(bench, &channel, &client("ann", "1")).await?;
    counts(bench, &channel, 1, 1).await
}

async fn removing_whoever_is_not_there_changes_nothing(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("room")?;
    remove(bench, &channel, "1").await?;
    add(bench, &channel, &client("ann", "1")).await?;
    remove(bench, &channel, "2").await?;
    remove(bench, &channel, "2").await?;
    members_are(bench, &channel, &[client("ann", "1")]).await?;
    counts(bench, &channel, 1, 1).await
}

async fn users_are_counted_once(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("room")?;
    for (user, id) in [("ann", "1"), ("ann", "2"), ("", "3"), ("", "4")] {
        add(bench, &channel, &client(user, id)).await?;
    }
    counts(bench, &channel, 4, 2).await?;
    remove(bench, &channel, "1").await?;
    counts(bench, &channel, 3, 2).await?;
    remove(bench, &channel, "2").await?;
    counts(bench, &channel, 2, 1).await
}

async fn channels_have_their_own_members(bench: &Bench<'_>) -> Check {
    let (one, other) = (Bench::name("one")?, Bench::name("other")?);
    add(bench, &one, &client("ann", "1")).await?;
    add(bench, &other, &client("ann", "1")).await?;
    remove(bench, &one, "1").await?;
    counts(bench, &one, 0, 0).await?;
    counts(bench, &other, 1, 1).await
}

async fn members_come_and_go_at_once(bench: &Bench<'_>) -> Check {
    let channel = Bench::name("crowd")?;
    let task = |number: usize| -> BoxFuture<'static, ()> {
        let (presence, channel) = (Arc::clone(&bench.engine.presence), channel.clone());
        Box::pin(async move {
            for turn in 0..50 {
                let id = format!("{number}-{turn}");
                let (key, info) = (ClientId::new(&id), Arc::new(client("ann", &id)));
                // One that fails is missing, or left over, which is what the case looks at.
                let _ = presence.add(&channel, &key, info).await;
                if turn % 2 == 1 {
                    let _ = presence.remove(&channel, &key).await;
                }
            }
        })
    };
    bench.at_once((0..4).map(task).collect()).await;
    counts(bench, &channel, 100, 1).await?;
    same(
        "members",
        bench.engine.presence.members(&channel).await?.len(),
        100,
    )
}

async fn add(bench: &Bench<'_>, channel: &ChannelName, info: &ClientInfo) -> Check {
    let id = ClientId::new(&info.client);
    let info = Arc::new(info.clone());
    Ok(bench.engine.presence.add(channel, &id, info).await?)
}

async fn remove(bench: &Bench<'_>, channel: &ChannelName, id: &str) -> Check {
    Ok(bench
        .engine
        .presence
        .remove(channel, &ClientId::new(id))
        .await?)
}

async fn members_are(bench: &Bench<'_>, channel: &ChannelName, expected: &[ClientInfo]) -> Check {
    let expected: Members = expected
        .iter()
        .map(|info| (ClientId::new(&info.client), Arc::new(info.clone())))
        .collect();
    same(
        "members",
        bench.engine.presence.members(channel).await?,
        expected,
    )
}

async fn counts(bench: &Bench<'_>, channel: &ChannelName, clients: usize, users: usize) -> Check {
    let stats = bench.engine.presence.stats(channel).await?;
    same("stats", stats, PresenceStats { clients, users })
}

fn informed(user: &str, id: &str, info: &'static str) -> ClientInfo {
    ClientInfo {
        conn_info: Bytes::from_static(info.as_bytes()),
        ..client(user, id)
    }
}
