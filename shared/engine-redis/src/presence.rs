use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use gyre_engine::{BoxFuture, Error, Members, Presence, PresenceStats};
use gyre_protocol::messages::ClientInfo;
use gyre_types::{ChannelName, ClientId};
use parking_lot::Mutex;
use redis::{Cmd, Value};
use tokio::time::{Instant, sleep};

use crate::broker::history::millis;
use crate::layout::Kind;
use crate::link::{Facts, Link, Repeat, Request, jittered};
use crate::scripts::Script;
use crate::wire;

/// How much longer than leases the members themselves are kept, so that those of processes that died
/// all at once go some day. They are written anew within half of that.
const MEMBERS_TTL_FACTOR: u32 = 60;

/// Who is in the channels, on Redis. Members count as long as the lease of their process in the
/// partition is valid, which is renewed for all of them at once.
pub(crate) struct RedisPresence {
    link: Link,
    /// Names this process in leases.
    gateway: String,
    /// Members of this process, by partition: what has to be there.
    own: Mutex<BTreeMap<u16, Own>>,
}

/// Members of this process in one partition.
#[derive(Debug)]
struct Own {
    members: HashMap<(ChannelName, ClientId), Arc<ClientInfo>>,
    /// When all of them were written last.
    written: Instant,
}

impl RedisPresence {
    /// Begins to renew leases.
    pub(crate) fn open(link: &Link) -> Arc<Self> {
        let presence = Arc::new(Self {
            link: link.clone(),
            gateway: uuid::Uuid::new_v4().simple().to_string(),
            own: Mutex::default(),
        });
        let renewing = Arc::clone(&presence);
        link.run(async move { renewing.renew().await });
        presence
    }

    async fn renew(&self) {
        loop {
            sleep(jittered(self.lease() / 3)).await;
            let partitions: Vec<u16> = self.own.lock().keys().copied().collect();
            let lost = self.renew_leases(&partitions).await;
            self.write_again(&lost).await;
        }
    }

    /// Renews leases. Partitions whose lease was not valid any more, or whose members are due.
    async fn renew_leases(&self, partitions: &[u16]) -> Vec<u16> {
        let layout = self.link.layout();
        let args = |command: &mut Cmd, _: &Facts| {
            command.arg(&self.gateway).arg(millis(self.lease()));
        };
        let requests: Vec<Request<'_>> = partitions
            .iter()
            .map(|partition| Request {
                partition: *partition,
                script: Script::Lease,
                keys: vec![layout.partition_key(Kind::Leases, *partition)],
                args: &args,
                repeat: Repeat::Freely,
            })
            .collect();
        let results = self.link.call_many(&requests).await;
        let due = self.members_ttl() / 2;
        let own = self.own.lock();
        partitions
            .iter()
            .zip(results)
            .filter(|(partition, result)| {
                let is_lost = matches!(result, Ok(Value::Int(0)));
                let is_due = |own: &Own| own.written.elapsed() >= due;
                result.is_ok() && (is_lost || own.get(partition).is_some_and(is_due))
            })
            .map(|(partition, _)| *partition)
            .collect()
    }

    /// Writes all members of these partitions.
    async fn write_again(&self, partitions: &[u16]) {
        for partition in partitions {
            let members: Vec<_> = match self.own.lock().get_mut(partition) {
                Some(own) => {
                    own.written = Instant::now();
                    own.members
                        .iter()
                        .map(|((channel, client), info)| {
                            (channel.clone(), client.clone(), Arc::clone(info))
                        })
                        .collect()
                }
                None => continue,
            };
            for (channel, client, info) in members {
                // The next round finds what failed: its lease is not valid then.
                let _ = self.write(&channel, &client, &info).await;
                if !self.is_own(*partition, &channel, &client) {
                    let _ = self.erase(&channel, &client).await;
                }
            }
        }
    }

    async fn write(
        &self,
        channel: &ChannelName,
        client: &ClientId,
        info: &ClientInfo,
    ) -> Result<(), Error> {
        let place = self.link.layout().place(channel.as_str());
        let value = self.value_of(info);
        let args = |command: &mut Cmd, _: &Facts| {
            command
                .arg(client.as_str())
                .arg(&*value)
                .arg(millis(self.members_ttl()))
                .arg(millis(self.lease()));
        };
        let request = Request {
            partition: place.partition,
            script: Script::MemberAdd,
            keys: self.keys(place.partition, channel),
            args: &args,
            repeat: Repeat::Freely,
        };
        self.link.call(&request).await.map(drop)
    }

    async fn erase(&self, channel: &ChannelName, client: &ClientId) -> Result<(), Error> {
        let place = self.link.layout().place(channel.as_str());
        let mut keys = self.keys(place.partition, channel);
        keys.truncate(2);
        let args = |command: &mut Cmd, _: &Facts| {
            command.arg(client.as_str());
        };
        let request = Request {
            partition: place.partition,
            script: Script::MemberRemove,
            keys,
            args: &args,
            repeat: Repeat::Freely,
        };
        self.link.call(&request).await.map(drop)
    }

