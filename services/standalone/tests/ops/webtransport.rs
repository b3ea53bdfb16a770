//! WebTransport, from the client's side of HTTP/3.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use web_transport_quinn::proto::ConnectRequest;
use web_transport_quinn::quinn::crypto::rustls::QuicClientConfig;
use web_transport_quinn::quinn::{ClientConfig, Endpoint};
use web_transport_quinn::{
    Client, RecvStream, SendStream, Session as WebTransport, SessionError, WebTransportError,
};

use super::Outcome;
use super::server::{Server, gyre, text};
use super::tls::Files;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

const LIMIT: usize = 1_000;

const CONNECT: &str = "{\"id\":1,\"connect\":{}}\n";

fn client(files: &Files) -> Result<Client, Box<dyn Error>> {
    let mut tls = Files::client(&files.trusted()?)?;
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
    Ok(Client::new(endpoint, config))
}

fn request(server: &Server, path: &str) -> Result<ConnectRequest, Box<dyn Error>> {
    let url = format!("https://localhost:{}{path}", server.port);
    Ok(ConnectRequest::new(url.parse::<url::Url>()?))
}

/// A session, and its stream.
struct Session {
    session: WebTransport,
    send: SendStream,
    receive: RecvStream,
}

impl Session {
    async fn open(client: &Client, request: ConnectRequest) -> Result<Self, Box<dyn Error>> {
        let session = timeout(PATIENCE, client.connect(request)).await??;
        let (send, receive) = session.open_bi().await?;
        Ok(Self {
            session,
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

    /// Waits for the end of the session, which has to have this code and reason.
    async fn expect_end(&self, code: u32, reason: &str) -> Outcome {
        let end = timeout(PATIENCE, self.session.closed()).await?;
        let told = if let SessionError::WebTransportError(WebTransportError::Closed(code, reason)) =
            &end
        {
            Some((*code, reason.as_str()))
        } else {
            None
        };
        assert_eq!(told, Some((code, reason)), "{end:?}");
        Ok(())
    }
}

/// With which status of HTTP a session is refused.
async fn refusal(client: &Client, request: ConnectRequest) -> Result<String, Box<dyn Error>> {
    match timeout(PATIENCE, client.connect(request)).await? {
        Ok(_) => Ok("none".to_owned()),
        Err(error) => {
            let told = format!("{error:?}");
            let status = ["403", "404", "503"].into_iter().find(|s| told.contains(s));
            Ok(status.map_or_else(|| told.clone(), str::to_owned))
        }
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
        let client = client(&files)?;
        let elsewhere = request(&server, "/connection/webtransport")?;
        assert_eq!(refusal(&client, elsewhere).await?, "404");

        let mut session = Session::open(&client, request(&server, "/moved")?).await?;
        session.ask(CONNECT, "\"client\"").await?;
        let rpc = |len: usize| {
            let command = "{\"id\":2,\"rpc\":{\"method\":\"m\",\"data\":\"\"}}";
            let fill = "x".repeat(len - command.len());
            command.replace("\"\"", &format!("\"{fill}\"")) + "\n"
        };
        session.ask(&rpc(LIMIT), "\"id\":2").await?;
        assert!(session.ask(&rpc(LIMIT + 1), "\"id\":2").await.is_err());
        session.expect_end(3501, "bad request").await?;
        Ok(())
    })
}

#[test]
fn who_is_not_let_in_is_told_with_a_status() -> Outcome {
    let files = Files::new("webtransport-refusals")?;
    let config = json!({
        "http_server": {"tls": files.section(), "http3": {"enabled": true}},
        "client": {
            "insecure": true,
            "connection_limit": 1,
            "allowed_origins": ["https://good.example"],
        },
        "webtransport": {"enabled": true},
    });
    let server = Server::start(&["-c", &files.config("config.json", &config)?])?;
    Runtime::new()?.block_on(async {
        let client = client(&files)?;
        let from = |origin: &'static str| {
            let origin = http::HeaderValue::from_static(origin);
            let request = request(&server, "/connection/webtransport")?;
            Ok::<_, Box<dyn Error>>(request.with_header(http::header::ORIGIN, origin))
        };
        let bad = from("https://bad.example")?;
        assert_eq!(refusal(&client, bad).await?, "403");
        let mut session = Session::open(&client, from("https://good.example")?).await?;
        session.ask(CONNECT, "\"client\"").await?;
        let second = from("https://good.example")?;
        assert_eq!(refusal(&client, second).await?, "503");
        Ok(())
    })
}

#[test]
fn the_session_says_why_it_is_closed() -> Outcome {
    let files = Files::new("webtransport-close")?;
    let config = json!({
        "http_server": {"tls": files.section(), "http3": {"enabled": true}},
        "client": {"insecure": true},
        "webtransport": {"enabled": true},
    });
    let server = Server::start(&["-c", &files.config("config.json", &config)?])?;
    Runtime::new()?.block_on(async {
        let client = client(&files)?;
        let asked = request(&server, "/connection/webtransport")?;
        let mut session = Session::open(&client, asked).await?;
        session.ask(CONNECT, "\"client\"").await?;
        let told = session.ask(CONNECT, "\"disconnect\"").await?;
        assert!(told.contains("\"code\":3501"), "{told}");
        session.expect_end(3501, "bad request").await?;
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
