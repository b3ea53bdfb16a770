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
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use tokio::time::{interval, timeout};
use wtransport::endpoint::endpoint_side::Server;
use wtransport::endpoint::{IncomingSession, SessionRequest};
use wtransport::stream::BiStream;
use wtransport::{Endpoint as Quic, ServerConfig};

use crate::admission::Admission;
use crate::connection::{Driver, Limits};
use crate::node::Node;
use crate::opening::{Naming, Opening};
use crate::streams::parameter;
use crate::transport::webtransport::WebTransport;

/// Longest wait for a handshake, and then for the stream. Source: client protocol, 8.7.
const OPEN_WAIT: Duration = Duration::from_secs(10);

/// How often certificates are compared with those in use. Ten seconds, as for TCP.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// How often the path of a silent session is kept open. 20 s, as over HTTP/2.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long a path may be dead. 40 s: two of them.
const IDLE_MAX: Duration = Duration::from_secs(40);

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
    quic: Quic<Server>,
    tls: Tls,
}

/// Why WebTransport cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The certificate cannot be used over QUIC.
    #[error("http_server.tls cannot be used for HTTP/3")]
    Tls,
    /// The socket cannot be used.
    #[error("HTTP/3 cannot be served")]
    Socket(#[from] std::io::Error),
}

impl Endpoint {
    /// Serves nobody yet. Has to be called within a tokio runtime.
    pub(crate) fn listen(self, socket: UdpSocket, tls: Tls) -> Result<Listening, Error> {
        let config = ServerConfig::builder().with_bind_socket(socket);
        let quic = Quic::server(configure(config, &tls)?)?;
        Ok(Listening {
            endpoint: Arc::new(self),
            quic,
            tls,
        })
    }
}

type Unconfigured =
    wtransport::config::ServerConfigBuilder<wtransport::config::states::WantsIdentity>;

fn configure(config: Unconfigured, tls: &Tls) -> Result<ServerConfig, Error> {
    let mut shown = (*tls.current()).clone();
    shown.alpn_protocols = vec![ALPN.to_vec()];
    let config = config
        .with_custom_tls(shown)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_idle_timeout(Some(IDLE_MAX));
    Ok(config.map_err(|_too_long| Error::Tls)?.build())
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
        let config = self.quic.local_addr().map_err(Error::from);
        let config = config.and_then(|address| {
            let unused = ServerConfig::builder().with_bind_address(address);
            configure(unused, &self.tls)
        });
        let renewed = config.and_then(|config| Ok(self.quic.reload_config(config, false)?));
        if let Err(error) = renewed {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "certificates changed and cannot be used for HTTP/3");
        }
    }
}

impl Endpoint {
    async fn session(self: Arc<Self>, incoming: IncomingSession) {
        let peer = incoming.remote_address();
        // In a box: it is soon over, and would lie in the task for ever.
        let request = Box::pin(async {
            match timeout(OPEN_WAIT, incoming).await {
                Ok(Ok(request)) => Some(request),
                Ok(Err(error)) => {
                    tracing::debug!(%peer, %error, "HTTP/3 handshake failed");
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
            request.too_many_requests().await;
            return;
        }
        let prepared = Box::pin(self.prepare(request)).await;
        if let Some(driver) = prepared {
            driver.run().await;
        }
        self.admission.leave();
    }

    async fn prepare(&self, request: SessionRequest) -> Option<Box<Driver<WebTransport>>> {
        let head = head_of(&request)?;
        if head.path() != self.path {
            request.not_found().await;
            return None;
        }
        if !self.node.live.load().origins.allows(&head.headers) {
            request.forbidden().await;
            return None;
        }
        let session = request.accept().await.ok()?;
        // A client that opens no stream has nothing to say.
        let stream = timeout(OPEN_WAIT, session.accept_bi()).await.ok()?.ok()?;
        let facts = Facts {
            format: format(&head),
            envelope: Envelope::Reply,
            app_pings: true,
            tells_disconnect: true,
        };
        let opening = Opening::new(&self.node, facts, Naming::Unnamed, &head);
        let stream = BiStream::join(stream);
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
fn head_of(request: &SessionRequest) -> Option<Head> {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        // What stands before the headers proper begins with a colon.
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        ) {
            headers.append(name, value);
        }
    }
    if let Some(origin) = request.origin() {
        headers.insert(ORIGIN, HeaderValue::try_from(origin).ok()?);
    }
    Some(Head {
        method: Method::CONNECT,
        uri: request.path().parse::<Uri>().ok()?,
        version: Version::HTTP_3,
        headers,
    })
}
