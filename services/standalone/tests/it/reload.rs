//! What a reload changes for those who are connected, who call and who come.

use std::path::PathBuf;

use crate::Outcome;
use crate::server::{self, Server};
use crate::websocket::{Client, TEXT};

const READ: &str = "configuration was read again";
const KEPT: &str = "configuration stays as it was";

/// A server and the file that it reads.
struct Reloading {
    server: Server,
    file: PathBuf,
}

impl Reloading {
    fn start(name: &str, config: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let file = server::directory()?.join(format!("{name}.json"));
        std::fs::write(&file, config)?;
        let server = Server::start(&["-c", file.to_str().ok_or("path is not text")?])?;
        Ok(Self { server, file })
    }

    /// Has it read another configuration, up to this line of its log.
    fn reload(&mut self, config: &str, until: &str) -> Outcome {
        std::fs::write(&self.file, config)?;
        self.server.signal("HUP")?;
        self.server.read_next(until)
    }
}

fn ask(client: &mut Client, command: &str) -> Result<String, Box<dyn std::error::Error>> {
    client.say(command)?;
    let frame = client.expect_frame()?;
    assert_eq!(frame.first, TEXT);
    Ok(String::from_utf8(frame.payload)?)
}

#[test]
fn namespaces_limits_and_keys_change_while_clients_are_connected() -> Outcome {
    let mut it = Reloading::start(
        "live",
        r#"{"client":{"insecure":true,"channel_limit":1},"http_api":{"key":"old"}}"#,
    )?;
    let mut client = Client::subscribed(it.server.port, "", "news")?;
    let subscribe = r#"{"id":3,"subscribe":{"channel":"chat:1"}}"#;
    assert!(ask(&mut client, subscribe)?.contains(r#""code":106"#));
    let publish = r#"{"channel":"chat:1","data":{"n":1}}"#;
    let answer = it.server.call("old", "/api/publish", publish)?;
    assert!(answer.contains(r#""code":102"#), "{answer}");

    it.reload(
        r#"{"client":{"insecure":true,"channel_limit":2},"http_api":{"key":"new"},
            "channel":{"namespaces":[{"name":"chat"}]}}"#,
        READ,
    )?;
    assert_eq!(ask(&mut client, subscribe)?, r#"{"id":3,"subscribe":{}}"#);
    let refused = it.server.call("old", "/api/publish", publish)?;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    it.server.call("new", "/api/publish", publish)?;
    let push = client.expect_frame()?;
    assert!(String::from_utf8(push.payload)?.contains(r#"{"n":1}"#));
    // The one that it had before is still there.
    it.server.call(
        "new",
        "/api/publish",
        r#"{"channel":"news","data":{"n":2}}"#,
    )?;
    let push = client.expect_frame()?;
    assert!(String::from_utf8(push.payload)?.contains(r#"{"n":2}"#));
    Ok(())
}

#[test]
fn who_comes_after_a_reload_finds_what_it_says() -> Outcome {
    let mut it = Reloading::start("newcomers", r#"{"client":{"insecure":true}}"#)?;
    let mut before = Client::subscribed(it.server.port, "", "news")?;
    it.reload(
        r#"{"client":{"allowed_origins":["https://example.com"],"connection_limit":2}}"#,
        READ,
    )?;
    let (_, answer) = Client::open(it.server.port, "Origin: https://example.org\r\n")?;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let (mut nobody, answer) = Client::open(it.server.port, "Origin: https://example.com\r\n")?;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let (_, answer) = Client::open(it.server.port, "")?;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // No longer insecure: who has no token is refused, and who is in stays in.
    nobody.say(r#"{"id":1,"connect":{}}"#)?;
    assert_eq!(nobody.closed()?.0, 3501);
    let refused = ask(&mut before, r#"{"id":9,"subscribe":{"channel":"more"}}"#)?;
    assert!(refused.contains(r#""code":103"#), "{refused}");
    Ok(())
}

#[test]
fn a_reload_with_one_fault_changes_nothing() -> Outcome {
    let mut it = Reloading::start(
        "fault",
        r#"{"client":{"insecure":true},"http_api":{"key":"old"}}"#,
    )?;
    let faults = [
        r#"{"http_api":{"key":"new"},"channel":{"namespaces":[{"name":"a"},{"name":"a"}]}}"#,
        r#"{"http_api":{"key":"new"},"client":{"token":{"rsa_public_key":"none"}}}"#,
        r#"{"http_api":{"key":"new"},"client":{"user_id_http_header":"not a header"}}"#,
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        it.reload(fault, KEPT)?;
        let answer = it.server.call("old", "/api/info", "{}")?;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{index}: {answer}");
        it.reload(
            r#"{"client":{"insecure":true},"http_api":{"key":"old"}}"#,
            READ,
        )?;
    }
    Ok(())
}
