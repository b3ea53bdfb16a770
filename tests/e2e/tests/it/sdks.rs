//! The published SDKs go through what the raw clients go through, before the same judge.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

use crate::client::Clients;
use crate::faults::{Fault, Loss};
use crate::judge::At;
use crate::servers::{Cluster, until};
use crate::world::{Redis, World, channels};
use crate::{balancer, http};

/// Scripts that subscribe, and what runs them: a variable of the environment names it.
const SDKS: [(&str, &str); 2] = [
    ("client.mjs", "GYRE_NODE"),
    ("client.py", "GYRE_SDK_PYTHON"),
];

const WHILE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn published_sdks_survive_a_failover_and_a_drain() {
    let missing = SDKS.map(|(_, program)| program);
    if missing
        .iter()
        .any(|program| std::env::var_os(program).is_none())
    {
        println!("SKIPPED: no published SDKs: {missing:?} are not set");
        return;
    }
    let mut world = World::start(Redis::Cluster(Cluster::start().await)).await;
    let gateways = world.gateways.iter().map(|one| one.port).collect();
    let port = balancer::start(&mut world.tasks, gateways).await;
    for (script, program) in SDKS {
        join(&mut world, script, program, port).await;
    }
    world.go_on(WHILE).await;
    Fault::Lose(Loss::Kill).happen(&mut world, 0).await;
    world.go_on(WHILE).await;
    let body = json!({"gateway": "g0"});
    let answer = http::call(world.apis[0].port, "drain", &body)
        .await
        .unwrap();
    assert!(answer["result"].is_object(), "{answer}");
    let code = tokio::task::block_in_place(|| world.gateways[0].wait());
    assert_eq!(code, Some(0), "{}", world.gateways[0].log());
    // Half of all connections were there: one in each channel, and one of each SDK.
    let there = channels().count() + SDKS.len();
    until("all of them have said why", || async {
        world.clients.closed.lock().len() >= there
    })
    .await;
    assert_eq!(*world.clients.closed.lock(), vec![3001; there]);
    world.go_on(WHILE).await;
    world.end("published SDKs").await;
}

/// Starts a script that subscribes to all channels, and waits until it has.
async fn join(world: &mut World, script: &str, program: &str, port: u16) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
    let mut command = Command::new(std::env::var_os(program).unwrap());
    command
        .arg(directory.join(script))
        .arg(port.to_string())
        .args(channels());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let subscribed = Arc::<AtomicUsize>::default();
    let listening = listen(world.clients.clone(), lines, Arc::clone(&subscribed));
    world.tasks.spawn(async move {
        listening.await;
        drop(child);
    });
    until(script, || async {
        subscribed.load(Ordering::Relaxed) >= channels().count()
    })
    .await;
}

/// Tells the judge what a script says.
async fn listen(
    clients: Clients,
    mut lines: Lines<BufReader<ChildStdout>>,
    subscribed: Arc<AtomicUsize>,
) {
    let judge = &clients.judge;
    let subscribers: BTreeMap<String, usize> = channels()
        .map(|channel| (channel.clone(), judge.subscriber(&channel)))
        .collect();
    while let Ok(Some(line)) = lines.next_line().await {
        let said: Value = serde_json::from_str(&line).unwrap();
        let offset_of = |of: &Value| of["offset"].as_u64().unwrap();
        let subscriber = said["channel"].as_str().map(|channel| subscribers[channel]);
        match subscriber {
            Some(subscriber) if said["told"].is_object() => {
                let epoch = said["told"]["epoch"].as_str().unwrap().to_owned();
                let offset = offset_of(&said["told"]);
                judge.told(subscriber, &At { epoch, offset });
                subscribed.fetch_add(1, Ordering::Relaxed);
            }
            Some(subscriber) => {
                let message = said["data"].as_str().unwrap();
                judge.received(subscriber, offset_of(&said), message);
            }
            // Of the connection, or an end that must not be: the world knows which codes are fine.
            None => {
                let code = said["closed"]
                    .as_u64()
                    .or_else(|| said["unsubscribed"].as_u64());
                clients
                    .closed
                    .lock()
                    .extend(code.map(|code| u16::try_from(code).unwrap()));
            }
        }
    }
}
