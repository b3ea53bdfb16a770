use std::sync::Arc;

use foldhash::fast::RandomState;
use gyre_engine::{BoxFuture, Error, Members, Presence, PresenceStats};
use gyre_protocol::messages::ClientInfo;
use gyre_types::{ChannelName, ClientId};
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::stripes::Stripes;

/// Who is in the channels of this process. Members have no lease: they end with the process.
#[derive(Debug, Default)]
pub(crate) struct MemoryPresence {
    stripes: Stripes<Mutex<Channels>>,
}

/// Only channels with members.
type Channels = HashMap<ChannelName, Channel, RandomState>;

#[derive(Debug, Default)]
struct Channel {
    members: HashMap<ClientId, Arc<ClientInfo>, RandomState>,
    /// Members of each user: counted as they come and go, so that nobody has to walk over them.
    users: HashMap<Arc<str>, usize, RandomState>,
}

impl MemoryPresence {
    fn stripe(&self, channel: &ChannelName) -> &Mutex<Channels> {
        self.stripes.of(self.stripes.hash(channel))
    }

    fn remove_now(&self, channel: &ChannelName, client: &ClientId) {
        let mut channels = self.stripe(channel).lock();
        let Some(found) = channels.get_mut(channel) else {
            return;
        };
        found.remove(client);
        if found.members.is_empty() {
            channels.remove(channel);
        }
    }

    fn members_now(&self, channel: &ChannelName) -> Members {
        let copied: Vec<_> = match self.stripe(channel).lock().get(channel) {
            Some(found) => found
                .members
                .iter()
                .map(|(id, info)| (id.clone(), Arc::clone(info)))
                .collect(),
            None => return Members::new(),
        };
        // Sorted when the lock is free again.
        copied.into_iter().collect()
    }

    fn stats_now(&self, channel: &ChannelName) -> PresenceStats {
        match self.stripe(channel).lock().get(channel) {
            Some(found) => PresenceStats {
                clients: found.members.len(),
                users: found.users.len(),
            },
            None => PresenceStats::default(),
        }
    }
}

impl Channel {
    fn add(&mut self, client: &ClientId, info: Arc<ClientInfo>) {
        *self.users.entry(Arc::clone(&info.user)).or_default() += 1;
        if let Some(replaced) = self.members.insert(client.clone(), info) {
            self.forget_one_of(&replaced.user);
        }
    }

    fn remove(&mut self, client: &ClientId) {
        if let Some(removed) = self.members.remove(client) {
            self.forget_one_of(&removed.user);
        }
    }

    fn forget_one_of(&mut self, user: &Arc<str>) {
        if let Some(count) = self.users.get_mut(user) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(user);
            }
        }
    }
}

impl Presence for MemoryPresence {
    fn add<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &'a ClientId,
        info: Arc<ClientInfo>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let mut channels = self.stripe(channel).lock();
            channels
                .entry(channel.clone())
                .or_default()
                .add(client, info);
            Ok(())
        })
    }

    fn remove<'a>(
        &'a self,
        channel: &'a ChannelName,
        client: &'a ClientId,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.remove_now(channel, client);
            Ok(())
        })
    }

    fn members<'a>(&'a self, channel: &'a ChannelName) -> BoxFuture<'a, Result<Members, Error>> {
        Box::pin(async move { Ok(self.members_now(channel)) })
    }

    fn stats<'a>(
        &'a self,
        channel: &'a ChannelName,
    ) -> BoxFuture<'a, Result<PresenceStats, Error>> {
        Box::pin(async move { Ok(self.stats_now(channel)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_everybody_left_takes_no_memory() {
        let presence = MemoryPresence::default();
        let channel = ChannelName::new("room").unwrap();
        let client = ClientId::new("client");
        let add = || {
            let mut channels = presence.stripe(&channel).lock();
            channels
                .entry(channel.clone())
                .or_default()
                .add(&client, Arc::default());
        };
        add();
        add();
        assert_eq!(presence.stripe(&channel).lock().len(), 1);
        presence.remove_now(&channel, &client);
        assert_eq!(presence.stripe(&channel).lock().len(), 0);
        presence.remove_now(&channel, &client);
    }

    #[test]
    fn a_user_without_members_is_forgotten() {
        let mut channel = Channel::default();
        for (id, user) in [("1", "ann"), ("2", "ann"), ("2", "bob"), ("1", "bob")] {
            let info = ClientInfo {
                user: user.into(),
                ..ClientInfo::default()
            };
            channel.add(&ClientId::new(id), Arc::new(info));
        }
        let users: Vec<(&str, usize)> = channel
            .users
            .iter()
            .map(|(user, n)| (&**user, *n))
            .collect();
        assert_eq!(users, [("bob", 2)]);
    }
}
