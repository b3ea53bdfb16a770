use sqlx::SqlSafeStr;
use sqlx::error::BoxDynError;
use sqlx::migrate::{Migration, MigrationSource, MigrationType};

use crate::BoxFuture;

/// One step: number, what it brings, its statements. A step that was released is never changed.
type Step = (i64, &'static str, &'static str);

/// The steps of one database, embedded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps(&'static [Step]);

/// For SQLite.
pub(super) const SQLITE: Steps = Steps(&[
    (
        1,
        "exclusion",
        include_str!("../../migrations/sqlite/1_exclusion.sql"),
    ),
    (
        2,
        "channel_state",
        include_str!("../../migrations/sqlite/2_channel_state.sql"),
    ),
    (
        3,
        "exclusion_change",
        include_str!("../../migrations/sqlite/3_exclusion_change.sql"),
    ),
]);

/// For PostgreSQL.
pub(super) const POSTGRES: Steps = Steps(&[
    (
        1,
        "exclusion",
        include_str!("../../migrations/postgres/1_exclusion.sql"),
    ),
    (
        2,
        "channel_state",
        include_str!("../../migrations/postgres/2_channel_state.sql"),
    ),
    (
        3,
        "exclusion_change",
        include_str!("../../migrations/postgres/3_exclusion_change.sql"),
    ),
]);

impl MigrationSource<'static> for Steps {
    fn resolve(self) -> BoxFuture<'static, Result<Vec<Migration>, BoxDynError>> {
        let step = |(number, name, sql): &Step| {
            let sql = (*sql).into_sql_str();
            Migration::new(*number, (*name).into(), MigrationType::Simple, sql, false)
        };
        Box::pin(std::future::ready(Ok(self.0.iter().map(step).collect())))
    }
}
