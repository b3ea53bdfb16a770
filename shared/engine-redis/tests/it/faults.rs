//! Servers that die, stop, and come back, and what becomes of publications meanwhile.

use std::time::Duration;

use gyre_config::engine::Redis;

use crate::checker::{Report, Run};
use crate::servers::{Cluster, PRIMARIES, Server, until};
use crate::subject::section;

const SECOND: Duration = Duration::from_secs(1);

fn on(cluster: &Cluster) -> Redis {
    section(|one| one.cluster_address = cluster.addresses())
}

/// Nothing was lost without a word, and no place was given twice.
#[expect(clippy::print_stdout, reason = "what a run came to is worth reading")]
fn holds(report: &Report) {
    println!(
        "{} acknowledged, {} refused, {} unknown; told {} times, of {}; silent for {:?}, most of them {:?}",
        report.acknowledged,
        report.refused,
        report.unknown,
        report.told,
        report.missed,
        report.silences.iter().max().unwrap(),
        silence_of_most(report),
    );
    assert!(report.wrong.is_empty(), "{:#?}", report.wrong);
    assert!(report.acknowledged > 100, "{report:?}");
}

/// Longest silence of the channels of two nodes out of three, the pause between publications
/// included.
fn silence_of_most(report: &Report) -> Duration {
    let mut silences = report.silences.clone();
    silences.sort();
    silences[silences.len() / 2]
}

/// Channels of servers that are well go on. The bound is coarse: tests run on busy machines.
fn others_go_on(report: &Report) {
    assert!(silence_of_most(report) < SECOND, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn nothing_happens() {
    let cluster = Cluster::start().await;
    let run = Run::start(&on(&cluster)).await;
    run.pass(3 * SECOND).await;
    let report = run.end().await;
    holds(&report);
    assert_eq!((report.told, report.refused, report.unknown), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_primary_is_killed() {
    let mut cluster = Cluster::start().await;
    let run = Run::start(&on(&cluster)).await;
    run.pass(SECOND).await;
    cluster.servers[0].kill();
    cluster.is_whole().await;
    run.pass(2 * SECOND).await;
    cluster.servers[0].start_again().await;
    cluster.is_whole().await;
    run.pass(SECOND).await;
    let report = run.end().await;
    holds(&report);
    others_go_on(&report);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_primary_is_killed_whose_replica_is_behind() {
    let mut cluster = Cluster::start().await;
    let run = Run::start(&on(&cluster)).await;
    run.pass(SECOND).await;
    cluster.servers[PRIMARIES].pause();
    // What is in the connection already would be read in the end.
    let kill = ["CLIENT", "KILL", "TYPE", "replica"];
    cluster.servers[0].run::<i64>(&kill).await;
    run.pass(SECOND).await;
    cluster.servers[0].kill();
    cluster.servers[PRIMARIES].resume();
    cluster.is_whole().await;
    run.pass(2 * SECOND).await;
    let report = run.end().await;
    holds(&report);
    others_go_on(&report);
    assert!(report.missed > 0, "the replica was not behind: {report:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_primary_stops_and_comes_back_when_another_took_over() {
    let cluster = Cluster::start().await;
    let run = Run::start(&on(&cluster)).await;
    run.pass(SECOND).await;
    cluster.servers[0].pause();
    let replica = &cluster.servers[PRIMARIES];
    until("the replica takes over", || async {
        replica.info("replication", "role").await == "master"
    })
    .await;
    run.pass(SECOND).await;
    cluster.servers[0].resume();
    cluster.is_whole().await;
    run.pass(2 * SECOND).await;
    let report = run.end().await;
    holds(&report);
    others_go_on(&report);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn subscriber_connections_are_closed_again_and_again() {
    let cluster = Cluster::start().await;
    let run = Run::start(&on(&cluster)).await;
    for _ in 0..20 {
        for server in &cluster.servers[..PRIMARIES] {
            server
                .run::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"])
                .await;
        }
        run.pass(SECOND / 5).await;
    }
    let report = run.end().await;
    holds(&report);
    assert_eq!((report.told, report.missed, report.refused), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn all_connections_are_closed_again_and_again() {
    let server = Server::start(&[]).await;
    let run = Run::start(&section(|one| one.address = vec![server.address()])).await;
    for _ in 0..10 {
        for kind in ["pubsub", "normal"] {
            let kill = ["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"];
            server.run::<i64>(&kill).await;
        }
        run.pass(SECOND / 3).await;
    }
    let report = run.end().await;
    holds(&report);
    assert_eq!((report.told, report.missed), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_single_server_forgets_everything() {
    let mut server = Server::start(&[]).await;
    let run = Run::start(&section(|one| one.address = vec![server.address()])).await;
    run.pass(SECOND).await;
    server.kill();
    run.pass(SECOND).await;
    server.start_again().await;
    run.pass(2 * SECOND).await;
    holds(&run.end().await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_single_server_comes_back_with_what_reached_its_disk() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "no"]).await;
    let run = Run::start(&section(|one| one.address = vec![server.address()])).await;
    for _ in 0..3 {
        run.pass(SECOND).await;
        server.kill();
        server.start_again().await;
    }
    run.pass(SECOND).await;
    holds(&run.end().await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_whole_cluster_stops_and_starts() {
    let mut cluster = Cluster::start().await;
    let run = Run::start(&on(&cluster)).await;
    run.pass(SECOND).await;
    for server in &mut cluster.servers {
        server.kill();
    }
    run.pass(SECOND).await;
    for server in &mut cluster.servers {
        server.start_again().await;
    }
    cluster.is_whole().await;
    run.pass(2 * SECOND).await;
    holds(&run.end().await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_server_is_silent_for_a_moment() {
    let server = Server::start(&[]).await;
    let run = Run::start(&section(|one| one.address = vec![server.address()])).await;
    for _ in 0..3 {
        run.pass(SECOND).await;
        server.pause();
        run.pass(SECOND * 2).await;
        server.resume();
    }
    run.pass(SECOND).await;
    holds(&run.end().await);
}
