//! Clients beside those that wait for a backend which says nothing.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::world::{Client, World};

/// Clients that ask the backend nothing.
const OTHERS: usize = 50;

/// Clients that wait for it.
const WAITING: usize = 500;

/// Commands of each of the others, one after another.
const COMMANDS: usize = 40;

/// What scheduling adds: the others' slowest hundredth may take three times as long as before, and this. A
/// gateway that waited for the backend would take seconds.
const SLACK: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_answered_as_quickly_as_without_a_silent_backend() {
    let world = World::serve(|_config| {}).await;
    let mut others = Vec::new();
    for _ in 0..OTHERS {
        others.push(world.connect().await);
    }
    let (others, control) = slowest_hundredth(others).await;

    world
        .backend
        .always("rpc", json!({"result": {}}), Duration::from_secs(3600));
    let mut waiting = Vec::new();
    for _ in 0..WAITING {
        let mut client = world.connect().await;
        client.send(json!({"rpc": {"method": "m"}})).await;
        waiting.push(client);
    }
    world.backend.called("rpc", WAITING).await;
    let (_others, beside) = slowest_hundredth(others).await;
    println!("p99 {control:?} in the control group, {beside:?} beside {WAITING} that wait");
    assert!(beside <= 3 * control + SLACK, "{beside:?}, not {control:?}");
    drop(waiting);
    world.stop().await;
}

/// Has all clients send their commands at the same time; the latency that 99 of 100 commands keep below.
async fn slowest_hundredth(clients: Vec<Client>) -> (Vec<Client>, Duration) {
    let mut group = JoinSet::new();
    for mut client in clients {
        group.spawn(async move {
            let mut took = Vec::with_capacity(COMMANDS);
            for _ in 0..COMMANDS {
                let begun = Instant::now();
                let reply = client.ask(json!({"unsubscribe": {"channel": "a"}})).await;
                assert_eq!(reply["unsubscribe"], json!({}), "{reply}");
                took.push(begun.elapsed());
            }
            (client, took)
        });
    }
    let (clients, took): (Vec<_>, Vec<_>) = group.join_all().await.into_iter().unzip();
    let mut took: Vec<Duration> = took.into_iter().flatten().collect();
    took.sort_unstable();
    let index = took.len() * 99 / 100;
    (clients, took[index])
}
