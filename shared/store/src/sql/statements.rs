use gyre_types::UnixSeconds;

use crate::exclusion::{Exclusion, Key, Kind};

/// Kind, subject, channel, issued_before, expire_at, created_at.
pub(super) const PUT: &str = "INSERT INTO exclusion \
    (kind, subject, channel, issued_before, expire_at, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (kind, subject, channel) DO UPDATE SET \
    issued_before = excluded.issued_before, expire_at = excluded.expire_at, \
    created_at = excluded.created_at";

/// Kind, subject, channel.
pub(super) const REMOVE: &str =
    "DELETE FROM exclusion WHERE kind = $1 AND subject = $2 AND channel = $3";

/// Kind, subject and channel before the first, now, limit.
pub(super) const PAGE: &str = "SELECT subject, channel, issued_before, expire_at FROM exclusion \
    WHERE kind = $1 AND (subject, channel) > ($2, $3) \
    AND (expire_at IS NULL OR expire_at > $4) \
    ORDER BY subject, channel LIMIT $5";

/// Now, limit.
pub(super) const PURGE: &str = "DELETE FROM exclusion WHERE (kind, subject, channel) IN \
    (SELECT kind, subject, channel FROM exclusion WHERE expire_at <= $1 LIMIT $2)";

/// A row of [`PAGE`].
pub(super) type Row = (String, String, i64, Option<i64>);

/// What a row says; `None` if it could not have been written by [`PUT`].
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
    ($database:ident) => {
        impl $crate::repository::Exclusions for $database {
            fn apply<'a>(
                &'a self,
                changes: &'a [$crate::exclusion::Change],
                now: gyre_types::UnixSeconds,
            ) -> $crate::BoxFuture<'a, Result<(), $crate::sql::SqlError>> {
                use $crate::exclusion::Change;
                Box::pin(async move {
                    let mut transaction = self.pool.begin().await?;
                    for change in changes {
                        let key = change.key();
                        let statement = match change {
                            Change::Put(_) => super::statements::PUT,
                            Change::Remove(_) => super::statements::REMOVE,
                        };
                        let mut query = sqlx::query(statement)
                            .bind(key.kind().number())
                            .bind(key.subject())
                            .bind(key.channel());
                        if let Change::Put(exclusion) = change {
                            query = query
                                .bind(exclusion.issued_before.0)
                                .bind(exclusion.expire_at.map(|at| at.0))
                                .bind(now.0);
                        }
                        query.execute(&mut *transaction).await?;
                    }
                    Ok(transaction.commit().await?)
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
                Result<Vec<$crate::exclusion::Exclusion>, $crate::sql::SqlError>,
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
            ) -> $crate::BoxFuture<'_, Result<u64, $crate::sql::SqlError>> {
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
