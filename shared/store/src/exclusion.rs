use gyre_types::UnixSeconds;

/// Longest user, token id or channel that can be kept out. Unit: bytes.
///
/// 1024: two of them still fit into an entry of PostgreSQL's index, which takes 2704.
pub const TEXT_BYTES_MAX: usize = 1024;

/// What is kept out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A user, whatever the token says.
    User,
    /// The token of this id (`jti`).
    Token,
    /// A user's tokens that were made (`iat`) before some time.
    TokensOfUser,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::User, Self::Token, Self::TokensOfUser];

    /// Section of the configuration that says where this kind is kept.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::User => "user_block",
            Self::Token => "token_revoke",
            Self::TokensOfUser => "user_tokens_invalidate",
        }
    }

    /// The number that stands in the table. Never given to another kind.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::User => 1,
            Self::Token => 2,
            Self::TokensOfUser => 3,
        }
    }
}

/// The text cannot be kept out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a user, a token id and a channel have at most {TEXT_BYTES_MAX} bytes, none of them zero, and the first two have some"
)]
pub struct BadSubject;

/// Who or what is kept out. Of two exclusions with the same key the later one stands.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    kind: Kind,
    subject: Box<str>,
    channel: Box<str>,
}

impl Key {
    /// Names a user or a token, by kind; `channel` is empty unless only subscription tokens of that
    /// channel are meant.
    ///
    /// # Errors
    ///
    /// [`BadSubject`].
    pub fn new(kind: Kind, subject: &str, channel: &str) -> Result<Self, BadSubject> {
        let is_fine = |text: &str| text.len() <= TEXT_BYTES_MAX && !text.contains('\0');
        if subject.is_empty() || !is_fine(subject) || !is_fine(channel) {
            return Err(BadSubject);
        }
        Ok(Self {
            kind,
            subject: subject.into(),
            channel: channel.into(),
        })
    }

    /// What is kept out.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The user or the token id. Never empty.
    #[must_use]
    pub const fn subject(&self) -> &str {
        &self.subject
    }

    /// Channel of the subscription tokens that are meant; empty: all tokens.
    #[must_use]
    pub const fn channel(&self) -> &str {
        &self.channel
    }
}

/// Keeps a user or tokens out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exclusion {
    /// Who or what.
    pub key: Key,
    /// Tokens made before this second are void. Zero but for [`Kind::TokensOfUser`].
    pub issued_before: UnixSeconds,
    /// First second in which it no longer holds; `None`: it holds for ever.
    pub expire_at: Option<UnixSeconds>,
}

impl Exclusion {
    /// Whether it still keeps anybody out.
    #[must_use]
    pub fn holds(&self, now: UnixSeconds) -> bool {
        self.expire_at.is_none_or(|at| now < at)
    }
}

/// A change of what is kept out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// From now on this holds, in place of what had the same key.
    Put(Exclusion),
    /// Nothing of this key holds any longer.
    Remove(Key),
}

impl Change {
    /// What is changed.
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::Put(exclusion) => &exclusion.key,
            Self::Remove(key) => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_a_limit_and_no_zero_byte() {
        let longest = "x".repeat(TEXT_BYTES_MAX);
        let longer = "x".repeat(TEXT_BYTES_MAX + 1);
        let table = [
            ("ann", "", true),
            ("", "news", false),
            (longest.as_str(), longest.as_str(), true),
            (longer.as_str(), "", false),
            ("ann", longer.as_str(), false),
            ("a\0", "", false),
            ("ann", "\0", false),
        ];
        for (subject, channel, is_fine) in table {
            let key = Key::new(Kind::TokensOfUser, subject, channel);
            assert_eq!(key.is_ok(), is_fine, "{} {}", subject.len(), channel.len());
        }
    }

    #[test]
    fn it_ends_with_the_second_that_is_named() {
        let exclusion = |expire_at| Exclusion {
            key: Key::new(Kind::User, "ann", "").unwrap(),
            issued_before: UnixSeconds(0),
            expire_at,
        };
        assert!(exclusion(None).holds(UnixSeconds(i64::MAX)));
        assert!(exclusion(Some(UnixSeconds(10))).holds(UnixSeconds(9)));
        assert!(!exclusion(Some(UnixSeconds(10))).holds(UnixSeconds(10)));
    }
}
