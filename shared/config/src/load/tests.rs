use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::channel::{DeltaType, Options};
use crate::{Limit, Millis, Secret};

/// Reads a tree of JSON, variables and flags, as [`load`] reads files.
fn read(
    json: &str,
    variables: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, Problems> {
    read_tree(
        &file::json(json).unwrap_or(Value::Null),
        &pairs(variables),
        &pairs(flags),
    )
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn read_tree(
    tree: &Value,
    variables: &[(String, String)],
    flags: &[(String, String)],
) -> Result<Loaded, Problems> {
    let mut report = Report::default();
    let environment = Environment::new(variables.iter().cloned(), &mut report.warnings);
    let mut config = Config::default();
    let inputs = decode::Inputs {
        environment: &environment,
        flags,
    };
    let origin = Origin::File(PathBuf::from("test.json"));
    decode::decode(&mut config, &inputs, (tree, origin), &mut report);
    crate::check::check(&config, &mut report);
    Ok(Loaded {
        config,
        warnings: report.finish()?,
    })
}

/// The warnings as lines, without the one about the missing API key.
fn warnings(loaded: &Loaded) -> Vec<String> {
    let is_usual = |warning: &&Warning| **warning != Warning::NoKey("http_api.key");
    loaded
        .warnings
        .iter()
        .filter(is_usual)
        .map(Warning::to_string)
        .collect()
}

fn problems(result: Result<Loaded, Problems>) -> Vec<String> {
    result
        .unwrap_err()
        .problems
        .iter()
        .map(Problem::to_string)
        .collect()
}

fn namespace<'a>(loaded: &'a Loaded, name: &str) -> &'a Options {
    let mut spaces = loaded.config.channel.namespaces.iter();
    &spaces.find(|space| space.name == name).unwrap().options
}

