//! What is passed on to a backend: headers of all kinds, metadata, traces.

use std::sync::Arc;

use gyre_backend::{Backends, ClientContext, Event};
use gyre_config::{Pairs, Secret};
use gyre_proto::proxy as pb;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::backend::{Reply, Script, Server};
use crate::world::backends;

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Pairs::new(pairs.iter().map(owned).collect())
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    // Extending would keep one value of each.
    let mut all = HeaderMap::new();
    for (name, value) in pairs.iter().map(header) {
        all.append(name, value);
    }
    all
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

/// The headers that a backend got with a call, of those that begin with `x-` or `trace`.
async fn got(
    script: &Arc<Script>,
    endpoint: String,
    change: impl FnOnce(&mut gyre_config::Proxy),
    client: impl FnOnce(&Backends) -> ClientContext,
) -> Vec<String> {
    let (backends, _parts) = backends(|config| {
        config.rpc.proxy.endpoint = endpoint;
        change(&mut config.rpc.proxy);
    });
    let client = client(&backends);
    let proxy = backends.find(Event::Rpc, "default").unwrap();
    proxy.rpc(pb::RpcRequest::default(), &client).await.unwrap();
    let mut all: Vec<String> = script
        .last()
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-") || name.as_str().starts_with("trace"))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn headers_of_the_transport_go_over_those_of_the_client_over_the_fixed() {
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::http(&script).await;
    let got = got(
        &script,
        server.url("/"),
        |options| {
            options.http.static_headers =
                pairs(&[("X-One", "fixed"), ("X-Two", "fixed"), ("X-Three", "fixed")]);
            options.emulated_headers = names(&["X-Two", "x-three", "x-four"]);
            options.http_headers = names(&["X-THREE", "x-many", "Content-Type", "Host"]);
        },
        |backends| {
            let forwarded = backends.forwarded();
            let request = headers(&[
                ("x-three", "transport"),
                ("x-many", "a"),
                ("x-many", "b"),
                ("x-other", "not asked for"),
                ("x-four", "not in this list"),
                ("content-type", "text/plain"),
                ("host", "elsewhere"),
            ]);
            let mut client = forwarded.of_request(&request);
            let said = [
                ("X-Two", "client"),
                ("X-Three", "client"),
                ("X-One", "not in this list"),
                ("X-Four", "client"),
                ("X-Bad\n", "x"),
            ];
            client.emulated_headers = forwarded.emulated(said.into_iter());
            client
        },
    )
    .await;
    assert_eq!(
        got,
        [
            "x-four: client",
            "x-many: a",
            "x-many: b",
            "x-one: fixed",
            "x-three: transport",
            "x-two: client"
        ]
    );
    let asked = script.last();
    assert_eq!(asked.headers["content-type"], "application/json");
    assert_eq!(asked.headers["host"], server.address.to_string().as_str());
}

#[tokio::test]
async fn over_grpc_the_same_are_metadata() {
    let script = Script::new(|_| Reply::message(&pb::RpcResponse::default()));
    let server = Server::http(&script).await;
    let got = got(
        &script,
        server.address.to_string(),
        |options| {
            options.grpc.static_metadata = pairs(&[("x-one", "fixed")]);
            options.grpc.credentials_key = "x-key".to_owned();
            options.grpc.credentials_value = Secret::new("secret");
            options.http_headers = names(&["x-two"]);
            options.emulated_headers = names(&["x-three"]);
            options.grpc_metadata = names(&["x-four"]);
            // What is for HTTP only is not sent.
            options.http.static_headers = pairs(&[("x-http", "no")]);
        },
        |backends| {
            let forwarded = backends.forwarded();
            let mut client = forwarded.of_request(&headers(&[("x-two", "transport")]));
            client.metadata = headers(&[("x-four", "there are headers")]);
            client.emulated_headers = forwarded.emulated([("X-Three", "client")].into_iter());
            client
        },
    )
    .await;
    assert_eq!(
        got,
        [
            "x-key: secret",
            "x-one: fixed",
            "x-three: client",
            "x-two: transport"
        ]
    );
}

