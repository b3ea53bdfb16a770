use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use gyre_engine::{ChannelState, Transition};
use gyre_types::{UnixMillis, Uptime};

/// What is so, what was recorded, and what will be due.
#[derive(Debug, Default)]
pub(super) struct Table {
    channels: HashMap<Arc<str>, Entry>,
    /// Channels whose state may differ from the recorded one, in the order in which they changed.
    dirty: VecDeque<Arc<str>>,
    /// Channels that are vacated then, unless somebody comes.
    due: BTreeMap<Uptime, Vec<Arc<str>>>,
    /// Names of proxies, each kept once.
    proxies: Vec<Arc<str>>,
}

#[derive(Debug)]
struct Entry {
    proxy: Arc<str>,
    /// Whether it counts as in use.
    is_used: bool,
    /// Whether the outbox says so.
    is_recorded: bool,
    /// When it is vacated.
    leaves_at: Option<Uptime>,
    /// It stands in `dirty`.
    is_dirty: bool,
}

impl Table {
    /// A channel has a subscriber; whether that is news.
    pub(super) fn occupied(&mut self, channel: &str, proxy: &str) -> bool {
        let name = self.name(proxy);
        if let Some(entry) = self.channels.get_mut(channel) {
            entry.leaves_at = None;
            // The configuration may have changed since.
            entry.proxy = name;
            if entry.is_used {
                return false;
            }
            entry.is_used = true;
            return self.mark(channel);
        }
        self.insert(channel, name, false);
        self.mark(channel)
    }

    /// A channel has no subscriber any more; whether it is the first that will be due.
    pub(super) fn vacated(&mut self, channel: &str, due: Uptime) -> bool {
        let Some((channel, _)) = self.channels.get_key_value(channel) else {
            return false;
        };
        let channel = Arc::clone(channel);
        let Some(entry) = self.channels.get_mut(&channel) else {
            return false;
        };
        if !entry.is_used || entry.leaves_at.is_some() {
            return false;
        }
        entry.leaves_at = Some(due);
        let is_first = self
            .due
            .first_key_value()
            .is_none_or(|(first, _)| due < *first);
        self.due.entry(due).or_default().push(channel);
        is_first
    }

    /// A channel was in use before the process started.
    pub(super) fn was_in_use(&mut self, channel: &str, proxy: &str, due: Uptime) {
        if !self.channels.contains_key(channel) {
            let name = self.name(proxy);
            self.insert(channel, name, true);
            self.vacated(channel, due);
        }
    }

    /// When the next channel is vacated.
    pub(super) fn next_due(&self) -> Option<Uptime> {
        self.due.first_key_value().map(|(due, _)| *due)
    }

    /// Vacates what is due.
    pub(super) fn advance(&mut self, now: Uptime) {
        while let Some(first) = self.due.first_entry()
            && *first.key() <= now
        {
            let (due, channels) = first.remove_entry();
            for channel in channels {
                let entry = self.channels.get_mut(&channel);
                // Somebody came back, and perhaps left again: that has its own time.
                if let Some(entry) = entry.filter(|entry| entry.leaves_at == Some(due)) {
                    entry.leaves_at = None;
                    entry.is_used = false;
                    self.mark(&channel);
                }
            }
        }
    }

    /// What has to be recorded, at most `limit`, in the order in which it changed.
    pub(super) fn take(&mut self, limit: usize, at: UnixMillis) -> Vec<Transition> {
        let mut taken = Vec::new();
        while taken.len() < limit
            && let Some(channel) = self.dirty.pop_front()
        {
            let Some(entry) = self.channels.get_mut(&channel) else {
                continue;
            };
            entry.is_dirty = false;
            if entry.is_used == entry.is_recorded {
                self.drop_unused(&channel);
                continue;
            }
            taken.push(Transition {
                channel: Box::from(&*channel),
                proxy: Box::from(&*entry.proxy),
                state: match entry.is_used {
                    true => ChannelState::Occupied,
                    false => ChannelState::Vacated,
                },
                at,
            });
        }
        taken
    }

    /// These were recorded.
    pub(super) fn recorded(&mut self, transitions: &[Transition]) {
        for transition in transitions {
            if let Some(entry) = self.channels.get_mut(&*transition.channel) {
                entry.is_recorded = transition.state == ChannelState::Occupied;
                if entry.is_used == entry.is_recorded {
                    self.drop_unused(&transition.channel);
                } else {
                    self.mark(&transition.channel);
                }
            }
        }
    }

    /// These were not: they are taken again, before all others.
    pub(super) fn not_recorded(&mut self, transitions: &[Transition]) {
        for transition in transitions.iter().rev() {
            let known = self.channels.get_key_value(&*transition.channel);
            let Some(channel) = known.map(|(channel, _)| Arc::clone(channel)) else {
                continue;
            };
            if let Some(entry) = self.channels.get_mut(&channel)
                && !entry.is_dirty
            {
                entry.is_dirty = true;
                self.dirty.push_front(channel);
            }
        }
    }

