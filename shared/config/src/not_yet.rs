//! Options of the tree that have no effect in this version.

use std::collections::BTreeSet;

use crate::load::{is_variable_below, is_variable_of};

/// The table, as `not_yet.txt` says it; its head explains how to read it.
#[derive(Debug, Default)]
pub(crate) struct NotYet {
    /// Options that have no type yet, by their paths with `[]` for any item of a list.
    later: BTreeSet<String>,
    /// Paths that everything below is no option with a type yet.
    whole: BTreeSet<String>,
    /// Options that are read and checked already.
    inert: BTreeSet<String>,
}

/// What stands in the table about a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Known {
    /// It is an option, or something below a section that is known as a whole.
    Option,
    /// Options stand below it.
    Section,
}

impl NotYet {
    /// Reads the table.
    pub(crate) fn read() -> Self {
        let text = include_str!("not_yet.txt");
        let mut table = Self::default();
        let rules: Vec<Rule<'_>> = text.lines().filter_map(Rule::parse).collect();
        for rule in &rules {
            if rule.kind != Kind::Block {
                rule.expand(rule.head, &rules, &mut |path| table.insert(rule.kind, path));
            }
        }
        table
    }

    fn insert(&mut self, kind: Kind, path: String) {
        match (kind, path.strip_suffix(".*")) {
            (Kind::Inert, _) => self.inert.insert(path),
            (_, Some(whole)) => self.whole.insert(whole.to_owned()),
            (_, None) => self.later.insert(path),
        };
    }

    /// What is known about a name that has no type.
    pub(crate) fn find(&self, pattern: &str) -> Option<Known> {
        if has_below(&self.later, pattern) || has_below(&self.whole, pattern) {
            return Some(Known::Section);
        }
        let is_option = self.later.contains(pattern)
            || self
                .whole
                .iter()
                .any(|whole| pattern == whole || is_below(pattern, whole));
        is_option.then_some(Known::Option)
    }

    /// Whether an option that has a type is without effect.
    pub(crate) fn is_inert(&self, pattern: &str) -> bool {
        self.inert.contains(pattern)
    }

    /// The option without a type whose variable this is, by the variable's name without prefix.
    pub(crate) fn of_variable(&self, bare: &str) -> Option<&str> {
        let later = self.later.iter().find(|path| is_variable_of(bare, path));
        later
            .or_else(|| {
                self.whole
                    .iter()
                    .find(|whole| is_variable_below(bare, whole))
            })
            .map(String::as_str)
    }

    /// Every option without a type, and `path.*` for what is known as a whole.
    pub(crate) fn later(&self) -> impl Iterator<Item = String> {
        self.later
            .iter()
            .cloned()
            .chain(self.whole.iter().map(|path| format!("{path}.*")))
    }

    /// Every option that has a type and no effect.
    #[cfg(test)]
    pub(crate) fn inert(&self) -> impl Iterator<Item = &str> {
        self.inert.iter().map(String::as_str)
    }
}

fn is_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// Whether the set has a path below this one.
fn has_below(paths: &BTreeSet<String>, top: &str) -> bool {
    ['.', '['].iter().any(|mark| {
        let first = format!("{top}{mark}");
        paths
            .range(first.clone()..)
            .next()
            .is_some_and(|path| path.starts_with(&first))
    })
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Block,
    Later,
    Inert,
}

/// A line of the table.
#[derive(Debug)]
struct Rule<'a> {
    kind: Kind,
    /// The block's name, or the path that the names stand below.
    head: &'a str,
    names: Vec<&'a str>,
}

impl<'a> Rule<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (head, names) = line.split_once(':')?;
        let mut head = head.split_whitespace();
        let kind = match head.next()? {
            "block" => Kind::Block,
            "later" => Kind::Later,
            "inert" => Kind::Inert,
            _ => return None,
        };
        Some(Self {
            kind,
            head: head.next().unwrap_or(""),
            names: names.split_whitespace().collect(),
        })
    }

    /// Hands out every path that the line stands for.
    fn expand(&self, top: &str, rules: &[Rule<'_>], found: &mut dyn FnMut(String)) {
        for name in &self.names {
            let (name, block) = name.split_once('@').unwrap_or((name, ""));
            let path = match (top, name) {
                ("", _) => name.to_owned(),
                (_, "") => top.to_owned(),
                _ => format!("{top}.{name}"),
            };
            if block.is_empty() {
                found(path);
                continue;
            }
            for rule in rules
                .iter()
                .filter(|rule| rule.kind == Kind::Block && rule.head == block)
            {
                rule.expand(&path, rules, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::paths;

    #[test]
    fn no_option_is_both_typed_and_later() {
        let table = NotYet::read();
        for path in paths() {
            assert_ne!(table.find(&path), Some(Known::Option), "{path} has a type");
        }
    }

    #[test]
    fn what_has_no_effect_has_a_type() {
        let (table, typed) = (NotYet::read(), paths());
        for path in table.inert() {
            assert!(
                typed.iter().any(|typed| typed == path),
                "{path} has no type"
            );
        }
    }

    #[test]
    fn every_line_is_a_rule_with_known_blocks() {
        let lines = include_str!("not_yet.txt").lines();
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rules: Vec<Rule<'_>> = lines
            .map(|line| Rule::parse(line).unwrap_or_else(|| panic!("{line} is no rule")))
            .collect();
        let is_block = |name: &str| {
            rules
                .iter()
                .any(|rule| rule.kind == Kind::Block && rule.head == name)
        };
        for (_, block) in rules
            .iter()
            .flat_map(|rule| &rule.names)
            .filter_map(|name| name.split_once('@'))
        {
            assert!(is_block(block), "{block} is no block");
        }
    }

    #[test]
    fn blocks_are_taken_in() {
        let table = NotYet::read();
        for path in [
            "analytics.rpc.tls.cert_pem",
            "broker.redis.sentinel_tls.server_name",
            "broker.nats.raw_mode.prefix",
            "client.proxy.connect.http.use_fast_client",
            "proxies[].http.use_fast_client",
            "consumers",
            "consumers[].kafka.brokers",
            "push_notifications.fcm.credentials_file",
        ] {
            let found = if path == "consumers" {
                Known::Section
            } else {
                Known::Option
            };
            assert_eq!(table.find(path), Some(found), "{path}");
        }
        assert_eq!(table.find("analytics.rpc"), Some(Known::Section));
        assert_eq!(table.find("uni_ss"), None);
        assert_eq!(table.find("analytics.rpc.tls.certificate"), None);
    }

    #[test]
    fn variables_are_found_through_names_of_items() {
        let table = NotYet::read();
        let of = |bare| table.of_variable(bare);
        assert_eq!(of("CONSUMERS"), Some("consumers"));
        assert_eq!(
            of("PROXIES_A_B_HTTP_USE_FAST_CLIENT"),
            Some("proxies[].http.use_fast_client")
        );
        assert_eq!(of("BROKER_REDIS_ADDRESS"), Some("broker.redis.address"));
        assert_eq!(of("CONSUMERS_K_KAFKA_BROKERS"), Some("consumers[].kafka"));
        assert_eq!(of("PROXIES_HTTP_USE_FAST_CLIENT"), None);
        assert_eq!(of("BROKER_REDIS_ADRESS"), None);
    }
}
