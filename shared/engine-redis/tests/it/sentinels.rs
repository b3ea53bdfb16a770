//! A primary that sentinels watch over, and that another follows.

use std::time::Duration;

use crate::checker::Run;
use crate::servers::{Sentinels, until};
use crate::subject::section;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn the_next_primary_is_found() {
    let mut watched = Sentinels::start().await;
    let section = section(|one| {
        one.sentinel_address = watched.addresses();
        one.sentinel_master_name = "main".to_owned();
    });
    let run = Run::start(&section).await;
    run.pass(SECOND).await;
    watched.primary.kill();
    let replica = &watched.replica;
    until("the replica is promoted", || async {
        replica.info("replication", "role").await == "master"
    })
    .await;
    run.pass(2 * SECOND).await;
    let report = run.end().await;
    assert!(report.wrong.is_empty(), "{:#?}", report.wrong);
    assert!(report.told > 0 && report.acknowledged > 100, "{report:?}");
}
