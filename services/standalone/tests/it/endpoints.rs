//! Where endpoints are, how long their requests may be, and who finds them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::Outcome;
use gyre_ports::free_port;

use crate::server::Server;

/// Endpoints with a path of their own, by section: where each is by default.
const ENDPOINTS: &[(&str, &str)] = &[
    ("websocket", "/connection/websocket"),
    ("http_stream", "/connection/http_stream"),
    ("sse", "/connection/sse"),
    ("emulation", "/emulation"),
    ("uni_websocket", "/connection/uni_websocket"),
    ("uni_http_stream", "/connection/uni_http_stream"),
    ("uni_sse", "/connection/uni_sse"),
    ("init", "/connection/init"),
    ("health", "/health"),
    ("prometheus", "/metrics"),
    ("swagger", "/swagger"),
];

/// The status of an answer, whose body may never end.
fn status(address: (&str, u16), request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.split(' ').nth(1).unwrap_or_default().to_owned())
}

fn get(port: u16, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    status(("127.0.0.1", port), &request)
}

fn post(port: u16, path: &str, body: &str) -> io::Result<String> {
    let len = body.len();
    let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n{body}");
    status(("127.0.0.1", port), &request)
}

#[test]
fn endpoints_move_with_their_prefixes_and_are_off_unless_they_are_on() -> Outcome {
    let by_default = Server::with(&json!({}))?;
    for (section, path) in ENDPOINTS {
        let is_on = get(by_default.port, path)? != "404";
        assert_eq!(is_on, *section == "websocket", "{section}");
    }

    let mut config = json!({});
    for (section, _) in ENDPOINTS {
        config[section] = json!({"enabled": true, "handler_prefix": format!("/moved/{section}")});
    }
    for section in ["websocket", "emulation"] {
        config[section] = json!({"handler_prefix": format!("/moved/{section}")});
    }
    let moved = Server::with(&config)?;
    for (section, path) in ENDPOINTS {
        assert_eq!(get(moved.port, path)?, "404", "{section}");
        assert_ne!(
            get(moved.port, &format!("/moved/{section}"))?,
            "404",
            "{section}"
        );
    }

    let without = Server::with(&json!({"websocket": {"disabled": true}}))?;
    assert_eq!(get(without.port, "/connection/websocket")?, "404");
    Ok(())
}

#[test]
fn request_bodies_have_the_limits_of_their_endpoints() -> Outcome {
    let posted = ENDPOINTS.iter().filter(|(section, _)| {
        [
            "http_stream",
            "sse",
            "emulation",
            "uni_http_stream",
            "uni_sse",
        ]
        .contains(section)
    });
    for (section, path) in posted {
        let mut config = json!({"client": {"insecure": true}, "http_stream": {"enabled": true}});
        config[section]["max_request_body_size"] = 100.into();
        if *section != "emulation" {
            config[section]["enabled"] = true.into();
        }
        let server = Server::with(&config)?;
        let body = |len: usize| format!("{:len$}", "{\"id\":1,\"connect\":{}}");
        assert_ne!(post(server.port, path, &body(100))?, "413", "{section}");
        assert_eq!(post(server.port, path, &body(101))?, "413", "{section}");
    }
    Ok(())
}

#[test]
fn what_is_not_for_clients_may_have_an_address_of_its_own() -> Outcome {
    let internal = free_port()?;
    let config = json!({
        "http_server": {"internal_address": "127.0.0.2", "internal_port": internal},
        "health": {"enabled": true},
    });
    let server = Server::with(&config)?;
    let request = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(status(("127.0.0.2", internal), request)?, "200");
    assert!(
        TcpListener::bind(("127.0.0.1", internal)).is_ok(),
        "nobody listens there"
    );
    assert_eq!(get(server.port, "/health")?, "404");
    Ok(())
}

#[test]
fn the_api_may_be_served_to_clients_too() -> Outcome {
    for (is_external, expected) in [(false, "404"), (true, "200")] {
        let config = json!({
            "http_server": {"internal_port": free_port()?},
            "http_api": {"insecure": true, "external": is_external},
        });
        let server = Server::with(&config)?;
        assert_eq!(post(server.port, "/api/info", "{}")?, expected);
    }
    Ok(())
}

#[test]
fn websockets_over_http_2_are_offered_if_it_is_said() -> Outcome {
    for is_said in [false, true] {
        let config = json!({"http_server": {"external_http2_extended_connect": is_said}});
        let server = Server::with(&config)?;
        let offered = settings(server.port)?.contains(&(ENABLE_CONNECT_PROTOCOL, 1));
        assert_eq!(offered, is_said);
    }
    Ok(())
}

/// Source: RFC 8441, 3.
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// The settings that a server of HTTP/2 begins with.
fn settings(port: u16) -> io::Result<Vec<(u16, u32)>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let empty = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &empty[..]].concat())?;
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    assert_eq!(head[3], 4, "a frame of settings");
    let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut payload)?;
    let pairs = payload.as_chunks::<6>().0.iter();
    Ok(pairs
        .map(|&[a, b, c, d, e, f]| (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])))
        .collect())
}

#[test]
fn info_names_the_interval_of_its_metrics() -> Outcome {
    let config = json!({
        "node": {"info_metrics_aggregate_interval": "7s"},
        "http_api": {"insecure": true},
    });
    let server = Server::with(&config)?;
    let answer = server.post("/api/info", "{}")?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    let body: Value = serde_json::from_str(body)?;
    assert_eq!(
        body.pointer("/result/nodes/0/metrics/interval"),
        Some(&json!(7))
    );
    Ok(())
}
