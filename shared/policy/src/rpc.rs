use foldhash::fast::FixedState;
use gyre_config::Rpc;
use gyre_config::rpc::RpcOptions;
use gyre_protocol::codes::Error;
use hashbrown::HashMap;

use crate::names::split_once;

/// Who answers a method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RpcRoute<'a> {
    /// The server itself, at once and with nothing.
    Ping,
    /// The application backend of this name. Without one: error 108.
    Backend(&'a str),
}

/// Which methods there are, and who answers them.
#[derive(Debug)]
pub(crate) struct RpcRules {
    boundary: String,
    /// Name of the method that the server answers itself.
    ping: Option<String>,
    without_namespace: Asked,
    namespaces: HashMap<Box<str>, Asked, FixedState>,
}

/// Which backend is asked; `None`: none.
type Asked = Option<Box<str>>;

impl RpcRules {
    pub(crate) fn new(options: &Rpc) -> Self {
        let asked = |options: &RpcOptions| -> Asked {
            let name = options.proxy_name.as_str();
            options.proxy_enabled.then(|| name.into())
        };
        let ping = &options.ping;
        Self {
            boundary: options.namespace_boundary.clone(),
            ping: ping.enabled.then(|| ping.method.clone()),
            without_namespace: asked(&options.without_namespace),
            namespaces: options
                .namespaces
                .iter()
                .map(|namespace| {
                    let name = namespace.name.as_str().into();
                    (name, asked(&namespace.options))
                })
                .collect(),
        }
    }

    pub(crate) fn route(&self, method: &str) -> Result<RpcRoute<'_>, Error> {
        if self.ping.as_deref() == Some(method) {
            return Ok(RpcRoute::Ping);
        }
        if !self.has_backend() {
            return Err(match self.ping {
                Some(_) => Error::METHOD_NOT_FOUND,
                None => Error::NOT_AVAILABLE,
            });
        }
        let asked = match split_once(method, &self.boundary) {
            None | Some(("", _)) => Some(&self.without_namespace),
            Some((name, _)) => self.namespaces.get(name),
        };
        match asked {
            None => Err(Error::METHOD_NOT_FOUND),
            Some(None) => Err(Error::NOT_AVAILABLE),
            Some(Some(name)) => Ok(RpcRoute::Backend(name)),
        }
    }

    fn has_backend(&self) -> bool {
        self.without_namespace.is_some() || self.namespaces.values().any(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use gyre_config::rpc::{RpcNamespace, RpcPing};

    use super::*;

    const PING: Result<RpcRoute<'_>, Error> = Ok(RpcRoute::Ping);
    const BACKEND: Result<RpcRoute<'_>, Error> = Ok(RpcRoute::Backend("default"));
    const NO_METHOD: Result<RpcRoute<'_>, Error> = Err(Error::METHOD_NOT_FOUND);
    const NOBODY: Result<RpcRoute<'_>, Error> = Err(Error::NOT_AVAILABLE);

    #[test]
    fn without_anything_nobody_answers() {
        let rules = RpcRules::new(&Rpc::default());
        for method in ["ping", "m", "ns:m", ""] {
            assert_eq!(rules.route(method), NOBODY, "{method}");
        }
    }

    #[test]
    fn the_ping_extension_knows_its_method_alone() {
        let rules = RpcRules::new(&Rpc {
            ping: RpcPing {
                enabled: true,
                method: "p".into(),
            },
            ..Rpc::default()
        });
        for (method, expected) in [("p", PING), ("ping", NO_METHOD), ("ns:p", NO_METHOD)] {
            assert_eq!(rules.route(method), expected, "{method}");
        }
    }

    #[test]
    fn namespaces_decide_who_is_asked() {
        let options = |proxy_enabled| RpcOptions {
            proxy_enabled,
            ..RpcOptions::default()
        };
        let namespace = |name: &str, is_enabled| RpcNamespace {
            name: name.into(),
            options: options(is_enabled),
        };
        let mut configured = Rpc {
            without_namespace: options(true),
            namespaces: vec![namespace("on", true), namespace("off", false)],
            ping: RpcPing {
                enabled: true,
                method: "on:ping".into(),
            },
            ..Rpc::default()
        };
        let rules = RpcRules::new(&configured);
        for (method, expected) in [
            ("m", BACKEND),
            ("", BACKEND),
            (":m", BACKEND),
            ("on:m", BACKEND),
            ("on:a:b", BACKEND),
            ("on:ping", PING),
            ("off:m", NOBODY),
            ("nope:m", NO_METHOD),
        ] {
            assert_eq!(rules.route(method), expected, "{method}");
        }
        configured.without_namespace = options(false);
        configured.namespace_boundary = "/".into();
        let rules = RpcRules::new(&configured);
        for (method, expected) in [("m", NOBODY), ("on:m", NOBODY), ("on/m", BACKEND)] {
            assert_eq!(rules.route(method), expected, "{method}");
        }
    }
}
