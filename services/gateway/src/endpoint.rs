//! The WebSocket endpoint: who may upgrade, and what a connection is made of.

use std::sync::Arc;

use gyre_protocol::Format;
use gyre_runtime::{Head, Intercept, OnExit, Taken};
use gyre_session::{Session, Transport};
use gyre_types::ClientId;
use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::admission::Admission;
use crate::connection::{Context, Driver, Limits, Parts};
use crate::handle::Handle;
use crate::mailbox::Signal;
use crate::node::Node;
use crate::websocket::handshake::{Keepalive, Subprotocol};
use crate::websocket::{Accepted, Compression, Origins, Settings, Upgrade, WebSocket};

/// How long a refused client may take to read why.
const REFUSAL_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// `websocket.handler_prefix`, before hyper sees it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) node: Arc<Node>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) path: String,
    pub(crate) origins: Origins,
    pub(crate) compression: Compression,
    pub(crate) settings: Arc<Settings>,
    pub(crate) limits: Limits,
}

impl Intercept for Endpoint {
    fn claims(&self, head: &Head) -> bool {
        head.path() == self.path
    }

    fn take(self: Arc<Self>, taken: Taken) {
        if self.admission.enter(self.node.clock.now().uptime).is_err() {
            self.node.metrics.connection_limit.inc();
            tracing::debug!(peer = %taken.peer, "refused: connection limit");
            return self.refuse(taken.stream, overloaded());
        }
        let upgrade = Upgrade {
            method: &taken.head.method,
            version: taken.head.version,
            headers: &taken.head.headers,
            query: taken.head.query(),
        };
        match upgrade.accept(&self.origins, self.compression) {
            Ok(accepted) => self.serve(taken, &accepted),
            Err(refusal) => {
                self.admission.leave();
                tracing::debug!(peer = %taken.peer, %refusal, "refused");
                self.refuse(taken.stream, refusal.response());
            }
        }
    }
}

impl Endpoint {
    fn serve(self: Arc<Self>, taken: Taken, accepted: &Accepted) {
        let user_from_header = self.user_of(&taken.head);
        let settings = Arc::clone(&self.settings);
        let opened = WebSocket::accept(taken.stream, accepted, &taken.rest, settings);
        let transport = match opened {
            Ok(transport) => transport,
            Err(error) => {
                self.admission.leave();
                tracing::debug!(peer = %taken.peer, %error, "lost before it was accepted");
                return;
            }
        };
        let driver = Box::new(self.driver(transport, accepted, user_from_header));
        let tasks = self.node.tasks.clone();
        tasks.spawn("connection", OnExit::Ignore, async move {
            self.node.metrics.connections_accepted.inc();
            self.node.metrics.connections_inflight.inc();
            driver.run().await;
            self.node.metrics.connections_inflight.dec();
            self.admission.leave();
        });
    }

    fn driver(
        &self,
        transport: WebSocket<TcpStream>,
        accepted: &Accepted,
        user_from_header: Option<Box<str>>,
    ) -> Driver {
        let node = Arc::clone(&self.node);
        let id = uuid::Uuid::new_v4();
        let client = ClientId::from(Arc::from(
            id.as_hyphenated()
                .encode_lower(&mut uuid::Uuid::encode_buffer()) as &str,
        ));
        let handle = Arc::new(Handle::new(client.clone(), node.options.queue_bytes_max));
        node.connections.wait(&handle);
        if node.tasks.drain().is_draining() {
            handle.mailbox.raise(Signal::Drain);
        }
        let format = format_of(accepted.format);
        let transport_facts = Transport {
            format,
            app_pings: accepted.keepalive == Keepalive::Application,
        };
        let session = Session::new(
            Arc::clone(&node.settings),
            transport_facts,
            client,
            id.as_u64_pair().0,
            node.clock.now(),
        );
        Driver::new(Parts {
            node,
            session,
            transport,
            context: Context::new(handle, user_from_header),
            format,
            limits: self.limits,
        })
    }

    fn user_of(&self, head: &Head) -> Option<Box<str>> {
        let name = self.node.options.user_id_header.as_ref()?;
        head.header(name)
            .filter(|user| !user.is_empty())
            .map(Box::from)
    }

    fn refuse(&self, mut stream: TcpStream, response: Vec<u8>) {
        self.node
            .tasks
            .spawn("refusal", OnExit::Ignore, async move {
                let answer = async {
                    stream.write_all(&response).await?;
                    stream.shutdown().await
                };
                // A client that does not read why learns nothing.
                let _ = tokio::time::timeout(REFUSAL_WAIT, answer).await;
            });
    }
}

const fn format_of(subprotocol: Subprotocol) -> Format {
    match subprotocol {
        Subprotocol::Json => Format::Json,
        Subprotocol::Protobuf => Format::Protobuf,
    }
}

fn overloaded() -> Vec<u8> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let text = status.canonical_reason().unwrap_or_default();
    format!(
        "HTTP/1.1 {} {text}\r\nRetry-After: 1\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        status.as_u16(),
        text.len(),
    )
    .into_bytes()
}
