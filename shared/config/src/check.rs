//! What options must be to each other.
//!
//! What one option may hold is said by its type; what is checked here spans several, and it is all
//! checked, so that one start tells everything.

mod channel;
mod client;
mod insecure;
mod proxy;
mod tls;

use std::collections::BTreeSet;

use regex::Regex;

use crate::Config;
use crate::load::Report;

/// Checks the whole configuration.
pub(crate) fn check(config: &Config, report: &mut Report) {
    client::check(config, report);
    channel::check(&config.channel, report);
    names(
        "rpc.namespaces",
        config
            .rpc
            .namespaces
            .iter()
            .map(|space| space.name.as_str()),
        report,
    );
    proxy::check(config, report);
    prefixes(config, report);
    tls::check(config, report);
    insecure::check(config, report);
}

/// Names of namespaces are well formed and unique.
fn names<'a>(list: &str, names: impl Iterator<Item = &'a str>, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        let path = path_of_item(list, index, name) + ".name";
        let is_name_character =
            |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        if name.len() < 2 || !name.chars().all(is_name_character) {
            let expected = "2 or more of the letters A to Z and a to z, digits, '-', '_' and '.'";
            report.conflict(&path, format!("{name:?}"), expected, &[]);
        } else if !seen.insert(name) {
            report.conflict(
                &path,
                format!("{name:?}"),
                "a name that no other item has",
                &[],
            );
        }
    }
}

/// The path of an item: by its name, or by its place if it has none.
fn path_of_item(list: &str, index: usize, name: &str) -> String {
    if name.is_empty() {
        format!("{list}[{index}]")
    } else {
        format!("{list}[{name}]")
    }
}

/// Paths of endpoints begin with a slash.
fn prefixes(config: &Config, report: &mut Report) {
    let prefixes = [
        ("websocket.handler_prefix", &config.websocket.handler_prefix),
        (
            "http_stream.handler_prefix",
            &config.http_stream.handler_prefix,
        ),
        ("sse.handler_prefix", &config.sse.handler_prefix),
        ("emulation.handler_prefix", &config.emulation.handler_prefix),
        (
            "uni_websocket.handler_prefix",
            &config.uni_websocket.handler_prefix,
        ),
        ("uni_sse.handler_prefix", &config.uni_sse.handler_prefix),
        (
            "uni_http_stream.handler_prefix",
            &config.uni_http_stream.handler_prefix,
        ),
        ("init.handler_prefix", &config.init.handler_prefix),
        ("http_api.handler_prefix", &config.http_api.handler_prefix),
        ("health.handler_prefix", &config.health.handler_prefix),
        (
            "prometheus.handler_prefix",
            &config.prometheus.handler_prefix,
        ),
    ];
    for (path, prefix) in prefixes {
        if !prefix.starts_with('/') {
            report.conflict(
                path,
                format!("{prefix:?}"),
                "a path that begins with '/'",
                &[],
            );
        }
    }
}

/// A regular expression, if there is one, compiles.
fn regex(path: &str, expression: &str, report: &mut Report) {
    if !expression.is_empty() && Regex::new(expression).is_err() {
        report.conflict(path, format!("{expression:?}"), "a regular expression", &[]);
    }
}

#[cfg(test)]
mod tests;
