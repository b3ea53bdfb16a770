use std::fmt;

use gyre_engine::{BoxFuture, Error, Status, Statuses};
use gyre_runtime::Clock;
use gyre_types::UnixSeconds;
use redis::{Cmd, Value};

use crate::broker::history::millis;
use crate::layout::Kind;
use crate::link::{Facts, Link, Repeat, Request};
use crate::scripts::Script;
use crate::wire::Foreign;

/// When users were last there, on Redis.
pub(crate) struct RedisStatuses {
    link: Link,
    clock: Clock,
}

impl fmt::Debug for RedisStatuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStatuses").finish_non_exhaustive()
    }
}

impl RedisStatuses {
    pub(crate) const fn new(link: Link, clock: Clock) -> Self {
        Self { link, clock }
    }

    /// Runs a script for each user that is somebody.
    async fn for_each(
        &self,
        users: &[String],
        script: Script,
        args: &(dyn Fn(&mut Cmd, &Facts) + Sync),
    ) -> Vec<Result<Value, Error>> {
        let layout = self.link.layout();
        let named = users.iter().filter(|user| !user.is_empty());
        let requests: Vec<Request<'_>> = named
            .map(|user| {
                let partition = layout.place(user).partition;
                Request {
                    partition,
                    script,
                    keys: vec![layout.key(Kind::Status, partition, user)],
                    args,
                    repeat: Repeat::Freely,
                }
            })
            .collect();
        self.link.call_many(&requests).await
    }

    async fn set(&self, users: &[String], fields: &[(&str, &str)]) -> Result<(), Error> {
        let ttl = millis(self.link.options().status_ttl);
        let args = |command: &mut Cmd, _: &Facts| {
            command.arg(ttl);
            for (name, value) in fields {
                command.arg(*name).arg(*value);
            }
        };
        let done = self.for_each(users, Script::StatusSet, &args).await;
        done.into_iter().try_for_each(|one| one.map(drop))
    }

    async fn read(&self, users: &[String]) -> Result<Vec<Status>, Error> {
        let found = self.for_each(users, Script::StatusRead, &|_, _| {}).await;
        let mut found = found.into_iter();
        let read = users.iter().map(|user| {
            if user.is_empty() {
                return Ok(Status::default());
            }
            found.next().unwrap_or(Ok(Value::Nil)).and_then(status_of)
        });
        read.collect()
    }

    fn now(&self) -> String {
        self.clock.now().unix_seconds().0.to_string()
    }
}

fn status_of(value: Value) -> Result<Status, Error> {
    let (active, online, state): (Option<i64>, Option<i64>, Option<String>) =
        redis::from_redis_value(value).map_err(|_| Foreign)?;
    Ok(Status {
        active: active.map(UnixSeconds),
        online: online.map(UnixSeconds),
        state: state.unwrap_or_default(),
    })
}

impl Statuses for RedisStatuses {
    fn act<'a>(&'a self, users: &'a [String], state: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let now = self.now();
            let fields = [("a", &*now), ("s", state)];
            let given = if state.is_empty() { 1 } else { 2 };
            self.set(users, fields.get(..given).unwrap_or(&fields))
                .await
        })
    }

    fn appear<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.set(users, &[("o", &*self.now())]).await })
    }

    fn statuses<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<Vec<Status>, Error>> {
        Box::pin(self.read(users))
    }

    fn forget<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let done = self.for_each(users, Script::StatusForget, &|_, _| {}).await;
            done.into_iter().try_for_each(|one| one.map(drop))
        })
    }
}
