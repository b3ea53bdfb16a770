use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use gyre_engine::Error;
use gyre_runtime::Tasks;
use redis::{Cmd, Value};

use crate::layout::{Kind, Layout};
use crate::link::{Facts, Link, Repeat, Request};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::scripts::Script;
use crate::wire::Foreign;

/// Where the table lies: it is small, and read as a whole.
const PARTITION: u16 = 0;

/// A small table that processes share: rows in the order of their keys, each numbered when it is put.
#[derive(Clone)]
pub struct Table {
    link: Link,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

/// A row as it is put.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// What it is found by.
    pub key: Vec<u8>,
    /// What it says.
    pub value: String,
    /// First second in which it is over; `None`: it never is.
    pub end: Option<i64>,
}

impl Table {
    /// Begins to connect. What it does besides runs on `tasks`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn open(options: Options, tasks: &Tasks, metrics: &Metrics) -> Self {
        let layout = Layout::new(&options.prefix, 1, 1);
        Self {
            link: Link::open_beside(options, Arc::new(layout), tasks, metrics),
        }
    }

    /// Puts rows in the place of those with the same keys; all of them or none.
    ///
    /// # Errors
    ///
    /// [`Error`]. It may be repeated.
    ///
    /// # Cancel safety
    ///
    /// What was sent is done.
    pub async fn put(&self, rows: &[Row]) -> Result<(), Error> {
        let args = |command: &mut Cmd, _: &Facts| {
            for row in rows {
                let end = row.end.map_or_else(String::new, |end| end.to_string());
                command.arg(&row.key).arg(&row.value).arg(end);
            }
        };
        self.call(Script::TablePut, &args).await.map(drop)
    }

    /// Number of the latest change.
    ///
    /// # Errors
    ///
    /// [`Error`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn number(&self) -> Result<i64, Error> {
        let number = self.call(Script::TableNumber, &|_, _| {}).await?;
        let number: Option<i64> = read(number)?;
        Ok(number.unwrap_or_default())
    }

    /// At most so many changes with numbers above `after`: number, key and value of each.
    ///
    /// # Errors
    ///
    /// [`Error`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn since(&self, after: i64, limit: u32) -> Result<Vec<(i64, Bytes, String)>, Error> {
        let args = |command: &mut Cmd, _: &Facts| {
            command.arg(after).arg(limit);
        };
        let flat: Vec<Bytes> = read(self.call(Script::TableSince, &args).await?)?;
        let rows = flat.as_chunks::<3>().0.iter();
        let rows = rows.map(|[number, key, value]| {
            let number = text(number)?.parse().map_err(|_| Foreign)?;
            Ok((number, key.clone(), text(value)?))
        });
        rows.collect()
    }

    /// At most so many rows that are not over `now`, with keys that begin with `prefix` and come after
    /// `after`, which does too.
    ///
    /// # Errors
    ///
    /// [`Error`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn page(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        now: i64,
        limit: u32,
    ) -> Result<Vec<(Bytes, String)>, Error> {
        let first = match after {
            Some(after) => [b"(", after].concat(),
            None => [b"[", prefix].concat(),
        };
        // No text has this byte.
        let last = [b"(", prefix, b"\xff"].concat();
        let args = |command: &mut Cmd, _: &Facts| {
            command.arg(&first).arg(&last).arg(now).arg(limit);
        };
        let flat: Vec<Bytes> = read(self.call(Script::TablePage, &args).await?)?;
        let rows = flat.as_chunks::<2>().0.iter();
        rows.map(|[key, value]| Ok((key.clone(), text(value)?)))
            .collect()
    }

    /// Forgets at most so many rows that are over; how many there were.
    ///
    /// # Errors
    ///
    /// [`Error`].
    ///
    /// # Cancel safety
    ///
    /// What was sent is done.
    pub async fn purge(&self, now: i64, limit: u32) -> Result<u64, Error> {
        let args = |command: &mut Cmd, _: &Facts| {
            command.arg(now).arg(limit);
        };
        read(self.call(Script::TablePurge, &args).await?)
    }

    async fn call(
        &self,
        script: Script,
        args: &(dyn Fn(&mut Cmd, &Facts) + Sync),
    ) -> Result<Value, Error> {
        let layout = self.link.layout();
        let keys = [
            Kind::TableRows,
            Kind::TableOrder,
            Kind::TableChanges,
            Kind::TableEnds,
            Kind::TableNumber,
        ];
        let request = Request {
            partition: PARTITION,
            script,
            keys: keys
                .map(|kind| layout.partition_key(kind, PARTITION))
                .to_vec(),
            args,
            // The same rows again are the same table.
            repeat: Repeat::Freely,
        };
        let (value, _) = self.link.call(&request).await?;
        Ok(value)
    }
}

fn read<T: redis::FromRedisValue>(value: Value) -> Result<T, Error> {
    redis::from_redis_value(value).map_err(|_| Foreign.into())
}

fn text(bytes: &Bytes) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Foreign.into())
}
