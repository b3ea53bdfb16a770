use gyre_types::{Capability, limits};
use regex::Regex;

use crate::pattern;

/// Something that a client may be allowed to do in a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Right {
    /// To subscribe.
    Subscribe = 1,
    /// To publish.
    Publish = 1 << 1,
    /// To ask who is there, and to be told who joins and leaves.
    Presence = 1 << 2,
    /// To read history, and to ask for positioning and recovery.
    History = 1 << 3,
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rights(u8);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);

    /// The rights of these names; a name that is none gives nothing.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut rights = Self::default();
        for name in names {
            rights.0 |= match name {
                "sub" => Right::Subscribe as u8,
                "pub" => Right::Publish as u8,
                "prs" => Right::Presence as u8,
                "hst" => Right::History as u8,
                _ => 0,
            };
        }
        rights
    }

    /// Whether a right is among them.
    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.0 & right as u8 != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rights of either.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The same without one.
    #[must_use]
    pub const fn without(self, right: Right) -> Self {
        Self(self.0 & !(right as u8))
    }
}

/// A connection has more capabilities than are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "capabilities: at most {} entries with {} channels are expected",
    limits::CAPABILITIES_MAX,
    limits::CAPABILITY_PATTERNS_MAX
)]
pub struct TooManyCapabilities;

/// What one connection is allowed beyond what the namespaces allow everybody. Nothing subtracts: a
/// right is there if any entry gives it.
#[derive(Clone, Debug)]
pub struct Capabilities(Box<[Entry]>);

#[derive(Clone, Debug)]
struct Entry {
    channels: Box<[Pattern]>,
    rights: Rights,
}

#[derive(Clone, Debug)]
enum Pattern {
    Name(Box<str>),
    Regex(Box<Regex>),
}

impl Capabilities {
    /// Compiles capabilities; `None`: they allow nothing. A pattern that is none, and a kind of
    /// pattern that does not exist, match no channel.
    ///
    /// # Errors
    ///
    /// There are more than [`limits::CAPABILITIES_MAX`] or [`limits::CAPABILITY_PATTERNS_MAX`].
    pub fn new(capabilities: &[Capability]) -> Result<Option<Self>, TooManyCapabilities> {
        let patterns: usize = capabilities.iter().map(|one| one.channels.len()).sum();
        if capabilities.len() > limits::CAPABILITIES_MAX
            || patterns > limits::CAPABILITY_PATTERNS_MAX
        {
            return Err(TooManyCapabilities);
        }
        let entries: Box<[Entry]> = capabilities
            .iter()
            .map(|one| Entry {
                channels: one
                    .channels
                    .iter()
                    .filter_map(|text| Pattern::new(&one.matching, text))
                    .collect(),
                rights: Rights::named(one.allow.iter().map(String::as_str)),
            })
            .filter(|entry| !entry.channels.is_empty() && !entry.rights.is_empty())
            .collect();
        Ok((!entries.is_empty()).then_some(Self(entries)))
    }

    /// What they allow in a channel.
    #[must_use]
    pub fn rights(&self, channel: &str) -> Rights {
        self.0
            .iter()
            .filter(|entry| entry.channels.iter().any(|one| one.matches(channel)))
            .fold(Rights::default(), |rights, entry| rights.and(entry.rights))
    }
}

impl Pattern {
    fn new(matching: &str, text: &str) -> Option<Self> {
        let regex = match matching {
            "" => return Some(Self::Name(text.into())),
            "wildcard" => Regex::new(&wildcard(text)),
            "doublestar" => Regex::new(&doublestar(text)),
            "regex" => pattern::compile(text),
            _ => return None,
        };
        regex.ok().map(|regex| Self::Regex(Box::new(regex)))
    }

    fn matches(&self, channel: &str) -> bool {
        match self {
            Self::Name(name) => **name == *channel,
            Self::Regex(regex) => regex.is_match(channel),
        }
    }
}

