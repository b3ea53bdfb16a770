//! Exclusions in a table on Redis.
//!
//! A key is the number of the kind, `:`, the subject, a zero byte and the channel, so that keys lie in the
//! order of subjects and then of channels. A value is what the row is (`p` put, `r` removed), the second
//! before which tokens are void and the second in which it ends, with spaces between.

use gyre_engine_redis::{Row, Table};
use gyre_store::{
    BoxFuture, Change, DatabaseError, Exclusion, Exclusions, Key, Kind, REMOVED_SECS,
};
use gyre_types::UnixSeconds;

/// The repository.
#[derive(Debug)]
pub(crate) struct OnRedis(pub(crate) Table);

impl Exclusions for OnRedis {
    fn is_shared(&self) -> bool {
        true
    }

    fn version(&self) -> BoxFuture<'_, Result<i64, DatabaseError>> {
        Box::pin(async move { self.0.number().await.map_err(failed) })
    }

    fn since(
        &self,
        after: i64,
        limit: u32,
    ) -> BoxFuture<'_, Result<Vec<(i64, Change)>, DatabaseError>> {
        Box::pin(async move {
            let rows = self.0.since(after, limit).await.map_err(failed)?;
            let changes = rows
                .into_iter()
                .filter_map(|(number, key, value)| Some((number, change_of(&key, &value)?)));
            Ok(changes.collect())
        })
    }

    fn apply<'a>(
        &'a self,
        changes: &'a [Change],
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        Box::pin(async move {
            let rows: Vec<Row> = changes.iter().map(|change| row(change, now)).collect();
            match rows.is_empty() {
                true => Ok(()),
                false => self.0.put(&rows).await.map_err(failed),
            }
        })
    }

    fn page<'a>(
        &'a self,
        kind: Kind,
        after: Option<&'a Key>,
        now: UnixSeconds,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<Exclusion>, DatabaseError>> {
        Box::pin(async move {
            let (prefix, mut after) = (prefix(kind), after.map(written));
            loop {
                let page = self.0.page(&prefix, after.as_deref(), now.0, limit).await;
                let page = page.map_err(failed)?;
                let Some((last, _)) = page.last() else {
                    return Ok(Vec::new());
                };
                after = Some(last.to_vec());
                let changes = page.iter().filter_map(|(key, value)| change_of(key, value));
                let exclusions: Vec<Exclusion> = changes
                    .filter_map(|change| match change {
                        Change::Put(exclusion) => Some(exclusion),
                        Change::Remove(_) => None,
                    })
                    .collect();
                // Marks of what was removed are rows too: a page of them is not the end.
                if !exclusions.is_empty() {
                    return Ok(exclusions);
                }
            }
        })
    }

    fn purge(&self, now: UnixSeconds, limit: u32) -> BoxFuture<'_, Result<u64, DatabaseError>> {
        Box::pin(async move { self.0.purge(now.0, limit).await.map_err(failed) })
    }
}

fn failed(error: gyre_engine::Error) -> DatabaseError {
    DatabaseError::Other(Box::new(error))
}

fn prefix(kind: Kind) -> Vec<u8> {
    format!("{}:", kind.number()).into_bytes()
}

fn written(key: &Key) -> Vec<u8> {
    let parts = [
        &*prefix(key.kind()),
        key.subject().as_bytes(),
        b"\0",
        key.channel().as_bytes(),
    ];
    parts.concat()
}

fn row(change: &Change, now: UnixSeconds) -> Row {
    let (mark, issued_before, end) = match change {
        Change::Put(put) => ("p", put.issued_before.0, put.expire_at.map(|at| at.0)),
        Change::Remove(_) => ("r", 0, Some(now.0.saturating_add(REMOVED_SECS))),
    };
    let ends = end.map_or_else(|| "-".to_owned(), |end| end.to_string());
    Row {
        key: written(change.key()),
        value: format!("{mark} {issued_before} {ends}"),
        end,
    }
}

/// What a row says; `None` if it is not one of ours.
fn change_of(key: &[u8], value: &str) -> Option<Change> {
    let key = std::str::from_utf8(key).ok()?;
    let (number, name) = key.split_once(':')?;
    let (subject, channel) = name.split_once('\0')?;
    let number: i16 = number.parse().ok()?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.number() == number)?;
    let key = Key::new(kind, subject, channel).ok()?;
    let mut words = value.split(' ');
    match words.next()? {
        "p" => Some(Change::Put(Exclusion {
            key,
            issued_before: UnixSeconds(words.next()?.parse().ok()?),
            expire_at: match words.next()? {
                "-" => None,
                end => Some(UnixSeconds(end.parse().ok()?)),
            },
        })),
        "r" => Some(Change::Remove(key)),
        _ => None,
    }
}
