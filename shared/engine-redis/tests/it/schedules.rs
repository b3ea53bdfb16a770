//! Random schedules of faults. `GYRE_SEED` repeats one, `GYRE_SCHEDULES` says how many to run.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::checker::Run;
use crate::servers::{Cluster, PRIMARIES, until};
use crate::subject::section;

/// Faults in one schedule.
const FAULTS: usize = 3;

#[expect(
    clippy::disallowed_methods,
    reason = "switches of the tests, no configuration"
)]
fn given(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A small generator: the schedule is what its seed says.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's constants; the upper half is good enough.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn millis(&mut self, most: usize) -> Duration {
        Duration::from_millis(self.roll(most) as u64)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn nothing_is_lost_without_a_word() {
    let seed = given("GYRE_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::from(since.subsec_nanos())
    });
    for number in 0..given("GYRE_SCHEDULES").unwrap_or(2) {
        one(seed.wrapping_add(number)).await;
    }
}

#[expect(clippy::print_stdout, reason = "whoever repeats it needs the seed")]
async fn one(seed: u64) {
    println!("GYRE_SEED={seed}");
    let mut dice = Dice(seed);
    let mut cluster = Cluster::start().await;
    let run = Run::start(&section(|one| one.cluster_address = cluster.addresses())).await;
    for _ in 0..FAULTS {
        run.pass(dice.millis(1000)).await;
        fault(&mut cluster, &mut dice).await;
    }
    cluster.is_whole().await;
    run.pass(Duration::from_secs(2)).await;
    let report = run.end().await;
    assert!(
        report.wrong.is_empty(),
        "GYRE_SEED={seed}: {:#?}",
        report.wrong
    );
}

async fn fault(cluster: &mut Cluster, dice: &mut Dice) {
    let index = dice.roll(PRIMARIES);
    let target = cluster.primary_of(index).await;
    let kind = dice.roll(5);
    println_fault(kind, target);
    match kind {
        0 => {
            cluster.servers[target].kill();
            cluster.is_whole().await;
            cluster.servers[target].start_again().await;
            cluster.is_whole().await;
        }
        1 => {
            cluster.servers[target].kill();
            cluster.servers[target].start_again().await;
            cluster.is_whole().await;
        }
        2 => {
            cluster.servers[target].pause();
            tokio::time::sleep(dice.millis(3000)).await;
            cluster.servers[target].resume();
            cluster.is_whole().await;
        }
        3 => {
            for kind in ["pubsub", "normal", "replica"] {
                let kill = ["CLIENT", "KILL", "TYPE", kind];
                let _ = cluster.servers[target].ask::<i64>(&kill).await;
            }
        }
        _ => cluster.move_a_slot(target).await,
    }
    until("every primary serves", || async {
        cluster.is_served().await
    })
    .await;
}

#[expect(clippy::print_stdout, reason = "whoever repeats it wants to know")]
fn println_fault(kind: usize, target: usize) {
    let names = [
        "killed for long",
        "killed for a moment",
        "stopped",
        "connections closed",
        "a slot moved",
    ];
    println!("  server {target}: {}", names[kind]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn slots_move_to_another_node() {
    let cluster = Cluster::start().await;
    let run = Run::start(&section(|one| one.cluster_address = cluster.addresses())).await;
    for from in [0, 1, 2, 0] {
        run.pass(Duration::from_millis(500)).await;
        cluster.move_a_slot(from).await;
    }
    run.pass(Duration::from_secs(1)).await;
    let report = run.end().await;
    assert!(report.wrong.is_empty(), "{:#?}", report.wrong);
    assert_eq!(report.lost, 0, "{report:?}");
}
