use crate::channel::{
    ClientKey, MapMode, Namespace, Options, RecoveryMode, SharedPollMode, SubscriptionType,
};
use crate::client::DisconnectTransform;
use crate::load::Report;
use crate::problem::{Problem, Warning};
use crate::rpc::RpcNamespace;
use crate::{Config, Millis};

/// The problems of a configuration that differs from the default.
fn problems(change: impl FnOnce(&mut Config)) -> Vec<String> {
    report(change)
        .problems
        .iter()
        .map(Problem::to_string)
        .collect()
}

fn report(change: impl FnOnce(&mut Config)) -> Report {
    let mut config = Config::default();
    change(&mut config);
    let mut report = Report::default();
    super::check(&config, &mut report);
    report
}

/// The problems of a namespace `chat` with these options.
fn of_namespace(change: impl FnOnce(&mut Options)) -> Vec<String> {
    let top = "channel.namespaces[chat].";
    let problems = problems(|config| {
        answer(config);
        let mut options = Options::default();
        change(&mut options);
        config.channel.namespaces.push(Namespace {
            name: "chat".to_owned(),
            options,
        });
    });
    problems
        .iter()
        .map(|line| line.strip_prefix(top).unwrap_or(line).to_owned())
        .collect()
}

/// Every event has a backend.
fn answer(config: &mut Config) {
    let proxies = &mut config.channel.proxy;
    for proxy in [
        &mut proxies.subscribe,
        &mut proxies.publish,
        &mut proxies.sub_refresh,
        &mut proxies.subscribe_stream,
        &mut proxies.map_publish,
        &mut proxies.map_remove,
        &mut proxies.shared_poll_refresh,
    ] {
        "backend:10001".clone_into(&mut proxy.endpoint);
    }
}

fn history(options: &mut Options) {
    options.history_size = 10;
    options.history_ttl = Millis::from_secs(60);
}

const FINE: [&str; 0] = [];

#[test]
fn defaults_are_fine() {
    assert_eq!(problems(|_| {}), FINE);
}

#[test]
fn the_answer_to_a_ping_comes_before_the_next() {
    assert_eq!(
        problems(|config| config.client.pong_timeout = Millis::from_secs(25)),
        [
            "client.pong_timeout is \"25s\" by default, expected less than client.ping_interval, \
          which is 25s"
        ]
    );
    assert_eq!(
        problems(|config| {
            config.client.ping_interval = Millis::from_secs(-1);
            config.client.pong_timeout = Millis::from_secs(-2);
        }),
        FINE
    );
}

#[test]
fn names_of_namespaces_are_well_formed_and_unique() {
    let named = |names: &'static [&'static str]| {
        problems(|config| {
            for name in names {
                let name = (*name).to_owned();
                config.channel.namespaces.push(Namespace {
                    name,
                    ..Namespace::default()
                });
            }
        })
    };
    assert_eq!(named(&["chat", "ns.1_a-B"]), FINE);
    let well_formed = "2 or more of the letters A to Z and a to z, digits, '-', '_' and '.'";
    for (names, path) in [
        (&["a"][..], "[a]"),
        (&["é1"], "[é1]"),
        (&["a:b"], "[a:b]"),
        (&[""], "[0]"),
    ] {
        let name = names[0];
        assert_eq!(
            named(names),
            [format!(
                "channel.namespaces{path}.name is {name:?} by default, expected {well_formed}"
            )]
        );
    }
    assert_eq!(
        named(&["chat", "chat"]),
        [
            "channel.namespaces[chat].name is \"chat\" by default, expected a name that no other \
          item has"
        ]
    );
    let of_rpc = problems(|config| config.rpc.namespaces.push(RpcNamespace::default()));
    assert_eq!(of_rpc.len(), 1);
}

#[test]
fn history_has_size_and_ttl() {
    assert_eq!(of_namespace(history), FINE);
    assert_eq!(
        of_namespace(|options| options.history_size = 10),
        ["history_ttl is \"0s\" by default, expected more than zero, because history_size is set"]
    );
    assert_eq!(
        of_namespace(|options| options.history_ttl = Millis::from_secs(60)),
        ["history_size is 0 by default, expected more than zero, because history_ttl is set"]
    );
    assert_eq!(
        of_namespace(|options| {
            history(options);
            options.history_ttl = Millis::from_secs(-60);
        }),
        ["history_ttl is \"-60s\" by default, expected a duration that is not negative"]
            .map(|line| line.replace("-60s", "-1m"))
    );
}

#[test]
fn retention_counts_whole_seconds() {
    assert_eq!(
        of_namespace(|options| {
            history(options);
            options.history_ttl = Millis(1500);
            options.history_meta_ttl = Millis(2500);
        }),
        [
            "history_ttl is \"1500ms\" by default, expected a whole number of seconds",
            "history_meta_ttl is \"2500ms\" by default, expected a whole number of seconds",
        ]
    );
    assert_eq!(
        problems(|config| config.channel.history_meta_ttl = Millis(5500)).len(),
        1
    );
}

