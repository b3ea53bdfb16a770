//! When users were last there, on a Redis of its own.

use std::sync::Arc;
use std::time::Duration;

use gyre_config::Config;
use gyre_engine::Statuses;
use gyre_engines::open;
use gyre_runtime::{Clock, Identity, Parts, Tasks};
use gyre_telemetry::Registry;
use gyre_types::UnixMillis;

use crate::servers::Server;
use crate::suite::NOW;

async fn statuses(config: &Config, tasks: &Tasks) -> Arc<dyn Statuses> {
    let parts = Parts {
        clock: Clock::fixed(UnixMillis(NOW.0 * 1000)),
        tasks: tasks.clone(),
        ..Parts::new(
            Registry::new("gyre").unwrap(),
            Identity::new("engines", "0"),
        )
    };
    let opened = open(config, Arc::new(()), &parts).await.unwrap();
    opened.statuses.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn statuses_may_live_elsewhere() {
    let server = Server::start(&[]).await;
    let mut config = Config::default();
    config.user_status.enabled = true;
    config.user_status.redis.server.address = vec![server.address()];
    let tasks = Tasks::default();
    let users = ["ann".to_owned()];
    let (one, other) = (
        statuses(&config, &tasks).await,
        statuses(&config, &tasks).await,
    );
    one.act(&users, "dnd").await.unwrap();
    assert_eq!(other.statuses(&users).await.unwrap()[0].state, "dnd");

    config.user_status.redis.reuse_from_engine = true;
    let of_engine = statuses(&config, &tasks).await;
    assert_eq!(of_engine.statuses(&users).await.unwrap()[0].state, "");
    tasks.stop(Duration::ZERO).await;
}