#[test]
fn nothing_given_means_defaults() {
    let loaded = read("{}", &[], &[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, [Warning::NoKey("http_api.key")]);
}

#[test]
fn flags_go_over_variables_over_the_file() {
    let json = r#"{"http_server": {"port": 1001, "address": "a"}, "pid_file": "x"}"#;
    let variables = [("GYRE_HTTP_SERVER_PORT", "1002"), ("GYRE_PID_FILE", "y")];
    let loaded = read(json, &variables, &[("http_server.port", "1003")]).unwrap();
    assert_eq!(loaded.config.http_server.port, 1003);
    assert_eq!(loaded.config.pid_file, "y");
    assert_eq!(loaded.config.http_server.address, "a");
}

#[test]
fn keys_have_any_case() {
    let loaded = read(
        r#"{"Client": {"PING_Interval": "5s", "pong_timeout": "1s"}}"#,
        &[],
        &[],
    );
    let loaded = loaded.unwrap();
    assert_eq!(loaded.config.client.ping_interval, Millis::from_secs(5));
    assert_eq!(warnings(&loaded), [""; 0]);
}

#[test]
fn a_key_stands_once() {
    let lines = problems(read(r#"{"client": {}, "CLIENT": {}}"#, &[], &[]));
    assert_eq!(
        lines,
        ["CLIENT is an object in file test.json, expected each key once, whatever its case"]
    );
}

#[test]
fn null_counts_as_not_given() {
    let json = r#"{"client": null, "channel": {"namespaces": null, "max_length": null}}"#;
    let loaded = read(json, &[], &[]).unwrap();
    assert_eq!(loaded.config, Config::default());
}

#[test]
fn zero_stands_for_the_default_and_negative_passes() {
    let json = r#"{"client": {"ping_interval": "0s", "channel_limit": 0, "queue_max_size": -1}}"#;
    let loaded = read(json, &[], &[]).unwrap();
    assert_eq!(loaded.config.client.ping_interval, Millis::from_secs(25));
    assert_eq!(loaded.config.client.channel_limit, Limit(128));
    assert_eq!(loaded.config.client.queue_max_size.get(), None);
}

#[test]
fn the_alias_counts_where_our_own_name_is_not_set() {
    let loaded = read(
        "{}",
        &[
            ("CENTRIFUGO_HTTP_SERVER_PORT", "1001"),
            ("CENTRIFUGO_PID_FILE", "theirs"),
            ("GYRE_PID_FILE", "ours"),
            ("GYRE_LOG_FILE", ""),
            ("CENTRIFUGO_LOG_FILE", "log"),
        ],
        &[],
    )
    .unwrap();
    assert_eq!(loaded.config.http_server.port, 1001);
    assert_eq!(loaded.config.pid_file, "ours");
    assert_eq!(loaded.config.log.file, "log");
    assert_eq!(
        warnings(&loaded),
        ["variable CENTRIFUGO_PID_FILE is ignored, because GYRE_PID_FILE is set too"]
    );
}

#[test]
fn an_empty_variable_is_not_set() {
    let loaded = read(r#"{"pid_file": "x"}"#, &[("GYRE_PID_FILE", "")], &[]).unwrap();
    assert_eq!(loaded.config.pid_file, "x");
}

#[test]
fn a_list_of_names_brings_variables_per_item() {
    let loaded = read(
        r#"{"channel": {"namespaces": [{"name": "old"}]}}"#,
        &[
            ("GYRE_CHANNEL_NAMESPACES", "chat live-1.x"),
            ("GYRE_CHANNEL_NAMESPACES_CHAT_PRESENCE", "true"),
            ("CENTRIFUGO_CHANNEL_NAMESPACES_LIVE_1_X_HISTORY_SIZE", "7"),
            ("GYRE_CHANNEL_NAMESPACES_LIVE_1_X_HISTORY_TTL", "60s"),
            ("GYRE_RPC_NAMESPACES", "chat"),
        ],
        &[],
    )
    .unwrap();
    assert_eq!(loaded.config.channel.namespaces.len(), 2);
    assert!(namespace(&loaded, "chat").presence);
    assert_eq!(namespace(&loaded, "live-1.x").history_size, 7);
    assert_eq!(
        namespace(&loaded, "live-1.x").history_ttl,
        Millis::from_secs(60)
    );
    assert_eq!(loaded.config.rpc.namespaces.len(), 1);
    assert_eq!(warnings(&loaded), [""; 0]);
}

#[test]
fn a_list_may_be_json_in_a_variable() {
    let namespaces = r#" [{"name": "chat", "presence": true, "history_ttl": "5s"}]"#;
    let loaded = read(
        "{}",
        &[
            ("GYRE_CHANNEL_NAMESPACES", namespaces),
            ("GYRE_CHANNEL_NAMESPACES_CHAT_HISTORY_SIZE", "3"),
            (
                "GYRE_CLIENT_CONNECT_CODE_TO_UNIDIRECTIONAL_DISCONNECT_TRANSFORMS",
                r#"[{"code": 109, "to": {"code": 4100, "reason": "late"}}]"#,
            ),
        ],
        &[],
    )
    .unwrap();
    assert!(namespace(&loaded, "chat").presence);
    assert_eq!(namespace(&loaded, "chat").history_size, 3);
    let transforms = &loaded
        .config
        .client
        .connect_code_to_unidirectional_disconnect
        .transforms;
    assert_eq!(
        transforms.first().map(|transform| transform.to.code),
        Some(4100)
    );
}

#[test]
fn a_variable_goes_over_an_item_of_a_file() {
    let json = r#"{"channel": {"namespaces": [{"name": "chat", "presence": true}]}}"#;
    let variable = [("GYRE_CHANNEL_NAMESPACES_CHAT_JOIN_LEAVE", "1")];
    let loaded = read(json, &variable, &[]).unwrap();
    assert!(namespace(&loaded, "chat").presence && namespace(&loaded, "chat").join_leave);
}

#[test]
fn a_list_is_nothing_else() {
    let transforms = "GYRE_CLIENT_CONNECT_CODE_TO_UNIDIRECTIONAL_DISCONNECT_TRANSFORMS";
    let wrong = [
        ("{}", ("GYRE_CHANNEL_NAMESPACES", "[{]")),
        ("{}", ("GYRE_CHANNEL_NAMESPACES", "{}")),
        ("{}", ("GYRE_CHANNEL_NAMESPACES", "[1]")),
        ("{}", (transforms, "one two")),
        (
            r#"{"channel": {"namespaces": {"chat": {}}}}"#,
            ("GYRE_PID_FILE", "x"),
        ),
        (
            r#"{"channel": {"namespaces": [[]]}}"#,
            ("GYRE_PID_FILE", "x"),
        ),
        (
            r#"{"channel": {"namespaces": true}}"#,
            ("GYRE_PID_FILE", "x"),
        ),
    ];
    for (json, variable) in wrong {
        let lines = problems(read(json, &[variable], &[]));
        assert!(
            lines.iter().any(|line| line.contains("expected")),
            "{json} {variable:?}"
        );
    }
}

/// What the test suite of centrifuge-go starts its server with.
#[test]
fn environment_of_the_go_client() {
    let top = "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE";
    let small = "CENTRIFUGO_CHANNEL_NAMESPACES_SMALLHISTORY";
    let variables = vec![
        (format!("{top}_DELTA_PUBLISH"), "true"),
        (format!("{top}_ALLOWED_DELTA_TYPES"), "fossil"),
        (format!("{top}_HISTORY_SIZE"), "100"),
        (format!("{top}_HISTORY_TTL"), "300s"),
        (format!("{top}_FORCE_RECOVERY"), "true"),
        ("CENTRIFUGO_CHANNEL_NAMESPACES".to_owned(), "smallhistory"),
        (format!("{small}_FORCE_RECOVERY"), "true"),
        (format!("{small}_HISTORY_SIZE"), "2"),
        (format!("{small}_HISTORY_TTL"), "300s"),
    ];
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let loaded = read("{}", &variables, &[("client.insecure", "true")]).unwrap();

    assert!(loaded.config.client.insecure);
    let options = &loaded.config.channel.without_namespace;
    assert!(options.delta_publish && options.force_recovery);
    assert_eq!(options.allowed_delta_types, [DeltaType::Fossil]);
    assert_eq!(
        (options.history_size, options.history_ttl),
        (100, Millis::from_secs(300))
    );
    let options = namespace(&loaded, "smallhistory");
    assert!(options.force_recovery);
    assert_eq!(
        (options.history_size, options.history_ttl),
        (2, Millis::from_secs(300))
    );
    assert_eq!(
        warnings(&loaded),
        ["client.insecure is on: not for production"]
    );
}

/// What the test suite of centrifuge-python starts its server with.
#[test]
fn environment_of_the_python_client() {
    let top = "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE";
    let small = "CENTRIFUGO_CHANNEL_NAMESPACES_SMALLHISTORY";
    let mut variables = vec![
        (
            "CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY".to_owned(),
            "secret",
        ),
        ("CENTRIFUGO_LOG_LEVEL".to_owned(), "trace"),
        (
            "CENTRIFUGO_CLIENT_SUBSCRIBE_TO_USER_PERSONAL_CHANNEL_ENABLED".to_owned(),
            "true",
        ),
        ("CENTRIFUGO_CHANNEL_NAMESPACES".to_owned(), "smallhistory"),
        (format!("{top}_ALLOWED_DELTA_TYPES"), "fossil"),
        (format!("{top}_HISTORY_SIZE"), "100"),
        (format!("{top}_HISTORY_TTL"), "300s"),
        (format!("{small}_HISTORY_SIZE"), "2"),
        (format!("{small}_HISTORY_TTL"), "300s"),
    ];
    for name in [
        "FORCE_RECOVERY",
        "ALLOW_PUBLISH_FOR_SUBSCRIBER",
        "ALLOW_HISTORY_FOR_SUBSCRIBER",
    ] {
        variables.push((format!("{top}_{name}"), "true"));
        variables.push((format!("{small}_{name}"), "true"));
    }
    for name in [
        "DELTA_PUBLISH",
        "PRESENCE",
        "JOIN_LEAVE",
        "FORCE_PUSH_JOIN_LEAVE",
        "ALLOW_PRESENCE_FOR_SUBSCRIBER",
    ] {
        variables.push((format!("{top}_{name}"), "true"));
    }
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let loaded = read("{}", &variables, &[]).unwrap();

    let client = &loaded.config.client;
    assert_eq!(client.token.hmac_secret_key, Secret::new("secret"));
    assert!(client.subscribe_to_user_personal_channel.enabled);
    assert_eq!(loaded.config.log.level, crate::log::Level::Trace);
    let options = &loaded.config.channel.without_namespace;
    assert!(options.presence && options.join_leave && options.force_push_join_leave);
    assert!(options.allow_presence_for_subscriber && options.allow_history_for_subscriber);
    assert!(options.delta_publish && options.force_recovery);
    let options = namespace(&loaded, "smallhistory");
    assert!(options.allow_publish_for_subscriber && options.allow_history_for_subscriber);
    assert_eq!(warnings(&loaded), [""; 0]);
}

#[test]
fn unknown_names_warn_with_the_nearest() {
    let json = r#"{
        "allowed_origins": [],
        "token_hmac_secret_key": "x",
        "clinet": {},
        "client": {"ping_intervall": "1s", "qqqqqqqqqq": 1},
        "channel": {"namespaces": [{"name": "chat", "presense": true}]},
        "graphite": {"enabeld": true}
    }"#;
    let variables = [
        ("GYRE_CLIENT_PING_INTERVALL", "1s"),
        ("GYRE_CHANNEL_NAMESPACES_NEWS_PRESENCE", "true"),
        ("GYRE_COMPLETELY_DIFFERENT", "x"),
    ];
    let loaded = read(json, &variables, &[("no.such", "1")]).unwrap();
    assert_eq!(
        warnings(&loaded),
        [
            "unknown option client.ping_intervall in file test.json, did you mean \
             client.ping_interval?",
            "unknown option client.qqqqqqqqqq in file test.json",
            "unknown option channel.namespaces[chat].presense in file test.json, did you mean \
             channel.namespaces[].presence?",
            "unknown option allowed_origins in file test.json, did you mean \
             client.allowed_origins?",
            "unknown option token_hmac_secret_key in file test.json, did you mean \
             client.token.hmac_secret_key?",
            "unknown option clinet in file test.json, did you mean client?",
            "unknown option graphite.enabeld in file test.json, did you mean graphite.enabled?",
            "variable GYRE_CHANNEL_NAMESPACES_NEWS_PRESENCE belongs to no item, it would be \
             channel.namespaces[].presence",
            "unknown variable GYRE_CLIENT_PING_INTERVALL, did you mean GYRE_CLIENT_PING_INTERVAL?",
            "unknown variable GYRE_COMPLETELY_DIFFERENT",
            "unknown flag --no.such",
        ]
    );
}

#[test]
fn known_options_without_effect_warn_once_each() {
    let json = r#"{
        "graphite": {"enabled": true},
        "admin": {"insecure": false, "handler_prefix": ""},
        "consumers": [{"name": "a", "type": "kafka"}, {"name": "b"}],
        "push_notifications": {"fcm": {"anything": 1}},
        "channel": {"proxy": {"publish": {"endpoint": "http://x"}}, "namespaces": [
            {"name": "one", "subscription_type": "map", "map": {"mode": "persistent"}},
            {"name": "two", "subscription_type": "stream",
             "map": {"remove_client_on_unsubscribe": true}},
            {"name": "three", "map": {"remove_client_on_unsubscribe": true}}
        ]}
    }"#;
    let variables = [
        ("CENTRIFUGO_ADMIN_ENABLED", "true"),
        ("GYRE_SWAGGER_ENABLED", "false"),
        ("GYRE_CONSUMERS_A_TYPE", "kafka"),
        ("GYRE_CONSUMERS_C_KAFKA_BROKERS", "x"),
    ];
    let loaded = read(json, &variables, &[("map_broker.type", "x")]).unwrap();
    let mut lines = warnings(&loaded);
    lines.sort();
    assert_eq!(
        lines,
        [
            "option admin.enabled in variable CENTRIFUGO_ADMIN_ENABLED is not honoured yet",
            "option channel.namespaces[one].map.mode in file test.json is not honoured yet",
            "option channel.namespaces[one].subscription_type in file test.json is not honoured \
             yet",
            "option channel.namespaces[two].map.remove_client_on_unsubscribe in file test.json and in \
             1 more places is not honoured yet",
            "option consumers[0].name in file test.json and in 1 more places is not honoured yet",
            "option consumers[0].type in file test.json is not honoured yet",
            "option consumers[].kafka in variable GYRE_CONSUMERS_C_KAFKA_BROKERS is not honoured \
             yet",
            "option consumers[].type in variable GYRE_CONSUMERS_A_TYPE is not honoured yet",
            "option graphite.enabled in file test.json is not honoured yet",
            "option map_broker.type in flag --map_broker.type is not honoured yet",
            "option push_notifications in file test.json is not honoured yet",
        ]
    );
}

#[test]
fn variables_of_kubernetes_are_not_ours() {
    let loaded = read(
        "{}",
        &[
            ("GYRE_SERVICE_HOST", "10.0.0.1"),
            ("GYRE_SERVICE_PORT", "8000"),
            ("GYRE_SERVICE_PORT_EXTERNAL", "8000"),
            ("GYRE_PORT", "tcp://10.0.0.1:8000"),
            ("GYRE_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
            ("GYRE_PORT_8000_TCP_PROTO", "tcp"),
            ("GYRE_PORT_8000_TCP_PORT", "8000"),
            ("GYRE_PORT_8000_TCP_ADDR", "10.0.0.1"),
            ("GYRE_REDIS_MASTER_SERVICE_PORT", "6379"),
            ("GYRE_REDIS_MASTER_PORT_6379_UDP_ADDR", "10.0.0.2"),
            // A Service that is named like an option.
            ("GYRE_GRPC_API_PORT", "tcp://10.0.0.1:10000"),
            ("CENTRIFUGO_VAR_TOKEN", "x"),
            ("GYRE_VAR_TOKEN", "x"),
            ("HOME", "/root"),
        ],
        &[],
    )
    .unwrap();
    assert_eq!(warnings(&loaded), [""; 0]);
    assert_eq!(loaded.config.grpc_api.port, 10_000);

    let loaded = read("{}", &[("GYRE_GRPC_API_PORT", "10001")], &[]).unwrap();
    assert_eq!(loaded.config.grpc_api.port, 10_001);
}

#[test]
fn all_problems_come_at_once_and_without_secrets() {
    let json = r#"{
        "http_server": {"port": 70000, "internal_port": "x"},
        "client": {"token": "letmein", "ping_interval": 25, "allowed_origins": 7},
        "http_api": {"key": ["letmein"]},
        "websocket": {"compression_level": 12},
        "engine": {"type": "nats"}
    }"#;
    let variables = [("CENTRIFUGO_CLIENT_INSECURE", "yes")];
    let lines = problems(read(json, &variables, &[("log.level", "loud")]));
    assert_eq!(
        lines,
        [
            "http_server.port is 70000 in file test.json, expected a whole number from 1 to 65535",
            "http_server.internal_port is \"x\" in file test.json, expected a whole number from 1 \
             to 65535",
            "log.level is \"loud\" in flag --log.level, expected \"none\" or \"trace\" or \"debug\" \
             or \"info\" or \"warn\" or \"error\" or \"fatal\"",
            "engine.type is \"nats\" in file test.json, expected \"memory\" or \"redis\"",
            "client.allowed_origins is 7 in file test.json, expected a list of texts, or one text \
             with spaces between",
            "client.token is a text in file test.json, expected an object",
            "client.ping_interval is 25 in file test.json, expected a duration of at least 1ms \
             with its unit, such as \"25s\", \"1h30m\" or \"250ms\" (a bare number counts \
             nanoseconds)",
            "client.insecure is \"yes\" in variable CENTRIFUGO_CLIENT_INSECURE, expected true or \
             false",
            "http_api.key is *** in file test.json, expected a text (secret)",
            "websocket.compression_level is 12 in file test.json, expected a whole number from 1 \
             to 9",
        ]
    );
}

#[test]
fn a_long_value_is_cut() {
    let long = "x".repeat(1000);
    let lines = problems(read("{}", &[("GYRE_CLIENT_CONCURRENCY", &long)], &[]));
    assert!(lines[0].len() < 250, "{}", lines[0]);
}

/// Names that occur in the tree, so that random trees go deep, and some that do not.
fn key() -> impl Strategy<Value = String> {
    let names = crate::reference::paths();
    let parts: Vec<String> = names
        .iter()
        .flat_map(|path| path.split('.'))
        .map(|part| part.trim_end_matches("[]").to_owned())
        .chain(["proxies", "sse", "consumers"].map(str::to_owned))
        .collect();
    prop_oneof![8 => prop::sample::select(parts), 1 => "[a-zA-Z_.\\[\\]é]{0,12}"]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i128>().prop_map(Value::Integer),
        (-3..70_000_i128).prop_map(Value::Integer),
        any::<f64>().prop_map(Value::Float),
        "[-+0-9.a-zµ \\[\\]{}\":#$]{0,12}".prop_map(Value::Text),
        any::<String>().prop_map(Value::Text),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((key(), inner), 0..8).prop_map(Value::Map),
        ]
    })
}