    async fn add_member(
        &self,
        channel: &ChannelName,
        client: &ClientId,
        info: Arc<ClientInfo>,
    ) -> Result<(), Error> {
        let partition = self.link.layout().place(channel.as_str()).partition;
        {
            let mut own = self.own.lock();
            let own = own.entry(partition).or_insert_with(|| Own {
                members: HashMap::new(),
                written: Instant::now(),
            });
            own.members
                .insert((channel.clone(), client.clone()), Arc::clone(&info));
        }
        let written = self.write(channel, client, &info).await;
        if written.is_err() {
            self.disown(partition, channel, client);
        }
        written
    }

    fn disown(&self, partition: u16, channel: &ChannelName, client: &ClientId) {
        let mut all = self.own.lock();
        if let Some(own) = all.get_mut(&partition) {
            own.members.remove(&(channel.clone(), client.clone()));
            if own.members.is_empty() {
                all.remove(&partition);
            }
        }
    }

    fn is_own(&self, partition: u16, channel: &ChannelName, client: &ClientId) -> bool {
        let key = (channel.clone(), client.clone());
        let own = self.own.lock();
        own.get(&partition)
            .is_some_and(|own| own.members.contains_key(&key))
    }

    async fn list(&self, channel: &ChannelName) -> Result<Members, Error> {
        let place = self.link.layout().place(channel.as_str());
        let request = Request {
            partition: place.partition,
            script: Script::MemberList,
            keys: self.keys(place.partition, channel),
            args: &|_, _| {},
            repeat: Repeat::Freely,
        };
        let (value, _) = self.link.call(&request).await?;
        let pairs: Vec<(String, Vec<u8>)> =
            redis::from_redis_value(value).map_err(|_| wire::Foreign)?;
        pairs
            .into_iter()
            .map(|(client, value)| Ok((ClientId::new(&client), Arc::new(info_of(&value.into())?))))
            .collect()
    }

    async fn count(&self, channel: &ChannelName) -> Result<PresenceStats, Error> {
        let place = self.link.layout().place(channel.as_str());
        let mut keys = self.keys(place.partition, channel);
        keys.remove(0);
        let request = Request {
            partition: place.partition,
            script: Script::MemberCount,
            keys,
            args: &|_, _| {},
            repeat: Repeat::Freely,
        };
        let (value, _) = self.link.call(&request).await?;
        let (clients, users) = redis::from_redis_value(value).map_err(|_| wire::Foreign)?;
        Ok(PresenceStats { clients, users })
    }

    /// Members, users and leases.
    fn keys(&self, partition: u16, channel: &ChannelName) -> Vec<String> {
        let layout = self.link.layout();
        vec![
            layout.key(Kind::Members, partition, channel.as_str()),
            layout.key(Kind::Users, partition, channel.as_str()),
            layout.partition_key(Kind::Leases, partition),
        ]
    }

    /// «gateway:length:user» and the info.
    fn value_of(&self, info: &ClientInfo) -> Bytes {
        let head = format!("{}:{}:{}", self.gateway, info.user.len(), info.user);
        let encoded = wire::info(info);
        let mut value = BytesMut::with_capacity(head.len() + encoded.len());
        value.put_slice(head.as_bytes());
        value.put_slice(&encoded);
        value.freeze()
    }

    fn lease(&self) -> Duration {
        self.link.options().presence_ttl
    }

    fn members_ttl(&self) -> Duration {
        self.lease() * MEMBERS_TTL_FACTOR
    }
}

/// The info in a member's value.
fn info_of(value: &Bytes) -> Result<ClientInfo, wire::Foreign> {
    let mut colons = value.iter().enumerate().filter(|(_, byte)| **byte == b':');
    let (first, _) = colons.next().ok_or(wire::Foreign)?;
    let (second, _) = colons.next().ok_or(wire::Foreign)?;
    let len = value.get(first + 1..second).ok_or(wire::Foreign)?;
    let len: usize = std::str::from_utf8(len)
        .ok()
        .and_then(|len| len.parse().ok())
        .ok_or(wire::Foreign)?;
    let from = (second + 1).checked_add(len).ok_or(wire::Foreign)?;
    if from > value.len() {
        return Err(wire::Foreign);
    }
    wire::read_info(&value.slice(from..))
}

impl Presence for RedisPresence {
    fn add<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &'a ClientId,
        info: Arc<ClientInfo>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.add_member(channel, client, info))
    }

    fn remove<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &'a ClientId,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let partition = self.link.layout().place(channel.as_str()).partition;
        self.disown(partition, channel, client);
        Box::pin(self.erase(channel, client))
    }

    fn members<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<Members, Error>> {
        Box::pin(self.list(channel))
    }

    fn stats<'a>(
        &'a self,
        channel: &'a ChannelName,
    ) -> BoxFuture<'a, Result<PresenceStats, Error>> {
        Box::pin(self.count(channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_info_stands_behind_the_user() {
        let info = ClientInfo {
            user: "a:b".into(),
            client: "1".into(),
            ..ClientInfo::default()
        };
        let mut value = b"gateway:3:a:b".to_vec();
        value.extend_from_slice(&wire::info(&info));
        assert_eq!(info_of(&value.into()), Ok(info));
        for text in ["", "g:1", "g:x:a", "g:9:a"] {
            assert_eq!(info_of(&text.into()), Err(wire::Foreign), "{text}");
        }
    }
}
