//! WebTransport, from the client's side of HTTP/3.

use std::error::Error;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use wtransport::endpoint::endpoint_side::Client;
use wtransport::{ClientConfig, Connection, Endpoint, RecvStream, SendStream};

use super::Outcome;
use super::server::{Server, gyre, text};
use super::tls::Files;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

const LIMIT: usize = 1_000;

fn endpoint(files: &Files) -> Result<Endpoint<Client>, Box<dyn Error>> {
    let mut tls = Files::client(&files.trusted()?)?;
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let config = ClientConfig::builder()
        .with_bind_address(([127, 0, 0, 1], 0).into())
        .with_custom_tls(tls)
        .build();
    Ok(Endpoint::client(config)?)
}

/// A session, and its stream.
struct Session {
    _connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl Session {
    async fn open(endpoint: &Endpoint<Client>, url: &str) -> Result<Self, Box<dyn Error>> {
        let connection = timeout(PATIENCE, endpoint.connect(url)).await??;
        let (send, receive) = connection.open_bi().await?.await?;
        Ok(Self {
            _connection: connection,
            send,
            receive,
        })
    }

    /// What is answered to a command up to this part of it; an error if the stream ends before.
    async fn ask(&mut self, command: &str, part: &str) -> Result<String, Box<dyn Error>> {
        self.send.write_all(command.as_bytes()).await?;
        let mut read = String::new();
        let mut buffer = [0; 4_096];
        while !read.contains(part) {
            let len = timeout(PATIENCE, self.receive.read(&mut buffer)).await??;
            let bytes = buffer.get(..len.ok_or("the stream has ended")?);
            read += &text(bytes.unwrap_or_default());
        }
        Ok(read)
    }
}

#[test]
fn sessions_are_taken_at_the_path_of_the_option_up_to_its_limit() -> Outcome {
    let files = Files::new("webtransport")?;
    let config = json!({
        "http_server": {"tls": files.section(), "http3": {"enabled": true}},
        "client": {"insecure": true},
        "webtransport": {"enabled": true, "handler_prefix": "/moved", "message_size_limit": LIMIT},
    });
    let server = Server::start(&["-c", &files.config("config.json", &config)?])?;
    Runtime::new()?.block_on(async {
        let endpoint = endpoint(&files)?;
        let url = |path: &str| format!("https://localhost:{}{path}", server.port);
        let elsewhere = Session::open(&endpoint, &url("/connection/webtransport")).await;
        assert!(elsewhere.is_err(), "nothing is there");

        let mut session = Session::open(&endpoint, &url("/moved")).await?;
        session
            .ask("{\"id\":1,\"connect\":{}}\n", "\"client\"")
            .await?;
        let rpc = |len: usize| {
            let command = "{\"id\":2,\"rpc\":{\"method\":\"m\",\"data\":\"\"}}";
            let fill = "x".repeat(len - command.len());
            command.replace("\"\"", &format!("\"{fill}\"")) + "\n"
        };
        session.ask(&rpc(LIMIT), "\"id\":2").await?;
        assert!(session.ask(&rpc(LIMIT + 1), "\"id\":2").await.is_err());
        Ok(())
    })
}

#[test]
fn webtransport_needs_http_3_and_that_needs_tls() -> Outcome {
    for (variable, problem) in [
        (
            "GYRE_WEBTRANSPORT_ENABLED",
            "webtransport.enabled is true in variable GYRE_WEBTRANSPORT_ENABLED, expected false without HTTP/3",
        ),
        (
            "GYRE_HTTP_SERVER_HTTP3_ENABLED",
            "http_server.http3.enabled is true in variable GYRE_HTTP_SERVER_HTTP3_ENABLED, expected false without TLS",
        ),
    ] {
        let output = gyre(&["checkconfig"]).env(variable, "true").output()?;
        let told = text(&output.stdout);
        assert!(told.contains(problem), "{told}");
    }
    Ok(())
}
