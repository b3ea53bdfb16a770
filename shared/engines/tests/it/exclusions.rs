//! Who is kept out, on Redis.

use std::sync::Arc;
use std::time::Duration;

use gyre_config::access::StorageRedis;
use gyre_engines::{Metrics, OpenError, open_exclusions};
use gyre_runtime::{Clock, Tasks};
use gyre_store::{Access, Exclusions, Kind};
use gyre_telemetry::Registry;
use gyre_types::UnixMillis;

use crate::servers::{Cluster, Server};
use crate::suite::{self, NOW, all, block};

fn on(server: &Server) -> StorageRedis {
    StorageRedis {
        address: vec![server.address()],
        ..StorageRedis::default()
    }
}

fn open(section: &StorageRedis, tasks: &Tasks) -> Arc<dyn Exclusions> {
    open_exclusions(section, tasks, &metrics()).unwrap()
}

fn metrics() -> Metrics {
    Metrics::new(&Registry::new("gyre").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn the_suite_passes_on_one_server_and_on_a_cluster() {
    let (server, cluster, tasks) = (
        Server::start(&[]).await,
        Cluster::start().await,
        Tasks::default(),
    );
    let of_cluster = StorageRedis {
        cluster_address: cluster.addresses(),
        ..StorageRedis::default()
    };
    for section in [on(&server), of_cluster] {
        suite::run(&*open(&section, &tasks)).await;
        processes_see_what_the_others_change(&section).await;
    }
    tasks.stop(Duration::ZERO).await;
}

async fn processes_see_what_the_others_change(section: &StorageRedis) {
    let (clock, tasks) = (
        Clock::fixed(UnixMillis(NOW.0 * 1000)),
        [Tasks::default(), Tasks::default()],
    );
    let open = async |tasks| {
        let repository = open(section, tasks);
        Access::in_repository(repository, &clock).await.unwrap()
    };
    suite::see_each_other(open(&tasks[0]).await, open(&tasks[1]).await).await;
    let (late, _keeper) = open(&tasks[0]).await;
    assert!(late.view().is_blocked("cid", NOW) && !late.view().is_blocked("ann", NOW));
    for tasks in tasks {
        tasks.stop(Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn what_redis_has_on_its_disk_outlives_a_kill() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let tasks = Tasks::default();
    let repository = open(&on(&server), &tasks);
    repository.apply(&[block("ann", None)], NOW).await.unwrap();
    server.kill();
    server.start_again().await;
    assert_eq!(all(&*repository, Kind::User, NOW).await.len(), 1);
    tasks.stop(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_server_that_is_not_there_is_an_error_and_not_a_wait() {
    let mut server = Server::start(&[]).await;
    server.kill();
    let tasks = Tasks::default();
    let section = StorageRedis {
        io_timeout: gyre_config::Millis(300),
        ..on(&server)
    };
    let repository = open(&section, &tasks);
    assert!(repository.version().await.is_err());
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    assert!(Access::in_repository(repository, &clock).await.is_err());
    tasks.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_table_is_in_one_place() {
    let section = StorageRedis {
        address: vec!["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()],
        ..StorageRedis::default()
    };
    let refused = open_exclusions(&section, &Tasks::default(), &metrics());
    assert!(matches!(refused, Err(OpenError::Several)));
}
