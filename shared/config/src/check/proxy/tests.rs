use super::*;
use crate::Millis;
use crate::channel::Namespace;
use crate::problem::Problem;
use crate::proxy::{BackendDisconnect, NamedProxy, TransformedError};
use crate::rpc::RpcNamespace;

const FINE: [&str; 0] = [];

fn problems(change: impl FnOnce(&mut Config)) -> Vec<String> {
    let mut config = Config::default();
    change(&mut config);
    let mut report = Report::default();
    check(&config, &mut report);
    report.problems.iter().map(Problem::to_string).collect()
}

/// The problems of one proxy at an address.
fn of_proxy(endpoint: &str, change: impl FnOnce(&mut Proxy)) -> Vec<String> {
    problems(|config| {
        endpoint.clone_into(&mut config.rpc.proxy.endpoint);
        change(&mut config.rpc.proxy);
    })
}

fn named(name: &str, endpoint: &str) -> NamedProxy {
    let mut proxy = NamedProxy {
        name: name.to_owned(),
        ..NamedProxy::default()
    };
    endpoint.clone_into(&mut proxy.proxy.endpoint);
    proxy
}

#[test]
fn addresses_are_http_or_grpc() {
    let fine = [
        "http://backend",
        "https://backend:8443/events?x=1",
        "http://[::1]:3000/x",
        "grpc://backend:10001",
        "backend:10001",
        "[::1]:10001",
        "10.0.0.1:10001",
    ];
    for address in fine {
        assert_eq!(of_proxy(address, |_| {}), FINE, "{address}");
    }
    let broken = [
        "backend",
        "grpc://backend",
        "ftp://backend:1",
        "http://",
        "http:///x",
        ":10001",
        "backend:grpc",
        "http://a b",
        "backend/x:10001",
    ];
    for address in broken {
        assert_eq!(of_proxy(address, |_| {}).len(), 1, "{address}");
    }
}

#[test]
fn more_addresses_are_of_the_same_kind() {
    let more = |other: &'static str| {
        of_proxy("http://a", |proxy| proxy.endpoints = vec![other.to_owned()])
    };
    assert_eq!(more("https://b/x"), FINE);
    assert_eq!(
        more("b:1"),
        [
            "rpc.proxy.endpoints is \"b:1\" by default, expected addresses of the same kind as \
          endpoint: all over HTTP, or all over gRPC"
        ]
    );
}

#[test]
fn a_deadline_and_names_of_headers_make_sense() {
    let timeout = |millis| of_proxy("http://a", move |proxy| proxy.timeout = Millis(millis));
    assert_eq!(timeout(1), FINE);
    assert_eq!(timeout(-1).len(), 1);
    let headers = |name: &str| {
        of_proxy("http://a", |proxy| {
            proxy.http_headers = vec![name.to_owned()];
        })
    };
    assert_eq!(headers("X-Real_IP"), FINE);
    assert_eq!(headers("X-Real IP").len(), 1);
    assert_eq!(headers("Köln").len(), 1);
}

#[test]
fn a_status_has_one_transform() {
    let transform = |status_code, error, disconnect, text: &str| {
        of_proxy("http://a", |proxy| {
            proxy.http.status_to_code_transforms.push(StatusTransform {
                status_code,
                to_error: TransformedError {
                    code: error,
                    message: text.to_owned(),
                    temporary: false,
                },
                to_disconnect: BackendDisconnect {
                    code: disconnect,
                    reason: String::new(),
                },
            });
        })
    };
    let longest = "x".repeat(TEXT_LEN_MAX);
    assert_eq!(transform(404, 404, 0, &longest), FINE);
    assert_eq!(transform(404, 0, 4504, ""), FINE);
    assert_eq!(transform(0, 404, 0, "").len(), 1);
    assert_eq!(transform(404, 0, 0, "").len(), 1);
    assert_eq!(transform(404, 404, 4504, "").len(), 1);
    assert_eq!(transform(404, 404, 0, "nö").len(), 1);
    assert_eq!(transform(404, 404, 0, &(longest + "x")).len(), 1);
}

#[test]
fn names_are_unique_and_not_default() {
    let list = |names: &'static [&'static str]| {
        problems(move |config| {
            config.proxies = names.iter().map(|name| named(name, "http://a")).collect();
        })
    };
    assert_eq!(list(&["one", "two"]), FINE);
    assert_eq!(list(&["one", "one"]).len(), 1);
    assert_eq!(list(&["default"]).len(), 1);
    assert_eq!(list(&["a b"]).len(), 1);
}

#[test]
fn what_is_asked_has_an_address() {
    assert_eq!(
        problems(|config| config.client.proxy.connect.enabled = true),
        [
            "client.proxy.connect.endpoint is \"\" by default, expected an address, because \
          client.proxy.connect.enabled asks there"
        ]
    );
    let channel = |name: &'static str| {
        problems(move |config| {
            config.proxies = vec![named("one", "http://a"), named("empty", "")];
            let mut space = Namespace {
                name: "chat".to_owned(),
                ..Namespace::default()
            };
            space.options.subscribe_proxy_enabled = true;
            name.clone_into(&mut space.options.subscribe_proxy_name);
            config.channel.namespaces.push(space);
        })
    };
    assert_eq!(channel("one"), FINE);
    assert_eq!(
        channel("two"),
        [
            "channel.namespaces[chat].subscribe_proxy_name is \"two\" by default, expected the \
          name of one of proxies"
        ]
    );
    for name in ["empty", "default"] {
        assert_eq!(channel(name).len(), 1, "{name}");
    }
}

#[test]
fn methods_have_a_backend_too() {
    let method = |name: &'static str, endpoint: &'static str| {
        problems(move |config| {
            endpoint.clone_into(&mut config.rpc.proxy.endpoint);
            config.rpc.namespaces.push(RpcNamespace {
                name: "shop".to_owned(),
                options: RpcOptions {
                    proxy_enabled: true,
                    proxy_name: name.to_owned(),
                },
            });
        })
    };
    assert_eq!(method("default", "http://a"), FINE);
    assert_eq!(method("default", "").len(), 1);
    assert_eq!(method("one", "http://a").len(), 1);
}

#[test]
fn streams_need_grpc() {
    let stream = |endpoint: &'static str| {
        problems(move |config| {
            config
                .channel
                .without_namespace
                .subscribe_stream_proxy_enabled = true;
            endpoint.clone_into(&mut config.channel.proxy.subscribe_stream.endpoint);
        })
    };
    assert_eq!(stream("grpc://a:1"), FINE);
    assert_eq!(stream("http://a:1").len(), 1);
}