    /// Whether something has to be recorded.
    pub(super) fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    fn insert(&mut self, channel: &str, proxy: Arc<str>, is_recorded: bool) {
        let entry = Entry {
            proxy,
            is_used: true,
            is_recorded,
            leaves_at: None,
            is_dirty: false,
        };
        self.channels.insert(channel.into(), entry);
    }

    /// Puts a channel into the list of those to record; whether it was not there.
    fn mark(&mut self, channel: &str) -> bool {
        let Some((channel, _)) = self.channels.get_key_value(channel) else {
            return false;
        };
        let channel = Arc::clone(channel);
        let Some(entry) = self.channels.get_mut(&channel) else {
            return false;
        };
        if std::mem::replace(&mut entry.is_dirty, true) {
            return false;
        }
        self.dirty.push_back(channel);
        true
    }

    fn drop_unused(&mut self, channel: &str) {
        if let Some(entry) = self.channels.get(channel)
            && !entry.is_used
            && !entry.is_dirty
        {
            self.channels.remove(channel);
        }
    }

    fn name(&mut self, proxy: &str) -> Arc<str> {
        if let Some(known) = self.proxies.iter().find(|known| &***known == proxy) {
            return Arc::clone(known);
        }
        let name: Arc<str> = proxy.into();
        self.proxies.push(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixMillis = UnixMillis(7);

    fn at(millis: u64) -> Uptime {
        Uptime::from_millis(millis)
    }

    /// What is recorded now, as `+channel` and `-channel`.
    fn record(table: &mut Table) -> Vec<String> {
        let taken = table.take(100, AT);
        table.recorded(&taken);
        let sign = |state| match state {
            ChannelState::Occupied => '+',
            ChannelState::Vacated => '-',
        };
        taken
            .iter()
            .map(|one| format!("{}{}", sign(one.state), one.channel))
            .collect()
    }

    #[test]
    fn first_and_last_are_recorded_and_nothing_is_left() {
        let mut table = Table::default();
        assert!(table.occupied("a", "p"));
        assert!(!table.occupied("a", "p"));
        assert_eq!(record(&mut table), ["+a"]);
        assert!(table.vacated("a", at(5)));
        table.advance(at(4));
        assert!(record(&mut table).is_empty());
        table.advance(at(5));
        assert_eq!(record(&mut table), ["-a"]);
        assert!(table.channels.is_empty() && table.due.is_empty());
    }

    #[test]
    fn who_comes_back_was_never_away() {
        let mut table = Table::default();
        table.occupied("a", "p");
        record(&mut table);
        table.vacated("a", at(5));
        table.occupied("a", "p");
        table.advance(at(10));
        assert!(record(&mut table).is_empty());
        table.vacated("a", at(15));
        table.advance(at(15));
        assert_eq!(record(&mut table), ["-a"]);
    }

    #[test]
    fn who_leaves_twice_is_vacated_at_the_second_time() {
        let mut table = Table::default();
        table.occupied("a", "p");
        record(&mut table);
        table.vacated("a", at(5));
        table.occupied("a", "p");
        table.vacated("a", at(8));
        table.advance(at(5));
        assert!(record(&mut table).is_empty());
        table.advance(at(8));
        assert_eq!(record(&mut table), ["-a"]);
    }

    #[test]
    fn what_was_over_before_it_was_recorded_is_left_out() {
        let mut table = Table::default();
        table.occupied("a", "p");
        table.vacated("a", at(1));
        table.advance(at(1));
        assert!(record(&mut table).is_empty());
        assert!(table.channels.is_empty());
    }

    #[test]
    fn what_could_not_be_recorded_comes_again_and_first() {
        let mut table = Table::default();
        table.occupied("a", "p");
        table.occupied("b", "p");
        let taken = table.take(100, AT);
        table.occupied("c", "p");
        table.vacated("a", at(1));
        table.advance(at(1));
        table.not_recorded(&taken);
        assert_eq!(record(&mut table), ["+b", "+c"], "a is over");
    }

    #[test]
    fn a_change_while_it_is_recorded_comes_next() {
        let mut table = Table::default();
        table.occupied("a", "p");
        let taken = table.take(100, AT);
        table.vacated("a", at(1));
        table.advance(at(1));
        table.recorded(&taken);
        assert_eq!(record(&mut table), ["-a"]);
        assert!(table.channels.is_empty());
    }

    #[test]
    fn what_was_in_use_before_is_vacated_unless_somebody_comes() {
        let mut table = Table::default();
        table.was_in_use("a", "p", at(30));
        table.was_in_use("b", "p", at(30));
        assert!(!table.occupied("b", "p"), "the backend knows");
        assert_eq!(table.next_due(), Some(at(30)));
        table.advance(at(30));
        assert_eq!(record(&mut table), ["-a"]);
    }

    #[test]
    fn a_channel_that_nobody_had_is_not_vacated() {
        let mut table = Table::default();
        assert!(!table.vacated("a", at(1)));
        assert!(!table.is_dirty());
    }
}
