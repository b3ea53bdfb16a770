//! Backends as variables of the environment give them.

use gyre_config::{Config, Source, load};

fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
    let source = Source {
        path: Some("no-such-file.json".into()),
        ..Source::default()
    };
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let loaded = load(&source, variables, &[]);
    loaded
        .map(|loaded| loaded.config)
        .map_err(|problems| problems.to_string())
}

#[test]
fn named_backends_have_variables_of_their_own() {
    let transforms = r#"[{"status_code": 404, "to_error": {"code": 404, "message": "no"}}]"#;
    let config = read(&[
        ("CENTRIFUGO_PROXIES", "shop bank-2"),
        ("CENTRIFUGO_PROXIES_SHOP_ENDPOINT", "http://shop/events"),
        ("CENTRIFUGO_PROXIES_SHOP_TIMEOUT", "250ms"),
        ("CENTRIFUGO_PROXIES_SHOP_HTTP_HEADERS", "Cookie X-Real-Ip"),
        (
            "CENTRIFUGO_PROXIES_SHOP_HTTP_STATUS_TO_CODE_TRANSFORMS",
            transforms,
        ),
        ("GYRE_PROXIES_BANK_2_ENDPOINT", "grpc://bank:10001"),
        ("GYRE_PROXIES_BANK_2_GRPC_TLS_ENABLED", "true"),
        ("GYRE_PROXIES_BANK_2_CIRCUIT_BREAKER_ENABLED", "1"),
        ("CENTRIFUGO_CLIENT_PROXY_CONNECT_ENABLED", "true"),
        (
            "CENTRIFUGO_CLIENT_PROXY_CONNECT_ENDPOINT",
            "http://app/connect",
        ),
        ("CENTRIFUGO_RPC_PROXY_ENDPOINT", "app:10001"),
    ])
    .unwrap();
    let [shop, bank] = &config.proxies[..] else {
        panic!("{:?}", config.proxies);
    };
    assert_eq!((shop.name.as_str(), bank.name.as_str()), ("shop", "bank-2"));
    assert_eq!(shop.proxy.timeout.0, 250);
    assert_eq!(shop.proxy.http_headers, ["Cookie", "X-Real-Ip"]);
    assert_eq!(
        shop.proxy.http.status_to_code_transforms[0].to_error.code,
        404
    );
    assert!(bank.proxy.grpc.tls.enabled && bank.proxy.circuit_breaker.enabled);
    assert_eq!(
        config.client.proxy.connect.proxy.endpoint,
        "http://app/connect"
    );
    assert_eq!(config.rpc.proxy.endpoint, "app:10001");
}

#[test]
fn static_headers_may_name_variables_that_have_to_be_there() {
    let headers = |value: &'static str| {
        let config = read(&[
            ("GYRE_RPC_PROXY_ENDPOINT", "http://app/rpc"),
            ("GYRE_RPC_PROXY_HTTP_STATIC_HEADERS", value),
            ("CENTRIFUGO_VAR_KEY", "k"),
            ("HOME", "/secret"),
        ])?;
        let headers = config.rpc.proxy.http.static_headers;
        Ok::<_, String>(
            headers
                .iter()
                .map(|(name, text)| format!("{name}: {text}"))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        headers(r#"{"X-Key": "a ${CENTRIFUGO_VAR_KEY}", "x-home": "${HOME}"}"#).unwrap(),
        ["X-Key: a k", "x-home: ${HOME}"]
    );
    assert_eq!(
        headers(r#"[{"key": "X-Key", "value": "v"}]"#).unwrap(),
        ["X-Key: v"]
    );
    let problem = headers(r#"{"X-Key": "${GYRE_VAR_OTHER}"}"#).unwrap_err();
    assert!(problem.contains("GYRE_VAR_OTHER"), "{problem}");
    let problem = headers("X-Key=v secret").unwrap_err();
    assert!(
        problem.contains("static_headers") && !problem.contains("secret"),
        "{problem}"
    );
}

#[test]
fn the_configurations_of_the_examples_load_without_a_word() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/examples");
    for name in ["backend-http.json", "backend-grpc.json"] {
        let source = Source {
            path: Some(format!("{examples}/{name}").into()),
            required: true,
            ..Source::default()
        };
        let loaded = load(&source, std::iter::empty(), &[]).unwrap();
        let said: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert!(said.is_empty(), "{name}: {said:?}");
    }
}
