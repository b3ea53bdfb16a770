use gyre_config::Config;
use gyre_config::engine::EngineType;

use crate::Role;

/// The word in `links.gateways` for those that the engine knows.
const REGISTRY: &str = "registry";

/// Whether this process knows where the others are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Links {
    /// It does, or there are none.
    Known,
    /// There may be others on the same engine, and nothing to show them.
    Missing,
}

/// Says where the gateways are if the configuration does not: those that the engine knows, unless
/// this process holds everything there is.
pub(crate) fn settle(config: &mut Config, role: Role) -> Links {
    if !config.links.gateways.is_empty() {
        return Links::Known;
    }
    let is_alone = role == Role::Everything && config.engine.r#type == EngineType::Memory;
    if is_alone {
        return Links::Known;
    }
    let tls = &config.gateway.rpc.tls;
    let shows_something = !config.links.key.is_empty() || (tls.enabled && config.links.tls.enabled);
    if role == Role::Everything && !shows_something {
        return Links::Missing;
    }
    config.links.gateways = vec![REGISTRY.to_owned()];
    Links::Known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_apart_asks_the_registry() {
        for (role, gateways) in [
            (Role::Everything, &[][..]),
            (Role::Gateway, &[REGISTRY]),
            (Role::Api, &[REGISTRY]),
        ] {
            let mut config = Config::default();
            assert_eq!(settle(&mut config, role), Links::Known);
            assert_eq!(config.links.gateways, gateways, "{role:?}");
        }
    }

    #[test]
    fn what_is_configured_stands() {
        let mut config = Config::default();
        config.links.gateways = vec!["a:1".to_owned()];
        assert_eq!(settle(&mut config, Role::Api), Links::Known);
        assert_eq!(config.links.gateways, ["a:1"]);
    }
}
