//! Faults in random order, of a seed.

use std::time::Duration;

use crate::faults::Fault;
use crate::network::{self, Network};
use crate::random::Random;
use crate::servers::Cluster;
use crate::world::{Redis, World};

/// Schedules of a run unless `GYRE_E2E_SCHEDULES` says otherwise.
const SCHEDULES: u64 = 20;

/// Schedules that may fail before it is enough: each tells something of its own.
const FAILURES_MAX: usize = 5;

/// Faults of a schedule.
const FAULTS: usize = 3;

fn number_of(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
async fn whatever_happens_nothing_is_lost_without_a_word() {
    let test = "schedules::whatever_happens_nothing_is_lost_without_a_word";
    if network::enter(test) == Network::Done {
        return;
    }
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let first = number_of("GYRE_E2E_SEED", now);
    let mut failed = Vec::new();
    for seed in first..first + number_of("GYRE_E2E_SCHEDULES", SCHEDULES) {
        if failed.len() < FAILURES_MAX && tokio::spawn(run(seed)).await.is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "schedules that failed: {failed:?}");
}

async fn run(seed: u64) {
    println!("GYRE_E2E_SEED={seed}");
    let mut random = Random::new(seed);
    let mut faults = Fault::OF_A_CLUSTER.to_vec();
    let cluster = if network::is_own() {
        network::heal();
        faults.extend(Fault::OF_A_NETWORK);
        network::cluster().await
    } else {
        Cluster::start().await
    };
    let mut world = World::start(Redis::Cluster(cluster)).await;
    for _ in 0..FAULTS {
        let pause = 300 + random.next() % 1200;
        world.go_on(Duration::from_millis(pause)).await;
        let fault = faults[random.below(faults.len())];
        fault.happen(&mut world, random.below(6)).await;
    }
    world.go_on(Duration::from_millis(500)).await;
    world.end(&format!("seed {seed}")).await;
}
