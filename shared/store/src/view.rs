use std::hash::Hash;

use gyre_types::UnixSeconds;
use hashbrown::{Equivalent, HashMap};
use parking_lot::RwLock;

use crate::error::Error;
use crate::exclusion::{Change, Exclusion, Key, Kind};

/// Most exclusions of a kind, expired ones that are not swept yet included.
///
/// 1 000 000: some 150 MB with users of 40 bytes; what is kept out expires, or is far less.
pub const ENTRIES_MAX: usize = 1_000_000;

/// When something was made void, without its key.
#[derive(Clone, Copy, Debug)]
struct Mark {
    issued_before: UnixSeconds,
    expire_at: Option<UnixSeconds>,
}

impl Mark {
    fn holds(self, now: UnixSeconds) -> bool {
        self.expire_at.is_none_or(|at| now < at)
    }
}

/// A key's two texts.
#[derive(Debug, Eq, Hash, PartialEq)]
struct Name {
    subject: Box<str>,
    channel: Box<str>,
}

/// A borrowed [`Name`]: hashes as one.
#[derive(Hash)]
struct NameRef<'a> {
    subject: &'a str,
    channel: &'a str,
}

impl Equivalent<Name> for NameRef<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        *self.subject == *name.subject && *self.channel == *name.channel
    }
}

type Marks = HashMap<Name, Mark, foldhash::fast::RandomState>;

/// What is kept out, in memory: look-ups cost no query and no allocation.
#[derive(Debug, Default)]
pub struct View {
    users: RwLock<Marks>,
    tokens: RwLock<Marks>,
    tokens_of_users: RwLock<Marks>,
}

impl View {
    /// Whether a user is blocked.
    #[must_use]
    pub fn is_blocked(&self, user: &str, now: UnixSeconds) -> bool {
        self.find(Kind::User, user, "", now).is_some()
    }

    /// Whether the token of this id is revoked. An empty id never is.
    #[must_use]
    pub fn is_revoked(&self, token_id: &str, now: UnixSeconds) -> bool {
        self.find(Kind::Token, token_id, "", now).is_some()
    }

    /// Whether a user's token of this age is void: a connection token if `channel` is empty, else a
    /// subscription token of that channel. A token that does not say when it was made never is.
    #[must_use]
    pub fn is_invalidated(
        &self,
        user: &str,
        channel: &str,
        issued_at: Option<UnixSeconds>,
        now: UnixSeconds,
    ) -> bool {
        let Some(issued_at) = issued_at else {
            return false;
        };
        let is_before = |channel: &str| {
            self.find(Kind::TokensOfUser, user, channel, now)
                .is_some_and(|mark| issued_at < mark.issued_before)
        };
        is_before("") || (!channel.is_empty() && is_before(channel))
    }

    /// How many entries of a kind there are, expired ones that are not swept yet included.
    #[must_use]
    pub fn len(&self, kind: Kind) -> usize {
        self.marks(kind).read().len()
    }

    /// Whether nothing of a kind is kept out.
    #[must_use]
    pub fn is_empty(&self, kind: Kind) -> bool {
        self.len(kind) == 0
    }

    /// Whether these changes fit, one after the other.
    ///
    /// # Errors
    ///
    /// [`Error::Full`].
    pub(crate) fn check_room(&self, change: &Change, coming: usize) -> Result<(), Error> {
        let Change::Put(Exclusion { key, .. }) = change else {
            return Ok(());
        };
        let marks = self.marks(key.kind()).read();
        if marks.len() + coming < ENTRIES_MAX || marks.contains_key(&name(key)) {
            return Ok(());
        }
        Err(Error::Full(key.kind()))
    }

    /// Takes a change over.
    pub(crate) fn apply(&self, change: Change) {
        match change {
            Change::Put(exclusion) => self.put(&exclusion),
            Change::Remove(key) => {
                self.marks(key.kind()).write().remove(&name(&key));
            }
        }
    }

    /// Takes a change of another process over. One more than there is room for is left out, which is
    /// logged: nobody can be told.
    pub(crate) fn follow(&self, change: Change) {
        match self.check_room(&change, 0) {
            Ok(()) => self.apply(change),
            Err(error) => {
                tracing::error!(%error, "an exclusion of another process does not hold here");
            }
        }
    }

    /// Has these and no others of a kind.
    pub(crate) fn replace(&self, kind: Kind, all: &[Exclusion]) {
        let entries = all.iter().take(ENTRIES_MAX).map(entry);
        *self.marks(kind).write() = entries.collect();
    }

