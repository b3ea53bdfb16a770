//! Several processes: commands of one's API reach the connections of another.

#![expect(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use serde_json::{Value, json};

use crate::Outcome;
use gyre_ports::free_port;

use crate::server::{Server, directory, gyre, text};
use crate::websocket::Client;

const KEY: &str = "key";

const UNANSWERED: &str = "\"code\":151,\"message\":\"some gateways did not answer\"";

/// Two processes that know each other.
struct Pair {
    one: Server,
    other: Server,
    /// Where each takes commands, in that order.
    at: [u16; 2],
}

/// The configuration of one of two; `links` and `rpc` are joined to their sections.
fn config(ports: [u16; 2], own: usize, links: &Value, rpc: &Value) -> Value {
    let gateways = ports.map(|port| format!("localhost:{port}"));
    let mut config = json!({
        "http_api": {"key": KEY},
        "client": {"insecure": true},
        "http_stream": {"enabled": true},
        "node": {"name": format!("node {own}")},
        "links": {"gateways": gateways},
        "gateway": {"rpc": {"address": "127.0.0.1", "port": ports[own]}},
    });
    for (at, more) in [("/links", links), ("/gateway/rpc", rpc)] {
        let more = more.as_object().cloned().unwrap_or_default();
        if let Some(section) = config.pointer_mut(at).and_then(Value::as_object_mut) {
            section.extend(more);
        }
    }
    config
}

fn file(name: &str, config: &Value) -> Result<String, Box<dyn Error>> {
    let path = directory()?.join(format!("apart-{name}.json"));
    std::fs::write(&path, config.to_string())?;
    Ok(path.display().to_string())
}

impl Pair {
    fn start(name: &str, links: &[Value; 2], rpc: &Value) -> Result<Self, Box<dyn Error>> {
        let at = [free_port()?, free_port()?];
        let [one, other] = [0, 1].map(|own| -> Result<Server, Box<dyn Error>> {
            let config = config(at, own, &links[own], rpc);
            let path = file(&format!("{name}-{own}"), &config)?;
            Server::start(&["-c", &path])
        });
        Ok(Self {
            one: one?,
            other: other?,
            at,
        })
    }

    fn connected(&self) -> Result<Client, Box<dyn Error>> {
        let (mut client, _) = Client::open(self.other.port, "")?;
        client.say("{\"id\":1,\"connect\":{}}")?;
        client.expect_frame()?;
        Ok(client)
    }

    /// Closes everybody's connections by the first one's API.
    fn disconnect(&self) -> Result<String, Box<dyn Error>> {
        let body = "{\"user\":\"\",\"all_users\":true}";
        Ok(self.one.call(KEY, "/api/disconnect", body)?)
    }
}

#[test]
fn a_command_reaches_connections_of_another_process() -> Outcome {
    let links = || json!({"key": "shared"});
    let mut pair = Pair::start("key", &[links(), links()], &json!({}))?;
    let mut client = pair.connected()?;
    let info = pair.one.call(KEY, "/api/info", "{}")?;
    for name in ["\"node 0\"", "\"node 1\""] {
        assert_eq!(info.matches(name).count(), 1, "{info}");
    }
    assert!(pair.disconnect()?.ends_with("{\"result\":{}}"));
    assert_eq!(client.closed()?.0, 3503);

    pair.other.signal("KILL")?;
    assert_eq!(pair.other.wait()?, None);
    let answer = pair.disconnect()?;
    assert!(answer.contains(UNANSWERED), "{answer}");
    assert!(answer.contains(&pair.at[1].to_string()), "{answer}");
    Ok(())
}

/// A client over HTTP streaming whose commands always come in at the gateway that does not hold it.
struct Streamed<'a> {
    pair: &'a Pair,
    lines: BufReader<TcpStream>,
    /// `"session":…,"node":…`, as the server said.
    names: String,
}

impl<'a> Streamed<'a> {
    fn open(pair: &'a Pair) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect(("127.0.0.1", pair.other.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let body = "{\"id\":1,\"connect\":{}}";
        let request = format!(
            "POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut client = Self {
            pair,
            lines: BufReader::new(stream),
            names: String::new(),
        };
        let connect = client.next()?;
        let name = |name: &str| connect["connect"][name].clone();
        client.names = format!("\"session\":{},\"node\":{}", name("session"), name("node"));
        Ok(client)
    }

    fn next(&mut self) -> Result<Value, Box<dyn Error>> {
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 {
                return Err("the stream has ended".into());
            }
            if line.starts_with('{') {
                return Ok(serde_json::from_str(&line)?);
            }
        }
    }

    /// Sends a command to the wrong gateway; the status of the answer.
    fn say(&self, command: &str) -> Result<String, Box<dyn Error>> {
        self.emulate(&self.names, command)
    }

    fn emulate(&self, names: &str, command: &str) -> Result<String, Box<dyn Error>> {
        let data = Value::from(command);
        let answer = self
            .pair
            .one
            .post("/emulation", &format!("{{{names},\"data\":{data}}}"))?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }
}

