use gyre_types::UnixSeconds;

use crate::exclusion::{Change, Exclusion, Key, Kind};

/// How long the mark of what was removed stays for other processes to read. One day: who has not read
/// for so long reads everything anew.
pub const REMOVED_SECS: i64 = 24 * 60 * 60;

/// How many numbers are taken; the last of them. Other writers wait until this one has committed, so
/// that numbers become visible in their order.
pub(super) const NEXT: &str = "UPDATE exclusion_version SET n = n + $1 RETURNING n";

/// The last number that was taken.
pub(super) const VERSION: &str = "SELECT n FROM exclusion_version";

/// Kind, subject, channel, issued_before, expire_at, created_at, changed, removed.
pub(super) const WRITE: &str = "INSERT INTO exclusion \
    (kind, subject, channel, issued_before, expire_at, created_at, changed, removed) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
    ON CONFLICT (kind, subject, channel) DO UPDATE SET \
    issued_before = excluded.issued_before, expire_at = excluded.expire_at, \
    created_at = excluded.created_at, changed = excluded.changed, removed = excluded.removed";

/// Kind, subject and channel before the first, now, limit.
pub(super) const PAGE: &str = "SELECT subject, channel, issued_before, expire_at FROM exclusion \
    WHERE kind = $1 AND (subject, channel) > ($2, $3) \
    AND (expire_at IS NULL OR expire_at > $4) AND NOT removed \
    ORDER BY subject, channel LIMIT $5";

/// Number before the first, limit.
pub(super) const SINCE: &str = "SELECT changed, kind, removed, subject, channel, issued_before, \
    expire_at FROM exclusion WHERE changed > $1 ORDER BY changed LIMIT $2";

/// Now, limit.
pub(super) const PURGE: &str = "DELETE FROM exclusion WHERE (kind, subject, channel) IN \
    (SELECT kind, subject, channel FROM exclusion WHERE expire_at <= $1 LIMIT $2)";

/// A row of [`PAGE`].
pub(super) type Row = (String, String, i64, Option<i64>);

/// A row of [`SINCE`].
pub(super) type ChangeRow = (i64, i16, bool, String, String, i64, Option<i64>);

/// What a row of [`SINCE`] says, and its number; `None` if it could not have been written by [`WRITE`].
pub(super) fn read_change(row: ChangeRow) -> Option<(i64, Change)> {
    let (number, kind, is_removed, subject, channel, issued_before, expire_at) = row;
    let kind = Kind::ALL.into_iter().find(|known| known.number() == kind)?;
    let exclusion = read(kind, (subject, channel, issued_before, expire_at))?;
    let change = match is_removed {
        true => Change::Remove(exclusion.key),
        false => Change::Put(exclusion),
    };
    Some((number, change))
}

/// What a row says; `None` if it could not have been written by [`WRITE`].
pub(super) fn read(kind: Kind, row: Row) -> Option<Exclusion> {
    let (subject, channel, issued_before, expire_at) = row;
    Some(Exclusion {
        key: Key::new(kind, &subject, &channel).ok()?,
        issued_before: UnixSeconds(issued_before),
        expire_at: expire_at.map(UnixSeconds),
    })
}

/// Implements the repository over the field `pool`.
macro_rules! exclusions {
    ($database:ident, $is_shared:literal) => {
        impl $crate::repository::Exclusions for $database {
            fn is_shared(&self) -> bool {
                $is_shared
            }

            fn apply<'a>(
                &'a self,
                changes: &'a [$crate::exclusion::Change],
                now: gyre_types::UnixSeconds,
            ) -> $crate::BoxFuture<'a, Result<(), $crate::sql::DatabaseError>> {
                use $crate::exclusion::Change;
                use $crate::sql::statements::{NEXT, REMOVED_SECS, WRITE};
                Box::pin(async move {
                    let mut transaction = self.pool.begin().await?;
                    let count = i64::try_from(changes.len()).unwrap_or(i64::MAX);
                    let last: i64 = sqlx::query_scalar(NEXT)
                        .bind(count)
                        .fetch_one(&mut *transaction)
                        .await?;
                    for (number, change) in (last - count + 1..).zip(changes) {
                        let key = change.key();
                        let (issued_before, expire_at, is_removed) = match change {
                            Change::Put(put) => {
                                (put.issued_before.0, put.expire_at.map(|at| at.0), false)
                            }
                            Change::Remove(_) => {
                                (0, Some(now.0.saturating_add(REMOVED_SECS)), true)
                            }
                        };
                        sqlx::query(WRITE)
                            .bind(key.kind().number())
                            .bind(key.subject())
                            .bind(key.channel())
                            .bind(issued_before)
                            .bind(expire_at)
                            .bind(now.0)
                            .bind(number)
                            .bind(is_removed)
                            .execute(&mut *transaction)
                            .await?;
                    }
                    Ok(transaction.commit().await?)
                })
            }

            fn version(&self) -> $crate::BoxFuture<'_, Result<i64, $crate::sql::DatabaseError>> {
                Box::pin(async move {
                    let version = sqlx::query_scalar(super::statements::VERSION);
                    Ok(version.fetch_one(&self.pool).await?)
                })
            }

            fn since(
                &self,
                after: i64,
                limit: u32,
            ) -> $crate::BoxFuture<
                '_,
                Result<Vec<(i64, $crate::exclusion::Change)>, $crate::sql::DatabaseError>,
            > {
                use $crate::sql::statements::{ChangeRow, SINCE, read_change};
                Box::pin(async move {
                    let rows: Vec<ChangeRow> = sqlx::query_as(SINCE)
                        .bind(after)
                        .bind(i64::from(limit))
                        .fetch_all(&self.pool)
                        .await?;
                    Ok(rows.into_iter().filter_map(read_change).collect())
                })
            }

            fn page<'a>(
                &'a self,
                kind: $crate::exclusion::Kind,
                after: Option<&'a $crate::exclusion::Key>,
                now: gyre_types::UnixSeconds,
                limit: u32,
            ) -> $crate::BoxFuture<
                'a,
                Result<Vec<$crate::exclusion::Exclusion>, $crate::sql::DatabaseError>,
            > {
                Box::pin(async move {
                    let rows: Vec<super::statements::Row> = sqlx::query_as(super::statements::PAGE)
                        .bind(kind.number())
                        .bind(after.map_or("", |key| key.subject()))
                        .bind(after.map_or("", |key| key.channel()))
                        .bind(now.0)
                        .bind(i64::from(limit))
                        .fetch_all(&self.pool)
                        .await?;
                    let read = |row| super::statements::read(kind, row);
                    Ok(rows.into_iter().filter_map(read).collect())
                })
            }

            fn purge(
                &self,
                now: gyre_types::UnixSeconds,
                limit: u32,
            ) -> $crate::BoxFuture<'_, Result<u64, $crate::sql::DatabaseError>> {
                Box::pin(async move {
                    let done = sqlx::query(super::statements::PURGE)
                        .bind(now.0)
                        .bind(i64::from(limit))
                        .execute(&self.pool)
                        .await?;
                    Ok(done.rows_affected())
                })
            }
        }
    };
}

pub(super) use exclusions;
