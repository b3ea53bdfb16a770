//! Against a real PostgreSQL, whose address is in `GYRE_TEST_POSTGRES`.

use std::sync::Arc;

use gyre_runtime::Clock;
use gyre_store::{Access, Exclusions as _, Kind, Postgres};
use gyre_types::UnixMillis;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::outbox;
use crate::suite::{self, all};
use crate::{NOW, block};

/// An empty database of its own for a test.
async fn database(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the tests' server is, no configuration"
    )]
    let server = std::env::var("GYRE_TEST_POSTGRES").unwrap();
    let mut connection = PgConnection::connect(&server).await.unwrap();
    let name = format!("gyre_{name}_{}", std::process::id());
    for statement in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ] {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        statement.execute(&mut connection).await.unwrap();
    }
    let (server, _) = server.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

#[tokio::test]
#[ignore = "needs PostgreSQL: python3 tests/env/suite.py postgres"]
async fn the_suite_passes() {
    let opened = Postgres::open(&database("suite").await).await.unwrap();
    suite::run(&opened).await;
    outbox::run(&opened).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: python3 tests/env/suite.py postgres"]
async fn many_may_open_an_empty_database_at_once() {
    let dsn = database("many").await;
    let opening = (0..4).map(|_| Postgres::open(&dsn));
    for opened in futures_util::future::join_all(opening).await {
        opened.unwrap();
    }
    let again = Postgres::open(&dsn).await.unwrap();
    again.apply(&[block("ann", None)], NOW).await.unwrap();
    let other = Postgres::open(&dsn).await.unwrap();
    assert_eq!(all(&other, Kind::User, NOW).await.len(), 1);
}

#[tokio::test]
#[ignore = "needs PostgreSQL: python3 tests/env/suite.py postgres"]
async fn another_process_finds_at_start_what_one_has_written() {
    let dsn = database("start").await;
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let open = async || {
        let repository = Arc::new(Postgres::open(&dsn).await.unwrap());
        Access::in_repository(repository, &clock).await.unwrap()
    };
    let (access, keeper) = open().await;
    tokio::select! {
        () = keeper.run() => {}
        made = access.change(block("ann", None)) => made.unwrap(),
    }
    let (other, _keeper) = open().await;
    assert!(other.view().is_blocked("ann", NOW));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: python3 tests/env/suite.py postgres"]
async fn another_process_sees_what_one_changes_while_both_run() {
    let dsn = database("follow").await;
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let open = async || {
        let repository = Arc::new(Postgres::open(&dsn).await.unwrap());
        Access::in_repository(repository, &clock).await.unwrap()
    };
    suite::see_each_other(open().await, open().await).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: python3 tests/env/suite.py postgres"]
async fn a_server_that_is_not_there_is_an_error_and_not_a_wait() {
    let refused = Postgres::open("postgres://a:b@127.0.0.1:1/none").await;
    assert!(refused.is_err());
}