#[test]
fn commands_reach_their_stream_through_the_wrong_gateway() -> Outcome {
    let links = || json!({"key": "shared"});
    let mut pair = Pair::start("emulation", &[links(), links()], &json!({}))?;
    let mut client = Streamed::open(&pair)?;
    let accepted = "HTTP/1.1 204 No Content";
    for n in 2..40 {
        let command = format!("{{\"id\":{n},\"subscribe\":{{\"channel\":\"c{n}\"}}}}");
        assert_eq!(client.say(&command)?, accepted);
        assert_eq!(client.next()?["id"], n);
    }
    assert_eq!(
        client.say("{\"id\":50,\"publish\":{\"channel\":\"c2\",\"data\":1}}")?,
        accepted
    );
    let both = [client.next()?, client.next()?];
    assert!(both.iter().any(|message| message["id"] == 50), "{both:?}");
    assert!(
        both.iter()
            .any(|message| message["push"]["channel"] == "c2")
    );

    // A session that nobody has is nobody's business; a node that is not there is said not to be.
    let unknown = client.names.replace("session\":\"", "session\":\"x");
    assert_eq!(client.emulate(&unknown, "{}")?, accepted);
    let nowhere = "\"session\":\"s\",\"node\":\"n\"";
    assert_eq!(client.emulate(nowhere, "{}")?, "HTTP/1.1 404 Not Found");
    // What is malformed ends the stream, wherever it came in.
    assert_eq!(client.say("{\"id\":51,\"subscribe\":[]}")?, accepted);
    assert_eq!(client.next()?["push"]["disconnect"]["code"], 3501);

    let client = Streamed::open(&pair)?;
    let (names, one) = (client.names, pair.one.port);
    pair.other.signal("KILL")?;
    assert_eq!(pair.other.wait()?, None);
    let client = Streamed {
        pair: &pair,
        lines: BufReader::new(TcpStream::connect(("127.0.0.1", one))?),
        names,
    };
    assert_eq!(client.say("{}")?, "HTTP/1.1 500 Internal Server Error");
    Ok(())
}

#[test]
fn whoever_has_another_key_commands_nobody() -> Outcome {
    let links = [json!({"key": "one"}), json!({"key": "other"})];
    let pair = Pair::start("keys", &links, &json!({}))?;
    let mut client = pair.connected()?;
    let answer = pair.disconnect()?;
    assert!(answer.contains(UNANSWERED), "{answer}");
    client.say("{\"id\":2,\"ping\":{}}")?;
    client.expect_frame()?;
    Ok(())
}

#[test]
fn a_port_that_everybody_could_use_is_refused() -> Outcome {
    let config = config([free_port()?, free_port()?], 0, &json!({}), &json!({}));
    let (file, port) = (file("open", &config)?, free_port()?.to_string());
    let output = gyre(&["-c", &file, "-a", "127.0.0.1", "-p", &port]).output()?;
    assert_eq!(output.status.code(), Some(64));
    let told = text(&output.stderr);
    assert!(
        told.contains("gateway.rpc would be open to everybody"),
        "{told}"
    );
    Ok(())
}

/// Certificates of an authority of the test's own, in files.
struct Authority {
    directory: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Result<Self, Box<dyn Error>> {
        let directory = directory()?.join(format!("apart-{name}"));
        std::fs::create_dir_all(&directory)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        std::fs::write(directory.join("ca.pem"), issuer.pem())?;
        Ok(Self { directory, issuer })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    fn issue(&self, name: &str) -> Outcome {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer)?;
        std::fs::write(self.path(&format!("{name}.pem")), cert.pem())?;
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem())?;
        Ok(())
    }

    /// Section `tls`, with or without a certificate to show.
    fn section(&self, cert: Option<&str>, more: &[(&str, &str)]) -> Value {
        let mut section = json!({"enabled": true});
        if let Some(cert) = cert {
            section["cert_pem"] = json!(self.path(&format!("{cert}.pem")));
            section["key_pem"] = json!(self.path(&format!("{cert}.key")));
        }
        for (option, file) in more {
            section[*option] = json!(self.path(file));
        }
        section
    }
}

#[test]
fn certificates_of_both_sides_take_the_place_of_a_key() -> Outcome {
    let authority = Authority::new("mtls")?;
    authority.issue("node")?;
    let with = json!({"tls": authority.section(Some("node"), &[("server_ca_pem", "ca.pem")])});
    let rpc = json!({"tls": authority.section(Some("node"), &[("client_ca_pem", "ca.pem")])});
    let pair = Pair::start("mtls", &[with.clone(), with.clone()], &rpc)?;
    let mut client = pair.connected()?;
    let answer = pair.disconnect()?;
    assert!(answer.ends_with("{\"result\":{}}"), "{answer}");
    assert_eq!(client.closed()?.0, 3503);
    drop(pair);

    let without = json!({"tls": authority.section(None, &[("server_ca_pem", "ca.pem")])});
    let pair = Pair::start("tls", &[without, with], &rpc)?;
    let answer = pair.disconnect()?;
    assert!(answer.contains(UNANSWERED), "{answer}");
    Ok(())
}
