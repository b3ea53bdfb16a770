//! The options that have a command-line flag.

/// A flag. Its long name is the path of its option.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flag {
    /// Path of the option, which is the flag's long name: `--http_server.port`.
    pub path: &'static str,
    /// One-letter name.
    pub short: Option<char>,
    /// What follows the flag.
    pub takes: Takes,
}

/// What follows a flag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Takes {
    /// A value.
    Value,
    /// Nothing: the flag alone means `true`; `=false` may follow.
    Switch,
}

/// Every flag that is an option, in the order in which help shows them. `--config` is none.
#[must_use]
pub const fn flags() -> &'static [Flag] {
    FLAGS
}

const FLAGS: &[Flag] = &[
    Flag {
        path: "http_server.address",
        short: Some('a'),
        takes: Takes::Value,
    },
    Flag {
        path: "http_server.port",
        short: Some('p'),
        takes: Takes::Value,
    },
    value("http_server.internal_address"),
    value("http_server.internal_port"),
    value("log.level"),
    value("log.file"),
    value("pid_file"),
    value("engine.type"),
    switch("broker.enabled"),
    value("broker.type"),
    switch("presence_manager.enabled"),
    value("presence_manager.type"),
    value("map_broker.type"),
    switch("client.insecure"),
    switch("http_api.insecure"),
    switch("http_api.external"),
    switch("grpc_api.enabled"),
    value("grpc_api.port"),
    switch("grpc_api.insecure"),
    switch("health.enabled"),
    switch("prometheus.enabled"),
    switch("admin.enabled"),
    switch("admin.insecure"),
    switch("admin.external"),
    switch("swagger.enabled"),
    switch("debug.enabled"),
    switch("sse.enabled"),
    switch("http_stream.enabled"),
    switch("init.enabled"),
    switch("uni_websocket.enabled"),
    switch("uni_sse.enabled"),
    switch("uni_http_stream.enabled"),
    switch("uni_grpc.enabled"),
    value("uni_grpc.port"),
];

const fn value(path: &'static str) -> Flag {
    Flag {
        path,
        short: None,
        takes: Takes::Value,
    }
}

const fn switch(path: &'static str) -> Flag {
    Flag {
        path,
        short: None,
        takes: Takes::Switch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::not_yet::{Known, NotYet};
    use crate::reference::entries;

    #[test]
    fn every_flag_is_an_option() {
        let (known, later) = (entries(), NotYet::read());
        for flag in flags() {
            let typed = known.iter().find(|entry| entry.path == flag.path);
            assert!(
                typed.is_some() || later.find(flag.path) == Some(Known::Option),
                "{} is no option",
                flag.path
            );
            if let Some(entry) = typed {
                let is_switch = entry.kind == "true or false";
                assert_eq!(flag.takes == Takes::Switch, is_switch, "{}", flag.path);
            }
        }
    }

    #[test]
    fn names_are_unique() {
        for (index, flag) in flags().iter().enumerate() {
            for other in flags().iter().skip(index + 1) {
                assert_ne!(flag.path, other.path);
                assert!(
                    flag.short.is_none() || flag.short != other.short,
                    "{}",
                    flag.path
                );
            }
        }
    }
}