    /// Forgets what no longer holds.
    pub(crate) fn sweep(&self, now: UnixSeconds) {
        for kind in Kind::ALL {
            let mut marks = self.marks(kind).write();
            marks.retain(|_, mark| mark.holds(now));
            if marks.capacity() > 4 * marks.len() {
                marks.shrink_to_fit();
            }
        }
    }

    fn put(&self, exclusion: &Exclusion) {
        let (name, mark) = entry(exclusion);
        self.marks(exclusion.key.kind()).write().insert(name, mark);
    }

    fn find(&self, kind: Kind, subject: &str, channel: &str, now: UnixSeconds) -> Option<Mark> {
        let marks = self.marks(kind).read();
        if marks.is_empty() {
            return None; // The usual case, without hashing.
        }
        let mark = marks.get(&NameRef { subject, channel })?;
        mark.holds(now).then_some(*mark)
    }

    const fn marks(&self, kind: Kind) -> &RwLock<Marks> {
        match kind {
            Kind::User => &self.users,
            Kind::Token => &self.tokens,
            Kind::TokensOfUser => &self.tokens_of_users,
        }
    }
}

const fn name(key: &Key) -> NameRef<'_> {
    NameRef {
        subject: key.subject(),
        channel: key.channel(),
    }
}

fn entry(exclusion: &Exclusion) -> (Name, Mark) {
    let mark = Mark {
        issued_before: exclusion.issued_before,
        expire_at: exclusion.expire_at,
    };
    let key = &exclusion.key;
    let name = Name {
        subject: key.subject().into(),
        channel: key.channel().into(),
    };
    (name, mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(100);

    fn put(view: &View, kind: Kind, subject: &str, channel: &str, issued_before: i64) {
        view.apply(Change::Put(Exclusion {
            key: Key::new(kind, subject, channel).unwrap(),
            issued_before: UnixSeconds(issued_before),
            expire_at: Some(UnixSeconds(110)),
        }));
    }

    #[test]
    fn kinds_do_not_mix() {
        let view = View::default();
        put(&view, Kind::User, "x", "", 0);
        assert!(view.is_blocked("x", NOW));
        assert!(!view.is_revoked("x", NOW));
        assert!(!view.is_invalidated("x", "", Some(UnixSeconds(-1)), NOW));
        assert!(!view.is_blocked("y", NOW) && !view.is_blocked("", NOW));
    }

    #[test]
    fn tokens_are_void_by_age_and_channel() {
        let view = View::default();
        put(&view, Kind::TokensOfUser, "ann", "", 50);
        put(&view, Kind::TokensOfUser, "ann", "news", 70);
        let table = [
            ("ann", "", Some(49), true),
            ("ann", "", Some(50), false),
            ("ann", "", None, false),
            ("ann", "news", Some(69), true),
            ("ann", "news", Some(70), false),
            ("ann", "chat", Some(49), true),
            ("ann", "chat", Some(69), false),
            ("bob", "news", Some(1), false),
        ];
        for (user, channel, issued_at, is_void) in table {
            let issued_at = issued_at.map(UnixSeconds);
            let found = view.is_invalidated(user, channel, issued_at, NOW);
            assert_eq!(found, is_void, "{user} {channel} {issued_at:?}");
        }
    }

    #[test]
    fn what_has_expired_does_not_hold_and_is_swept() {
        let view = View::default();
        put(&view, Kind::User, "x", "", 0);
        assert!(view.is_blocked("x", UnixSeconds(109)));
        assert!(!view.is_blocked("x", UnixSeconds(110)));
        view.sweep(UnixSeconds(109));
        assert_eq!(view.len(Kind::User), 1);
        view.sweep(UnixSeconds(110));
        assert!(view.is_empty(Kind::User));
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused() {
        let view = View::default();
        put(&view, Kind::User, "x", "", 0);
        let block = |user| {
            Change::Put(Exclusion {
                key: Key::new(Kind::User, user, "").unwrap(),
                issued_before: UnixSeconds(0),
                expire_at: None,
            })
        };
        assert!(view.check_room(&block("y"), ENTRIES_MAX - 2).is_ok());
        assert!(view.check_room(&block("y"), ENTRIES_MAX - 1).is_err());
        // It replaces what is there.
        assert!(view.check_room(&block("x"), ENTRIES_MAX - 1).is_ok());
        let unblock = Change::Remove(block("y").key().clone());
        assert!(view.check_room(&unblock, ENTRIES_MAX).is_ok());
    }
}