fn variable() -> impl Strategy<Value = (String, String)> {
    let names: Vec<String> = crate::reference::paths()
        .iter()
        .map(|path| variable_part(path))
        .collect();
    let name = prop_oneof![
        4 => prop::sample::select(names),
        1 => "[A-Z_0-9é]{0,30}".prop_map(|name| name),
        1 => "(CHANNEL_NAMESPACES|PROXIES|PORT|X_PORT)_[A-Z0-9_]{0,12}".prop_map(|name| name),
    ];
    let prefix = prop_oneof![Just(PREFIX), Just("CENTRIFUGO_")];
    (prefix, name, any::<String>())
        .prop_map(|(prefix, name, value)| (prefix.to_owned() + &name, value))
}

proptest! {
    // A whole load each time: enough for the time it takes.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_input_panics(
        tree in tree(),
        variables in prop::collection::vec(variable(), 0..8),
        flags in prop::collection::vec((key(), any::<String>()), 0..3),
    ) {
        match read_tree(&tree, &variables, &flags) {
            Ok(loaded) => loaded.warnings.iter().for_each(|warning| assert!(!warning.to_string().is_empty())),
            Err(problems) => assert!(!problems.to_string().is_empty()),
        }
    }

    #[test]
    fn a_number_is_taken_or_rejected_as_a_whole(number in any::<i128>()) {
        let tree = Value::Map(vec![(
            "websocket".to_owned(),
            Value::Map(vec![("message_size_limit".to_owned(), Value::Integer(number))]),
        )]);
        match (read_tree(&tree, &[], &[]), i64::try_from(number)) {
            (Ok(loaded), Ok(0)) => prop_assert_eq!(loaded.config.websocket.message_size_limit.0, 65_536),
            (Ok(loaded), Ok(number)) => prop_assert_eq!(loaded.config.websocket.message_size_limit.0, number),
            (Ok(_), Err(_)) => prop_assert!(false, "{number} was taken"),
            (Err(_), outcome) => prop_assert!(outcome.is_err(), "{number} was rejected"),
        }
    }
}
