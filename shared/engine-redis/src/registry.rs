use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use gyre_engine::{BoxFuture, Error, Gateway, Permits, Registry};
use parking_lot::Mutex;
use redis::Cmd;
use tokio::time::sleep;

use crate::broker::history::millis;
use crate::layout::Kind;
use crate::link::{Facts, Link, Repeat, Request, jittered};
use crate::scripts::Script;
use crate::wire::Foreign;

/// Where the entries lie: they are few, and read together.
const PARTITION: u16 = 0;

/// Which gateways live, on Redis.
pub(crate) struct RedisRegistry {
    link: Link,
    /// Entries of this process, which it renews.
    own: Mutex<BTreeMap<String, Gateway>>,
}

impl RedisRegistry {
    /// Begins to renew entries.
    pub(crate) fn open(link: &Link) -> Arc<Self> {
        let registry = Arc::new(Self {
            link: link.clone(),
            own: Mutex::default(),
        });
        let renewing = Arc::clone(&registry);
        link.run(async move { renewing.renew().await });
        registry
    }

    async fn renew(&self) {
        loop {
            sleep(jittered(self.lease() / 3)).await;
            let own: Vec<Gateway> = self.own.lock().values().cloned().collect();
            for gateway in own {
                if let Err(error) = self.enter(&gateway).await {
                    tracing::warn!(%error, id = gateway.id, "the entry of a gateway was not renewed");
                }
                // It may have been withdrawn meanwhile.
                let is_own = self.own.lock().contains_key(&gateway.id);
                if !is_own {
                    let _ = self.leave(&gateway.id).await;
                }
            }
        }
    }

    async fn enter(&self, gateway: &Gateway) -> Result<(), Error> {
        let entry = written(gateway);
        let args = |command: &mut Cmd, _: &Facts| {
            command
                .arg(&gateway.id)
                .arg(&entry)
                .arg(millis(self.lease()));
        };
        let request = self.request(Script::GatewayEnter, &args);
        self.link.call(&request).await.map(drop)
    }

    async fn leave(&self, id: &str) -> Result<(), Error> {
        let args = |command: &mut Cmd, _: &Facts| {
            command.arg(id);
        };
        let request = self.request(Script::GatewayLeave, &args);
        self.link.call(&request).await.map(drop)
    }

    async fn list(&self) -> Result<Vec<Gateway>, Error> {
        let request = self.request(Script::GatewayList, &|_, _| {});
        let (value, _) = self.link.call(&request).await?;
        let entries: BTreeMap<String, String> =
            redis::from_redis_value(value).map_err(|_| Foreign)?;
        let read = entries
            .into_iter()
            .map(|(id, entry)| read(id, &entry).ok_or_else(|| Foreign.into()));
        read.collect()
    }

    async fn take(&self, name: &str, per_second: u32, wanted: u32) -> Result<Permits, Error> {
        let args = |command: &mut Cmd, _: &Facts| {
            command.arg(name).arg(per_second).arg(wanted);
        };
        let meters = [Kind::Meters];
        // Asking twice takes more than is used: slower than it could be, never faster.
        let request = self.request_of(&meters, Script::Permits, &args);
        let (value, _) = self.link.call(&request).await?;
        let (granted, wait_us) = redis::from_redis_value(value).map_err(|_| Foreign)?;
        Ok(Permits {
            granted,
            wait: Duration::from_micros(wait_us),
        })
    }

    fn request<'a>(
        &self,
        script: Script,
        args: &'a (dyn Fn(&mut Cmd, &Facts) + Sync),
    ) -> Request<'a> {
        self.request_of(&[Kind::Gateways, Kind::GatewayLeases], script, args)
    }

    fn request_of<'a>(
        &self,
        kinds: &[Kind],
        script: Script,
        args: &'a (dyn Fn(&mut Cmd, &Facts) + Sync),
    ) -> Request<'a> {
        let layout = self.link.layout();
        let key = |kind: &Kind| layout.partition_key(*kind, PARTITION);
        Request {
            partition: PARTITION,
            script,
            keys: kinds.iter().map(key).collect(),
            args,
            repeat: Repeat::Freely,
        }
    }

    fn lease(&self) -> Duration {
        self.link.options().gateway_ttl
    }
}

/// «length:name» and the address; the length is that of the name.
fn written(gateway: &Gateway) -> String {
    let Gateway { name, address, .. } = gateway;
    format!("{}:{name}{address}", name.len())
}

fn read(id: String, entry: &str) -> Option<Gateway> {
    let (len, rest) = entry.split_once(':')?;
    let (name, address) = rest.split_at_checked(len.parse().ok()?)?;
    Some(Gateway {
        id,
        name: name.to_owned(),
        address: address.to_owned(),
    })
}

impl Registry for RedisRegistry {
    fn announce(&self, gateway: Gateway) -> BoxFuture<'_, Result<(), Error>> {
        self.own.lock().insert(gateway.id.clone(), gateway.clone());
        Box::pin(async move { self.enter(&gateway).await })
    }

    fn withdraw<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        self.own.lock().remove(id);
        Box::pin(self.leave(id))
    }

    fn gateways(&self) -> BoxFuture<'_, Result<Vec<Gateway>, Error>> {
        Box::pin(self.list())
    }

    fn permits<'a>(
        &'a self,
        name: &'a str,
        per_second: NonZeroU32,
        wanted: u32,
    ) -> BoxFuture<'a, Result<Permits, Error>> {
        Box::pin(self.take(name, per_second.get(), wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let gateway = Gateway {
            id: "1".to_owned(),
            name: "näme:7".to_owned(),
            address: "host:8100".to_owned(),
        };
        assert_eq!(read("1".to_owned(), &written(&gateway)), Some(gateway));
        assert_eq!(read("1".to_owned(), "9:a"), None);
        assert_eq!(read("1".to_owned(), "a"), None);
    }
}
