use gyre_config::Channel;
use gyre_protocol::codes::Error;

/// How channels are named: an empty separator is one that no name contains.
#[derive(Debug)]
pub(crate) struct Names {
    length_max: Option<usize>,
    private_prefix: String,
    namespace_boundary: String,
    user_boundary: String,
    user_separator: String,
}

/// A channel's name, divided. What has no namespace is all rest, the private prefix included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Divided<'a> {
    /// Name of the namespace; empty: none.
    pub(crate) namespace: &'a str,
    /// What the rules of names are about.
    pub(crate) rest: &'a str,
}

impl Names {
    pub(crate) fn new(options: &Channel) -> Self {
        Self {
            length_max: options.max_length.get(),
            private_prefix: options.private_prefix.clone(),
            namespace_boundary: options.namespace_boundary.clone(),
            user_boundary: options.user_boundary.clone(),
            user_separator: options.user_separator.clone(),
        }
    }

    /// Divides the name at its first boundary; the private prefix is not part of the namespace.
    pub(crate) fn divide<'a>(&self, channel: &'a str) -> Divided<'a> {
        let public = channel
            .strip_prefix(&self.private_prefix)
            .unwrap_or(channel);
        match split_once(public, &self.namespace_boundary) {
            Some((namespace, rest)) => Divided { namespace, rest },
            None => Divided {
                namespace: "",
                rest: channel,
            },
        }
    }

    /// Whether only a token opens the channel.
    pub(crate) fn is_private(&self, channel: &str) -> bool {
        !self.private_prefix.is_empty() && channel.starts_with(&self.private_prefix)
    }

    /// The users that the name lists, if it lists any.
    pub(crate) fn users<'a>(&'a self, channel: &'a str) -> Option<impl Iterator<Item = &'a str>> {
        if self.user_boundary.is_empty() {
            return None;
        }
        let (_, list) = channel.rsplit_once(&self.user_boundary)?;
        let separator = self.user_separator.as_str();
        let (first, others) = split_once(list, separator)
            .map_or((list, None), |(first, others)| (first, Some(others)));
        let others = others
            .into_iter()
            .flat_map(move |list| list.split(separator));
        Some(std::iter::once(first).chain(others))
    }

    /// The channel that belongs to this user alone.
    pub(crate) fn personal(&self, namespace: &str, user: &str) -> String {
        let Self {
            namespace_boundary,
            user_boundary,
            ..
        } = self;
        match namespace {
            "" => format!("{user_boundary}{user}"),
            name => format!("{name}{namespace_boundary}{user_boundary}{user}"),
        }
    }

    /// Checks the length, which counts bytes.
    pub(crate) fn check_length(&self, channel: &str) -> Result<(), Error> {
        if self.length_max.is_some_and(|most| channel.len() > most) {
            return Err(Error::BAD_REQUEST);
        }
        Ok(())
    }
}

/// Splits at the first separator; an empty one is nowhere.
pub(crate) fn split_once<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    if separator.is_empty() {
        return None;
    }
    text.split_once(separator)
}

#[cfg(test)]
mod tests {
    use gyre_config::Limit;

    use super::*;

    #[test]
    fn the_namespace_ends_at_the_first_boundary() {
        let names = Names::new(&Channel::default());
        for (channel, namespace, rest) in [
            ("news", "", "news"),
            ("ns:news", "ns", "news"),
            ("ns:a:b", "ns", "a:b"),
            (":news", "", "news"),
            ("ns:", "ns", ""),
            (":", "", ""),
            ("$ns:news", "ns", "news"),
            ("$news", "", "$news"),
            ("$$ns:a", "$ns", "a"),
            ("n$s:a", "n$s", "a"),
        ] {
            assert_eq!(
                names.divide(channel),
                Divided { namespace, rest },
                "{channel}"
            );
        }
    }

    #[test]
    fn separators_may_be_other_and_longer() {
        let names = Names::new(&Channel {
            private_prefix: "!!".into(),
            namespace_boundary: "::".into(),
            user_boundary: "@@".into(),
            user_separator: "; ".into(),
            ..Channel::default()
        });
        let divided = Divided {
            namespace: "ns",
            rest: "a:b",
        };
        assert_eq!(names.divide("!!ns::a:b"), divided);
        assert!(names.is_private("!!a") && !names.is_private("!a") && !names.is_private("$a"));
        assert_eq!(users(&names, "a@@b; c"), Some(vec!["b", "c"]));
        assert_eq!(users(&names, "a@b"), None);
        assert_eq!(names.personal("ns", "42"), "ns::@@42");
    }

    #[test]
    fn an_empty_separator_is_nowhere() {
        let names = Names::new(&Channel {
            private_prefix: String::new(),
            namespace_boundary: String::new(),
            user_boundary: String::new(),
            user_separator: String::new(),
            max_length: Limit(-1),
            ..Channel::default()
        });
        let divided = Divided {
            namespace: "",
            rest: "$ns:a#1,2",
        };
        assert_eq!(names.divide("$ns:a#1,2"), divided);
        assert!(!names.is_private("$a"));
        assert_eq!(users(&names, "$ns:a#1,2"), None);
        assert!(names.check_length(&"a".repeat(100_000)).is_ok());
        let whole = Names {
            user_boundary: "#".into(),
            ..names
        };
        assert_eq!(users(&whole, "a#1,2"), Some(vec!["1,2"]));
    }

    #[test]
    fn users_stand_behind_the_last_boundary() {
        let names = Names::new(&Channel::default());
        for (channel, expected) in [
            ("dialog", None),
            ("dialog#1", Some(vec!["1"])),
            ("dialog#1,2,3", Some(vec!["1", "2", "3"])),
            ("a#1#2", Some(vec!["2"])),
            ("a#", Some(vec![""])),
            ("#1", Some(vec!["1"])),
            ("a#1,,2", Some(vec!["1", "", "2"])),
            ("ns#1:a", Some(vec!["1:a"])),
        ] {
            assert_eq!(users(&names, channel), expected, "{channel}");
        }
    }

    #[test]
    fn length_counts_bytes() {
        let names = Names::new(&Channel::default());
        assert!(names.check_length(&"a".repeat(255)).is_ok());
        assert_eq!(
            names.check_length(&"a".repeat(256)),
            Err(Error::BAD_REQUEST)
        );
        assert_eq!(
            names.check_length(&"é".repeat(128)),
            Err(Error::BAD_REQUEST)
        );
    }

    fn users<'a>(names: &'a Names, channel: &'a str) -> Option<Vec<&'a str>> {
        names.users(channel).map(Iterator::collect)
    }
}