/// `*` is any run of characters, `?` any one.
fn wildcard(text: &str) -> String {
    let mut regex = String::from("(?s)^");
    for character in text.chars() {
        match character {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    regex
}

/// As in paths: `*` is a run without `/`, `?` a character that is none, `**` a run of any.
fn doublestar(text: &str) -> String {
    let mut regex = String::from("(?s)^");
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let (ours, len) = if rest.starts_with("/**/") {
            ("/(?:.*/)?", "/**/".len())
        } else if rest.starts_with("**") {
            (".*", "**".len())
        } else if character == '*' {
            ("[^/]*", 1)
        } else if character == '?' {
            ("[^/]", 1)
        } else {
            regex.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
            ("", character.len_utf8())
        };
        regex.push_str(ours);
        rest = rest.get(len..).unwrap_or_default();
    }
    regex.push('$');
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(matching: &str, channels: &[&str], allow: &[&str]) -> Capability {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Capability {
            channels: owned(channels),
            matching: matching.to_owned(),
            allow: owned(allow),
        }
    }

    fn rights(capabilities: &[Capability], channel: &str) -> Rights {
        let compiled = Capabilities::new(capabilities).unwrap();
        compiled.map_or(Rights::NONE, |compiled| compiled.rights(channel))
    }

    #[test]
    fn a_right_holds_where_its_entry_does() {
        let entries = [
            entry("", &["news"], &["sub", "hst"]),
            entry("", &["user_42", "news"], &["pub"]),
        ];
        let news = rights(&entries, "news");
        assert!(news.has(Right::Subscribe) && news.has(Right::History) && news.has(Right::Publish));
        assert!(!news.has(Right::Presence));
        let user = rights(&entries, "user_42");
        assert!(user.has(Right::Publish) && !user.has(Right::Subscribe));
        assert!(rights(&entries, "other").is_empty());
    }

    #[test]
    fn patterns_are_read_as_their_kind_says() {
        for (matching, pattern, channel, is_match) in [
            ("", "news", "news", true),
            ("", "n*", "news", false),
            ("wildcard", "news:*", "news:a:b", true),
            ("wildcard", "news:*", "old:news:a", false),
            ("wildcard", "a?c", "abc", true),
            ("wildcard", "a?c", "ac", false),
            ("wildcard", "a.c", "abc", false),
            ("wildcard", "*", "\u{e9}\n", true),
            ("regex", r"posts_\d+", "xposts_1y", true),
            ("regex", r"^posts_\d+$", "xposts_1y", false),
            ("regex", "(", "(", false),
            ("doublestar", "a/*", "a/b", true),
            ("doublestar", "a/*", "a/b/c", false),
            ("doublestar", "a/**", "a/b/c", true),
            ("doublestar", "a/**/c", "a/c", true),
            ("doublestar", "a/**/c", "a/b/b/c", true),
            ("doublestar", "a/?", "a//", false),
            ("sql", "%", "a", false),
        ] {
            let found = rights(&[entry(matching, &[pattern], &["sub"])], channel);
            assert_eq!(
                found.has(Right::Subscribe),
                is_match,
                "{matching} {pattern} on {channel}"
            );
        }
    }

    #[test]
    fn names_of_rights_that_do_not_exist_give_nothing() {
        assert!(Rights::named(["all", ""]).is_empty());
        let both = Rights::named(["sub", "prs"]);
        assert!(both.without(Right::Subscribe).has(Right::Presence));
        assert!(!both.without(Right::Subscribe).has(Right::Subscribe));
    }

    #[test]
    fn their_number_is_limited() {
        let one = entry("", &["a"], &["sub"]);
        let most = vec![one.clone(); limits::CAPABILITIES_MAX];
        assert!(Capabilities::new(&most).unwrap().is_some());
        let more = vec![one; limits::CAPABILITIES_MAX + 1];
        assert_eq!(Capabilities::new(&more).err(), Some(TooManyCapabilities));

        let names = vec!["a"; limits::CAPABILITY_PATTERNS_MAX + 1];
        let wide = entry("", &names, &["sub"]);
        assert_eq!(Capabilities::new(&[wide]).err(), Some(TooManyCapabilities));
        assert!(Capabilities::new(&[]).unwrap().is_none());
    }
}