#[test]
fn history_ends_before_its_position_does() {
    assert_eq!(
        of_namespace(|options| {
            history(options);
            options.history_meta_ttl = Millis::from_secs(59);
        }),
        ["history_ttl is \"1m\" by default, expected at most \
          channel.namespaces[chat].history_meta_ttl, which is 59s"]
    );
    assert_eq!(
        of_namespace(|options| {
            history(options);
            options.history_meta_ttl = Millis::from_secs(60);
        }),
        FINE
    );
    assert_eq!(
        of_namespace(|options| {
            history(options);
            options.history_ttl = Millis::from_secs(721 * 3600);
        }),
        [
            "history_ttl is \"721h\" by default, expected at most channel.history_meta_ttl, which is \
          720h"
        ]
    );
}

#[test]
fn recovery_needs_history() {
    for change in [
        |options: &mut Options| options.force_recovery = true,
        |options: &mut Options| options.allow_recovery = true,
    ] {
        assert_eq!(of_namespace(change).len(), 1);
        let with_history = |options: &mut Options| {
            history(options);
            change(options);
        };
        assert_eq!(of_namespace(with_history), FINE);
    }
    assert_eq!(
        of_namespace(|options| options.force_positioning = true),
        FINE
    );
}

#[test]
fn the_newest_publication_comes_only_from_a_cache() {
    let auto = |force: bool, mode: RecoveryMode| {
        of_namespace(move |options| {
            history(options);
            options.auto_cache_recover = true;
            options.force_recovery = force;
            options.force_recovery_mode = mode;
        })
    };
    assert_eq!(auto(true, RecoveryMode::Cache), FINE);
    assert_eq!(auto(false, RecoveryMode::Cache).len(), 1);
    assert_eq!(
        auto(true, RecoveryMode::Stream),
        [
            "auto_cache_recover is true by default, expected false, unless force_recovery is true \
          and force_recovery_mode is \"cache\""
        ]
    );
}

#[test]
fn a_stream_of_the_backend_excludes_other_questions() {
    let lines = of_namespace(|options| {
        options.subscribe_stream_proxy_enabled = true;
        options.subscribe_proxy_enabled = true;
        options.publish_proxy_enabled = true;
        options.sub_refresh_proxy_enabled = true;
    });
    assert_eq!(lines.len(), 3);
    assert_eq!(
        of_namespace(|options| options.subscribe_stream_proxy_enabled = true),
        FINE
    );
}

#[test]
fn maps_have_a_mode_and_a_fitting_ttl() {
    let map = |kind: SubscriptionType, mode: MapMode, ttl_seconds: i64, stream_size: usize| {
        of_namespace(move |options| {
            options.subscription_type = kind;
            options.map.mode = mode;
            options.map.key_ttl = Millis::from_secs(ttl_seconds);
            options.map.stream_size = stream_size;
        })
    };
    use SubscriptionType::{Map, MapClients, MapUsers, Stream};
    assert_eq!(map(Stream, MapMode::Unset, 0, 0), FINE);
    assert_eq!(map(Map, MapMode::Ephemeral, 60, 0), FINE);
    assert_eq!(map(Map, MapMode::Recoverable, 60, 5), FINE);
    assert_eq!(map(Map, MapMode::Persistent, 0, 5), FINE);
    assert_eq!(map(MapUsers, MapMode::Ephemeral, 60, 0), FINE);

    assert_eq!(map(Map, MapMode::Unset, 60, 0).len(), 1);
    assert_eq!(map(Map, MapMode::Ephemeral, 0, 0).len(), 1);
    assert_eq!(map(Map, MapMode::Recoverable, -1, 0).len(), 1);
    assert_eq!(map(Map, MapMode::Persistent, 60, 0).len(), 1);
    assert_eq!(map(Map, MapMode::Ephemeral, 60, 5).len(), 1);
    assert_eq!(map(MapClients, MapMode::Persistent, 0, 0).len(), 1);
}

#[test]
fn keys_of_clients_leave_nothing_to_ask() {
    let keyed = |key: ClientKey| {
        of_namespace(move |options| {
            options.subscription_type = SubscriptionType::Map;
            options.map.mode = MapMode::Persistent;
            options.map.client_key = key;
            options.map.publish_proxy_enabled = true;
            options.map.remove_proxy_enabled = true;
        })
    };
    assert_eq!(keyed(ClientKey::Any), FINE);
    assert_eq!(keyed(ClientKey::UserId).len(), 2);
}

