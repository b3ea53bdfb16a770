use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

struct Request {
    method: Method,
    version: Version,
    headers: Vec<(&'static str, &'static str)>,
    query: &'static str,
}

impl Request {
    fn valid() -> Self {
        Self {
            method: Method::GET,
            version: Version::HTTP_11,
            headers: vec![
                ("connection", "keep-alive, Upgrade"),
                ("upgrade", "WebSocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", KEY),
            ],
            query: "",
        }
    }

    fn with(name: &'static str, value: &'static str) -> Self {
        let mut request = Self::valid();
        request.headers.retain(|(known, _)| *known != name);
        request.headers.push((name, value));
        request
    }

    fn with_query(query: &'static str) -> Self {
        Self {
            query,
            ..Self::valid()
        }
    }

    fn headers(&self) -> HeaderMap {
        let parse = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        self.headers.iter().map(parse).collect()
    }

    fn accept(&self) -> Result<Accepted, Refusal> {
        let upgrade = Upgrade {
            method: &self.method,
            version: self.version,
            headers: &self.headers(),
            query: self.query,
        };
        upgrade.accept(&origins(), Compression::Deflate)
    }

    fn status(&self) -> u16 {
        self.accept().unwrap_err().status().as_u16()
    }
}

fn origins() -> Origins {
    Origins::new(&["https://*.example"]).unwrap()
}

#[test]
fn the_example_of_the_standard() {
    let accepted = Request::valid().accept().unwrap();
    let response = accepted.response();
    assert_eq!(response.status(), 101);
    let expected = [
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ];
    assert_eq!(response.headers().len(), expected.len());
    for (name, value) in expected {
        assert_eq!(response.headers()[name], value);
    }
    assert_eq!(accepted.format, Subprotocol::Json);
    assert_eq!(accepted.keepalive, Keepalive::Application);
    assert_eq!(accepted.compression(), Compression::Off);
}

#[test]
fn refusals() {
    assert_eq!(Request::with("connection", "keep-alive").status(), 400);
    assert_eq!(Request::with("upgrade", "h2c").status(), 400);
    assert_eq!(Request::with("sec-websocket-version", "12").status(), 400);
    for key in [
        "",
        "short",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25jZQQ=",
        "!GhlIHNhbXBsZSBub25jZQ==",
    ] {
        assert_eq!(
            Request::with("sec-websocket-key", key).status(),
            400,
            "{key}"
        );
    }
    let post = Request {
        method: Method::POST,
        ..Request::valid()
    };
    assert_eq!(post.status(), 405);
    let old = Request {
        version: Version::HTTP_10,
        ..Request::valid()
    };
    assert_eq!(old.status(), 400);
    assert_eq!(Request::with("origin", "https://evil.org").status(), 403);
    assert!(
        Request::with("origin", "https://app.example")
            .accept()
            .is_ok()
    );
    let refused = Refusal::Origin.response();
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.headers()["sec-websocket-version"], "13");
    assert_eq!(refused.body(), "Forbidden");
}

#[test]
fn over_http2_a_connect_is_enough() {
    let connect = || Request {
        method: Method::CONNECT,
        version: Version::HTTP_2,
        headers: vec![("sec-websocket-version", "13")],
        query: "",
    };
    let response = connect().accept().unwrap().response();
    assert_eq!(
        (response.status().as_u16(), response.headers().len()),
        (200, 0)
    );
    let get = Request {
        method: Method::GET,
        ..connect()
    };
    assert_eq!(get.status(), 405);
    let old = Request {
        headers: Vec::new(),
        ..connect()
    };
    assert_eq!(old.status(), 400);
}

#[test]
fn the_first_known_subprotocol_is_chosen() {
    let chosen = |list| {
        let accepted = Request::with("sec-websocket-protocol", list)
            .accept()
            .unwrap();
        let response = accepted.response();
        let names = response.headers().get_all("sec-websocket-protocol");
        let names: Vec<_> = names
            .into_iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        (accepted.format, names)
    };
    let (json, protobuf) = (Subprotocol::Json, Subprotocol::Protobuf);
    assert_eq!(
        chosen("centrifuge-protobuf"),
        (protobuf, vec![protobuf.name().to_owned()])
    );
    assert_eq!(
        chosen("mqtt, centrifuge-json,centrifuge-protobuf"),
        (json, vec![json.name().to_owned()])
    );
    assert_eq!(chosen("mqtt"), (json, vec![]));
}

#[test]
fn the_query_chooses_too() {
    let format = |query| Request::with_query(query).accept().unwrap().format;
    assert_eq!(format("format=protobuf"), Subprotocol::Protobuf);
    assert_eq!(format("x=1&cf_protocol=protobuf"), Subprotocol::Protobuf);
    assert_eq!(
        format("cf_protocol_version=v2&format=json"),
        Subprotocol::Json
    );
    assert_eq!(format("format=json&format=protobuf"), Subprotocol::Json);
    let keepalive = |query| Request::with_query(query).accept().unwrap().keepalive;
    assert_eq!(keepalive("cf_ws_frame_ping_pong=true"), Keepalive::Frames);
    assert_eq!(keepalive("cf_ws_frame_ping_pong=1"), Keepalive::Application);
}

#[test]
fn compression_is_agreed_on_if_the_endpoint_has_it() {
    let request = Request::with("sec-websocket-extensions", "permessage-deflate");
    let accepted = request.accept().unwrap();
    assert_eq!(accepted.compression(), Compression::Deflate);
    assert_eq!(
        accepted.response().headers()["sec-websocket-extensions"],
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    );
}
