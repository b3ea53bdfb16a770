//! The WebTransport endpoint: sessions over HTTP/3, each with one stream.
//!
//! HTTP/3 has a socket of its own, UDP on the port for clients, and no other routes.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use gyre_protocol::{Envelope, Format};
use gyre_runtime::tls::Tls;
use gyre_runtime::{Head, OnExit};
use gyre_session::Transport as Facts;
use http::{Method, StatusCode, Uri, Version};
use tokio::time::{interval, timeout};
use web_transport_quinn::quinn::crypto::rustls::{NoInitialCipherSuite, QuicServerConfig};
use web_transport_quinn::quinn::{
    Connection, ConnectionError, Endpoint as Quic, EndpointConfig, Incoming, ServerConfig,
    TokioRuntime, TransportConfig, VarInt,
};
use web_transport_quinn::{Request, ServerError};

use crate::admission::Admission;
use crate::connection::{Driver, Limits};
use crate::node::Node;
use crate::opening::{Naming, Opening};
use crate::streams::parameter;
use crate::transport::webtransport::{Link, WebTransport};

/// Longest wait for a handshake, and then for the stream. Source: client protocol, 8.7.
const OPEN_WAIT: Duration = Duration::from_secs(10);

/// How often certificates are compared with those in use. Ten seconds, as for TCP.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// How often the path of a silent session is kept open. 20 s, as over HTTP/2.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long a path may be dead. 40 s: two of them.
const IDLE_MAX_MS: u32 = 40_000;

/// Streams that a client may have open in each direction. 16: HTTP/3 has three of its own, a session one.
const STREAMS_MAX: u32 = 16;

/// What a connection holds of what was received and not read, or sent and not acknowledged. Unit: bytes.
///
/// 256 KiB: more than a command, and a path of 100 ms still carries 2.5 MB/s.
const WINDOW_BYTES: u32 = 256 * 1024;

/// The same of datagrams, which nobody reads. HTTP/3 wants them to be possible.
const DATAGRAM_BYTES: usize = 16 * 1024;

/// How long a client has to take a refusal.
const REFUSAL_WAIT: Duration = Duration::from_secs(1);

/// Longest wait for clients to learn that their sessions are closed. Eight seconds: they have five to
/// take the end of their stream, and one until the session is closed.
const FAREWELL_WAIT: Duration = Duration::from_secs(8);

/// What HTTP/3 is called in TLS.
const ALPN: &[u8] = b"h3";

/// `webtransport`, before it has a socket.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) node: Arc<Node>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) path: String,
    pub(crate) limits: Limits,
}

/// The same with its socket.
pub(crate) struct Listening {
    endpoint: Arc<Endpoint>,
    quic: Quic,
    tls: Tls,
}

/// Why WebTransport cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The certificate cannot be used over QUIC.
    #[error("http_server.tls cannot be used for HTTP/3")]
    Tls(#[from] NoInitialCipherSuite),
    /// The socket cannot be used.
    #[error("HTTP/3 cannot be served")]
    Socket(#[from] std::io::Error),
}

impl Endpoint {
    /// Serves nobody yet. Has to be called within a tokio runtime.
    pub(crate) fn listen(self, socket: UdpSocket, tls: Tls) -> Result<Listening, Error> {
        let config = configure(&tls)?;
        let runtime = Arc::new(TokioRuntime);
        let quic = Quic::new(EndpointConfig::default(), Some(config), socket, runtime)?;
        Ok(Listening {
            endpoint: Arc::new(self),
            quic,
            tls,
        })
    }
}

fn configure(tls: &Tls) -> Result<ServerConfig, Error> {
    let mut shown = (*tls.current()).clone();
    shown.alpn_protocols = vec![ALPN.to_vec()];
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(shown)?));
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_MAX_MS).into()))
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX))
        .max_concurrent_uni_streams(VarInt::from_u32(STREAMS_MAX))
        .stream_receive_window(VarInt::from_u32(WINDOW_BYTES))
        .receive_window(VarInt::from_u32(WINDOW_BYTES))
        .send_window(u64::from(WINDOW_BYTES))
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