#[tokio::test]
async fn metadata_of_a_client_goes_where_there_are_no_headers() {
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::http(&script).await;
    let got = got(
        &script,
        server.url("/"),
        |options| options.grpc_metadata = names(&["X-Four"]),
        |backends| {
            backends
                .forwarded()
                .of_call(&headers(&[("x-four", "m"), ("x-five", "n")]))
        },
    )
    .await;
    assert_eq!(got, ["x-four: m"]);
}

#[tokio::test]
async fn the_trace_of_a_connection_goes_on() {
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::http(&script).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let got = got(
        &script,
        server.url("/"),
        |_| {},
        |backends| {
            let request = headers(&[("traceparent", parent), ("tracestate", "a=b"), ("x-o", "x")]);
            backends.forwarded().of_request(&request)
        },
    )
    .await;
    assert_eq!(
        got,
        [
            format!("traceparent: {parent}"),
            "tracestate: a=b".to_owned()
        ]
    );
}

#[tokio::test]
async fn a_span_of_ours_stands_between_the_trace_of_a_connection_and_the_backend() {
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::http(&script).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    for is_on in [true, false] {
        let mut config = gyre_config::Config::default();
        config.rpc.proxy.endpoint = server.url("/");
        config.opentelemetry.proxy = is_on;
        // Nobody collects them; that they are passed on is what counts.
        let traces = gyre_telemetry::Traces::open("test", "0").unwrap();
        let backends = Backends::build(&config, &crate::world::parts(), Some(traces)).unwrap();
        let mut request = HeaderMap::new();
        request.insert("traceparent", parent.parse().unwrap());
        let client = backends.forwarded().of_request(&request);
        let proxy = backends.find(Event::Rpc, "default").unwrap();
        proxy.rpc(pb::RpcRequest::default(), &client).await.unwrap();
        let got = script.last().headers["traceparent"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(got.starts_with(&format!("00-{trace}-")), "{got}");
        assert_eq!(got == parent, !is_on, "{got}");
    }
}

#[tokio::test]
async fn a_name_and_a_password_in_the_address_are_basic_authentication() {
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::http(&script).await;
    let endpoint = format!("http://user:p%40ss@{}/", server.address);
    for (fixed, expected) in [("", "Basic dXNlcjpwQHNz"), ("Bearer x", "Bearer x")] {
        let _ = got(
            &script,
            endpoint.clone(),
            |options| {
                if !fixed.is_empty() {
                    options.http.static_headers = pairs(&[("Authorization", fixed)]);
                }
            },
            |_| ClientContext::default(),
        )
        .await;
        let asked = script.last();
        assert_eq!(asked.headers["authorization"], expected);
        assert_eq!(asked.headers["host"], server.address.to_string().as_str());
    }
}

#[tokio::test]
async fn a_signature_is_of_the_body_and_the_time() {
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::http(&script).await;
    let _ = got(
        &script,
        server.url("/"),
        |options| options.http.signature_key = Secret::new("key"),
        |_| ClientContext::default(),
    )
    .await;
    let asked = script.last();
    let text = |name: &str| asked.headers[name].to_str().unwrap().to_owned();
    assert_eq!(text("x-gyre-event"), "rpc");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"key");
    let signed = format!(
        "{}.rpc.{}",
        text("x-gyre-timestamp"),
        r#"{"encoding":"json","user":""}"#
    );
    let expected: String = ring::hmac::sign(&key, signed.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(text("x-gyre-signature"), format!("v1={expected}"));
}

#[tokio::test]
async fn http_2_without_tls_is_spoken_if_it_is_said() {
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::http(&script).await;
    for (h2c, version) in [
        (false, http::Version::HTTP_11),
        (true, http::Version::HTTP_2),
    ] {
        let _ = got(
            &script,
            server.url("/"),
            |options| options.http.h2c = h2c,
            |_| ClientContext::default(),
        )
        .await;
        assert_eq!(script.last().version, version);
    }
}
