use gyre_config::Config;
use gyre_runtime::listen::path::{BadPath, parse};

/// Path of readiness, which has no option of its own.
const READY: &str = "/ready";

/// Why the configured paths cannot be served.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum Clash {
    /// Not a path at all.
    #[error("{option}: {reason}")]
    Bad {
        /// Which endpoint's.
        option: &'static str,
        /// What is wrong with it.
        reason: BadPath,
    },
    /// Two endpoints want the same.
    #[error("{option} is {path:?}, where {other} is served")]
    Taken {
        /// Which endpoint.
        option: &'static str,
        /// What it wants.
        path: String,
        /// Who has it.
        other: &'static str,
    },
}

/// Paths of the endpoints that are on.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Of health.
    pub health: String,
    /// Of metrics.
    pub prometheus: String,
    /// Of the page to try the server API.
    pub swagger: String,
}

/// Name, whether it is on, and prefix of each endpoint that has a path.
fn candidates(config: &Config) -> Vec<(&'static str, bool, &str)> {
    let (api, health) = (&config.http_api, &config.health);
    let (websocket, prometheus) = (&config.websocket, &config.prometheus);
    vec![
        ("websocket", !websocket.disabled, &*websocket.handler_prefix),
        (
            "http_stream",
            config.http_stream.enabled,
            &*config.http_stream.handler_prefix,
        ),
        ("sse", config.sse.enabled, &*config.sse.handler_prefix),
        (
            "emulation",
            config.http_stream.enabled || config.sse.enabled,
            &*config.emulation.handler_prefix,
        ),
        (
            "uni_websocket",
            config.uni_websocket.enabled,
            &*config.uni_websocket.handler_prefix,
        ),
        (
            "uni_sse",
            config.uni_sse.enabled,
            &*config.uni_sse.handler_prefix,
        ),
        (
            "uni_http_stream",
            config.uni_http_stream.enabled,
            &*config.uni_http_stream.handler_prefix,
        ),
        (
            "webtransport",
            config.webtransport.enabled,
            &*config.webtransport.handler_prefix,
        ),
        ("init", config.init.enabled, &*config.init.handler_prefix),
        ("http_api", !api.disabled, &*api.handler_prefix),
        ("readiness", health.enabled, READY),
        ("health", health.enabled, &*health.handler_prefix),
        (
            "prometheus",
            prometheus.enabled,
            &*prometheus.handler_prefix,
        ),
        (
            "swagger",
            config.swagger.enabled,
            &*config.swagger.handler_prefix,
        ),
    ]
}

/// The paths of this configuration, none of which is wanted twice.
pub(crate) fn check(config: &Config) -> Result<Paths, Clash> {
    let mut taken: Vec<(&'static str, String)> = Vec::new();
    for (option, is_on, prefix) in candidates(config) {
        let path = parse(prefix).map_err(|reason| Clash::Bad { option, reason })?;
        let other = taken.iter().find(|(_, other)| is_on && *other == path);
        if let Some((other, _)) = other {
            return Err(Clash::Taken {
                option,
                path,
                other,
            });
        }
        if is_on {
            taken.push((option, path));
        }
    }
    let path = |prefix| parse(prefix).unwrap_or_default();
    Ok(Paths {
        health: path(&config.health.handler_prefix),
        prometheus: path(&config.prometheus.handler_prefix),
        swagger: path(&config.swagger.handler_prefix),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let mut config = Config::default();
        config.health.enabled = true;
        config.prometheus.enabled = true;
        config
    }

    #[test]
    fn defaults_do_not_clash() {
        let paths = check(&config()).unwrap();
        assert_eq!(
            (paths.health.as_str(), paths.prometheus.as_str()),
            ("/health", "/metrics")
        );
    }

    #[test]
    fn a_path_is_served_once() {
        let mut config = config();
        config.prometheus.handler_prefix = "/ready/".to_owned();
        let clash = check(&config).unwrap_err();
        assert_eq!(
            clash.to_string(),
            "prometheus is \"/ready\", where readiness is served"
        );
        config.health.enabled = false;
        check(&config).unwrap();
    }

    #[test]
    fn a_pattern_is_no_path() {
        let mut config = config();
        config.health.handler_prefix = "/{all}".to_owned();
        assert!(
            check(&config)
                .unwrap_err()
                .to_string()
                .starts_with("health: ")
        );
    }
}