impl Listening {
    /// Serves until the drain begins. Sessions that are open end by themselves, and are waited for: what
    /// tells a client that its session is closed is still on its way when the session has ended.
    pub(crate) async fn run(self) {
        let tasks = &self.endpoint.node.tasks;
        let drain = tasks.drain().clone();
        let mut shown = self.tls.current();
        let mut looks = interval(LOOK_INTERVAL);
        loop {
            tokio::select! {
                () = drain.draining() => break,
                incoming = self.quic.accept() => {
                    let Some(incoming) = incoming else {
                        break;
                    };
                    let session = Arc::clone(&self.endpoint).session(incoming);
                    tasks.spawn("connection", OnExit::Ignore, session);
                }
                _ = looks.tick() => {
                    let current = self.tls.current();
                    if !Arc::ptr_eq(&shown, &current) {
                        self.renew();
                        shown = current;
                    }
                }
            }
        }
        // Whoever does not answer is left.
        let _ = timeout(FAREWELL_WAIT, self.quic.wait_idle()).await;
    }

    fn renew(&self) {
        match configure(&self.tls) {
            Ok(config) => self.quic.set_server_config(Some(config)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "certificates changed and cannot be used for HTTP/3");
            }
        }
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
enum Unopened {
    #[error(transparent)]
    Quic(#[from] ConnectionError),
    #[error(transparent)]
    Http(#[from] ServerError),
}

async fn request(incoming: Incoming) -> Result<Request, Unopened> {
    Ok(Request::accept(incoming.await?).await?)
}

/// Answers that there will be no session, and waits until the client has it.
async fn refuse(request: Request, status: StatusCode) {
    let connection: Connection = request.conn().clone();
    if request.reject(status).await.is_ok() {
        let _ = timeout(REFUSAL_WAIT, connection.closed()).await;
    }
}

impl Endpoint {
    async fn session(self: Arc<Self>, incoming: Incoming) {
        let peer = incoming.remote_address();
        // In a box: it is soon over, and would lie in the task for ever.
        let request = Box::pin(async {
            match timeout(OPEN_WAIT, request(incoming)).await {
                Ok(Ok(request)) => Some(request),
                Ok(Err(error)) => {
                    tracing::debug!(%peer, %error, "no session over HTTP/3");
                    None
                }
                Err(_elapsed) => None,
            }
        });
        let Some(request) = request.await else {
            return;
        };
        if self.admission.enter(self.node.clock.now().uptime).is_err() {
            self.node.metrics.connection_limit.inc();
            return Box::pin(refuse(request, StatusCode::SERVICE_UNAVAILABLE)).await;
        }
        let prepared = Box::pin(self.prepare(request)).await;
        if let Some(driver) = prepared {
            driver.run().await;
        }
        self.admission.leave();
    }

    async fn prepare(&self, request: Request) -> Option<Box<Driver<WebTransport>>> {
        let head = head_of(&request)?;
        if head.path() != self.path {
            refuse(request, StatusCode::NOT_FOUND).await;
            return None;
        }
        if !self.node.live.load().origins.allows(&head.headers) {
            refuse(request, StatusCode::FORBIDDEN).await;
            return None;
        }
        let session = Link::new(request.ok().await.ok()?);
        // A client that opens no stream has nothing to say.
        let stream = timeout(OPEN_WAIT, session.accept()).await.ok()?.ok()?;
        let facts = Facts {
            format: format(&head),
            envelope: Envelope::Reply,
            app_pings: true,
            tells_disconnect: true,
        };
        let opening = Opening::new(&self.node, facts, Naming::Unnamed, &head);
        let command_bytes_max = self.limits.command_bytes_max;
        let transport = WebTransport::new(session, stream, facts, command_bytes_max);
        Some(Box::new(opening.driver(transport, self.limits, Vec::new())))
    }
}

fn format(head: &Head) -> Format {
    match parameter(head.query(), "cf_protocol").as_deref() {
        Some(b"protobuf") => Format::Protobuf,
        Some(_) | None => Format::Json,
    }
}

/// The request, as other endpoints see theirs; `None` if it is none.
fn head_of(request: &Request) -> Option<Head> {
    let path = request.url.path();
    let uri = match request.url.query() {
        Some(query) => format!("{path}?{query}").parse::<Uri>(),
        None => path.parse(),
    };
    Some(Head {
        method: Method::CONNECT,
        uri: uri.ok()?,
        version: Version::HTTP_3,
        headers: request.headers.clone(),
    })
}
