//! What a running process takes on of a configuration that was read again.

use crate::problem::Problems;
use crate::value::Value;
use crate::{Config, check, document};

use super::Report;

/// Options that take effect at once, and those below them.
const LIVE: &[&str] = &[
    "channel",
    "client",
    "grpc_api.key",
    "http_api.key",
    "log.level",
    "rpc",
];

/// Of those, what waits for the next start all the same.
const WAITING: &[&str] = &["channel.proxy", "client.proxy", "rpc.proxy"];

/// A configuration between two others.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// What holds from now on: the options that take effect at once from the new configuration, all
    /// others from the old one.
    pub config: Config,
    /// Paths of the options that have changed and wait for the next start.
    pub waiting: Vec<String>,
}

/// Takes what takes effect at once from `new`, and the rest from `old`.
///
/// # Errors
///
/// [`Problems`], if what has changed does not go with what stays.
pub fn reloaded(old: &Config, new: &Config) -> Result<Reloaded, Problems> {
    let mut waiting = Vec::new();
    let tree = merge("", &document::tree(old), &document::tree(new), &mut waiting);
    let mut report = Report::default();
    let config = super::typed(&tree, &mut report);
    check::check(&config, &mut report);
    report.finish()?;
    Ok(Reloaded { config, waiting })
}

/// Whether an option takes effect at once.
pub(crate) fn is_live(path: &str) -> bool {
    let is_in = |tops: &[&str]| {
        let is_at = |top: &&str| {
            let rest = path.strip_prefix(*top);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        tops.iter().any(is_at)
    };
    is_in(LIVE) && !is_in(WAITING)
}

fn merge(path: &str, old: &Value, new: &Value, waiting: &mut Vec<String>) -> Value {
    if let Value::Map(entries) = old {
        let merged = entries.iter().map(|(name, value)| {
            let path = match path {
                "" => name.clone(),
                _ => format!("{path}.{name}"),
            };
            let new = new.get(name).unwrap_or(value);
            (name.clone(), merge(&path, value, new, waiting))
        });
        return Value::Map(merged.collect());
    }
    if is_live(path) {
        return new.clone();
    }
    if old != new {
        waiting.push(path.to_owned());
    }
    old.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Namespace;
    use crate::log::Level;
    use crate::{Limit, Secret};

    #[test]
    fn what_is_live_is_taken_and_the_rest_is_named() {
        let old = Config::default();
        let mut new = old.clone();
        new.log.level = Level::Debug;
        new.log.file = "elsewhere.log".to_owned();
        new.client.channel_limit = Limit(7);
        new.client.token.hmac_secret_key = Secret::new("new");
        new.http_api.key = Secret::new("letmein");
        new.http_api.handler_prefix = "/other".to_owned();
        new.channel.namespaces.push(Namespace {
            name: "news".to_owned(),
            ..Namespace::default()
        });
        let Reloaded { config, waiting } = reloaded(&old, &new).unwrap();
        assert_eq!(waiting, ["log.file", "http_api.handler_prefix"]);
        new.log.file = old.log.file;
        new.http_api.handler_prefix = old.http_api.handler_prefix;
        assert_eq!(config, new);
    }

    #[test]
    fn every_live_path_is_one_of_an_option() {
        let paths = crate::reference::paths();
        for top in LIVE {
            let has_option = paths.iter().any(|path| path.starts_with(top));
            assert!(has_option, "{top} is no option");
        }
        assert!(is_live("channel.namespaces[].history_size"));
        assert!(!is_live("client.proxy.connect.endpoint"));
        assert!(!is_live("clients"));
    }
}
