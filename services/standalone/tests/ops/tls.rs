//! The binary with TLS: certificates of the test's own.

use std::error::Error;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use gyre_ports::free_port;

use super::server::{Server, directory, gyre, text};
use super::{Outcome, read_until};

const UPGRADE: &str = "GET /connection/websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A certificate in a file, and its key in another.
pub(crate) struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    pub(crate) fn new(test: &str) -> Result<Self, Box<dyn Error>> {
        let directory = directory()?.join(format!("tls-{test}"));
        std::fs::create_dir_all(&directory)?;
        let files = Self {
            cert: directory.join("cert.pem"),
            key: directory.join("key.pem"),
        };
        files.renew()?;
        Ok(files)
    }

    /// Writes a new certificate.
    fn renew(&self) -> Outcome {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(&self.cert, made.cert.pem())?;
        std::fs::write(&self.key, made.signing_key.serialize_pem())?;
        Ok(())
    }

    /// The section `tls`.
    pub(crate) fn section(&self) -> serde_json::Value {
        serde_json::json!({ "enabled": true, "cert_pem": self.cert, "key_pem": self.key })
    }

    pub(crate) fn config(
        &self,
        name: &str,
        config: &serde_json::Value,
    ) -> Result<String, Box<dyn Error>> {
        let path = self.cert.with_file_name(name);
        std::fs::write(&path, config.to_string())?;
        Ok(path.to_str().ok_or("path is not text")?.to_owned())
    }

    /// What trusts the certificate of `trusted`, and no other.
    pub(crate) fn client(trusted: &str) -> Result<ClientConfig, Box<dyn Error>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth())
    }

    /// A connection to the port that trusts the certificate of `trusted`.
    fn connect(
        port: u16,
        trusted: &str,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, Box<dyn Error>> {
        let config = Self::client(trusted)?;
        let name = ServerName::try_from("localhost")?;
        let connection = ClientConnection::new(Arc::new(config), name)?;
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        Ok(StreamOwned::new(connection, stream))
    }

    pub(crate) fn trusted(&self) -> std::io::Result<String> {
        std::fs::read_to_string(&self.cert)
    }
}

/// A masked text frame. The mask is zero, so that the text is as it was.
fn frame(message: &str) -> Vec<u8> {
    let len = u8::try_from(message.len()).unwrap_or(125);
    let mut frame = vec![0x81, 0x80 | len, 0, 0, 0, 0];
    frame.extend_from_slice(message.as_bytes());
    frame
}

#[test]
fn clients_and_the_api_are_served_over_tls() -> Outcome {
    let files = Files::new("served")?;
    let config = serde_json::json!({
        "http_server": { "tls": files.section() },
        "client": { "insecure": true },
        "http_api": { "insecure": true },
        "health": { "enabled": true },
    });
    let server = Server::start(&["-c", &files.config("config.json", &config)?])?;

    let mut client = Files::connect(server.port, &files.trusted()?)?;
    client.write_all(UPGRADE.as_bytes())?;
    read_until(&mut client, "\r\n\r\n")?;
    client.write_all(&frame(
        "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"news\"}}",
    ))?;
    read_until(&mut client, "\"id\":2")?;

    let mut backend = Files::connect(server.port, &files.trusted()?)?;
    let body = "{\"channel\":\"news\",\"data\":{\"text\":\"through tls\"}}";
    let request = format!(
        "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    backend.write_all(request.as_bytes())?;
    assert!(read_until(&mut backend, "\r\n\r\n")?.starts_with("HTTP/1.1 200 "));
    read_until(&mut client, "through tls")?;

    assert!(
        !server
            .get("/health")
            .is_ok_and(|answer| answer.starts_with("HTTP/"))
    );
    Ok(())
}

#[test]
fn the_internal_port_may_do_without() -> Outcome {
    let files = Files::new("external")?;
    let internal = free_port()?;
    let config = serde_json::json!({
        "http_server": { "tls": files.section(), "tls_external": true, "internal_port": internal },
        "health": { "enabled": true },
    });
    let server = Server::start(&["-c", &files.config("config.json", &config)?])?;
    let ask = |stream: &mut dyn Write| {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    };
    let mut plain = TcpStream::connect(("127.0.0.1", internal))?;
    ask(&mut plain)?;
    assert!(read_until(&mut plain, "\r\n\r\n")?.starts_with("HTTP/1.1 200 "));
    let mut public = Files::connect(server.port, &files.trusted()?)?;
    ask(&mut public)?;
    assert!(read_until(&mut public, "\r\n\r\n")?.starts_with("HTTP/1.1 404 "));
    Ok(())
}

#[test]
fn ports_may_have_certificates_of_their_own() -> Outcome {
    let (public, own) = (Files::new("public")?, Files::new("own")?);
    let [internal, api, streams] = [free_port()?, free_port()?, free_port()?];
    let config = serde_json::json!({
        "http_server": {
            "tls": public.section(), "internal_port": internal, "internal_tls": own.section(),
        },
        "health": { "enabled": true },
        "grpc_api": {
            "enabled": true, "address": "127.0.0.1", "port": api, "key": "key", "tls": own.section(),
        },
        "uni_grpc": { "enabled": true, "address": "127.0.0.1", "port": streams, "tls": own.section() },
        "client_grpc": { "enabled": true, "address": "127.0.0.1", "port": streams, "tls": own.section() },
    });
    let server = Server::start(&["-c", &public.config("config.json", &config)?])?;
    for (port, files, others) in [
        (server.port, &public, &own),
        (internal, &own, &public),
        (api, &own, &public),
        (streams, &own, &public),
    ] {
        let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut trusting = Files::connect(port, &files.trusted()?)?;
        trusting.write_all(request)?;
        read_until(&mut trusting, "HTTP/1.1 ")?;
        let mut wary = Files::connect(port, &others.trusted()?)?;
        assert!(
            wary.write_all(request).is_err(),
            "{port}: a certificate that was not asked for"
        );
    }
    Ok(())
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() -> Outcome {
    let files = Files::new("unusable")?;
    std::fs::write(&files.cert, "no certificate")?;
    let config = serde_json::json!({ "http_server": { "tls": files.section() } });
    let path = files.config("config.json", &config)?;
    let served = gyre(&["-c", &path]).output()?;
    assert_eq!(served.status.code(), Some(64));
    assert!(
        text(&served.stderr).contains("http_server.tls.cert_pem"),
        "{}",
        text(&served.stderr)
    );
    let checked = gyre(&["checkconfig", "-c", &path]).output()?;
    assert_eq!(checked.status.code(), Some(64));
    assert!(text(&checked.stdout).contains("http_server.tls.cert_pem"));
    Ok(())
}