#[test]
fn values_are_published_with_versions_only() {
    let poll = |mode: SharedPollMode| {
        of_namespace(move |options| {
            options.subscription_type = SubscriptionType::SharedPoll;
            options.shared_poll.publish_enabled = true;
            options.shared_poll.mode = mode;
        })
    };
    assert_eq!(poll(SharedPollMode::Versioned), FINE);
    assert_eq!(poll(SharedPollMode::Versionless).len(), 1);
}

#[test]
fn personal_channels_have_a_namespace() {
    let personal = |namespace: &'static str, single: bool, presence: bool| {
        problems(move |config| {
            let options = Options {
                presence,
                ..Options::default()
            };
            config.channel.namespaces.push(Namespace {
                name: "own".to_owned(),
                options,
            });
            let personal = &mut config.client.subscribe_to_user_personal_channel;
            personal.enabled = true;
            personal.personal_channel_namespace = namespace.to_owned();
            personal.single_connection = single;
        })
    };
    assert_eq!(personal("", false, false), FINE);
    assert_eq!(personal("own", false, false), FINE);
    assert_eq!(personal("own", true, true), FINE);
    assert_eq!(personal("own", true, false).len(), 1);
    assert_eq!(personal("", true, true).len(), 1);
    assert_eq!(
        personal("other", false, false),
        [
            "client.subscribe_to_user_personal_channel.personal_channel_namespace is \"other\" by \
          default, expected the name of one of channel.namespaces"
        ]
    );
}

#[test]
fn transforms_are_whole() {
    let transform = |code: u32, to: u32, reason: String| {
        problems(move |config| {
            let mut transform = DisconnectTransform {
                code,
                ..DisconnectTransform::default()
            };
            transform.to.code = to;
            transform.to.reason = reason;
            config
                .client
                .connect_code_to_unidirectional_disconnect
                .transforms
                .push(transform);
        })
    };
    assert_eq!(transform(109, 4100, "x".repeat(123)), FINE);
    assert_eq!(transform(0, 4100, String::new()).len(), 1);
    assert_eq!(transform(109, 0, String::new()).len(), 1);
    assert_eq!(transform(109, 4100, "x".repeat(124)).len(), 1);
    assert_eq!(transform(109, 4100, "é".to_owned()).len(), 1);
}

#[test]
fn regular_expressions_compile() {
    assert_eq!(
        of_namespace(|options| options.channel_regex = "^[a-z]{2,20}$".to_owned()),
        FINE
    );
    assert_eq!(
        of_namespace(|options| options.channel_regex = "[".to_owned()),
        ["channel_regex is \"[\" by default, expected a regular expression"]
    );
    let tokens = problems(|config| {
        config.client.token.audience_regex = "(".to_owned();
        config.client.subscription_token.token.issuer_regex = "*".to_owned();
    });
    assert_eq!(tokens.len(), 2);
}

#[test]
fn endpoints_are_absolute_paths() {
    let lines = problems(|config| {
        config.websocket.handler_prefix = "ws".to_owned();
        config.http_api.handler_prefix = "api".to_owned();
        config.health.handler_prefix = "h".to_owned();
        config.prometheus.handler_prefix = "m".to_owned();
    });
    assert_eq!(lines.len(), 4);
}

#[test]
fn production_takes_no_insecure_option() {
    let changes: [fn(&mut Config); 6] = [
        |config| config.client.insecure = true,
        |config| config.client.insecure_skip_token_signature_verify = true,
        |config| config.client.token.insecure_skip_jwks_endpoint_safety_check = true,
        |config| {
            let token = &mut config.client.subscription_token.token;
            token.insecure_skip_jwks_endpoint_safety_check = true;
        },
        |config| config.http_api.insecure = true,
        |config| config.grpc_api.insecure = true,
    ];
    for change in changes {
        let warned = report(change);
        assert!(warned.problems.is_empty());
        assert!(
            warned
                .warnings
                .iter()
                .any(|warning| matches!(warning, Warning::Insecure(_)))
        );

        let refused = problems(|config| {
            change(config);
            config.production = true;
        });
        assert_eq!(refused.len(), 1);
    }
}

#[test]
fn an_api_without_a_key_is_named() {
    let warnings = report(|config| config.grpc_api.enabled = true).warnings;
    assert_eq!(
        warnings,
        [
            Warning::NoKey("http_api.key"),
            Warning::NoKey("grpc_api.key")
        ]
    );
    let warnings = report(|config| config.http_api.disabled = true).warnings;
    assert_eq!(warnings, []);
}

#[test]
fn who_wants_http3_learns_what_it_is_for() {
    let warnings = report(|config| {
        config.http_api.disabled = true;
        config.http_server.http3.enabled = true;
        config.http_server.tls_autocert.enabled = true;
        config.http_server.tls_autocert.host_whitelist = vec!["a.example".to_owned()];
    })
    .warnings;
    assert_eq!(warnings, [Warning::Http3]);
}
