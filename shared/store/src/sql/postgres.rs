use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};

use super::outbox::channel_outbox;
use super::statements::exclusions;
use super::{DatabaseError, migrations};

/// Connections at most. 4: one writes, one sweeps, and one more of each may be waiting for its end.
const CONNECTIONS_MAX: u32 = 4;

/// Longest wait for a connection. 5 s: callers of the server API wait as long for a gateway.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);

/// Longest run of a statement. Unit: milliseconds. 5 s, as above.
const STATEMENT_MS_MAX: &str = "5000";

/// The tables in a PostgreSQL database, which other processes may use too.
#[derive(Debug)]
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// Connects and brings the tables up to date, one process at a time.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a step of the migration is made whole or not at all.
    pub async fn open(dsn: &str) -> Result<Self, DatabaseError> {
        let options = PgConnectOptions::from_str(dsn)?.application_name("gyre");
        let pool = |options| {
            let pool = PoolOptions::new().max_connections(CONNECTIONS_MAX);
            pool.acquire_timeout(CONNECT_WAIT_MAX).connect_with(options)
        };
        // The migrator holds an advisory lock of the database meanwhile, which others wait for
        // as long as it takes.
        let first = pool(options.clone()).await?;
        let migrator = Migrator::new(migrations::POSTGRES).await?;
        migrator.run(&first).await?;
        first.close().await;
        // A statement that the server does not get done must not hold the writer up.
        let pool = pool(options.options([("statement_timeout", STATEMENT_MS_MAX)])).await?;
        Ok(Self { pool })
    }
}

exclusions!(Postgres, true);
channel_outbox!(Postgres);
