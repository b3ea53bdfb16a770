//! The WebSocket endpoints: who may upgrade, and what a connection is made of.

use std::sync::Arc;

use gyre_protocol::{Envelope, Format};
use gyre_runtime::{Head, Intercept, OnExit, Taken};
use gyre_session::Transport as Facts;
use http::{Response, StatusCode};

use crate::admission::Admission;
use crate::connection::{Driver, Limits};
use crate::http as short;
use crate::node::Node;
use crate::opening::{Naming, Opening};
use crate::streams::parameter;
use crate::transport::websocket::{Ways, WebSocketTransport};
use crate::websocket::handshake::{Keepalive, Subprotocol};
use crate::websocket::{Accepted, Compression, Settings, Upgrade, WebSocket};

/// `websocket.handler_prefix` or `uni_websocket.handler_prefix`, before hyper sees it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) node: Arc<Node>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) path: String,
    pub(crate) compression: Compression,
    pub(crate) settings: Arc<Settings>,
    pub(crate) limits: Limits,
    pub(crate) frame_messages_max: usize,
    pub(crate) ways: Ways,
    /// Only to the client: whether a push says why the connection ends.
    pub(crate) tells_disconnect: bool,
}

impl Intercept for Endpoint {
    fn claims(&self, head: &Head) -> bool {
        head.path() == self.path
    }

    fn take(self: Arc<Self>, taken: Taken) {
        if self.admission.enter(self.node.clock.now().uptime).is_err() {
            self.node.metrics.connection_limit.inc();
            tracing::debug!(peer = %taken.peer, "refused: connection limit");
            return self.answer(taken, short::too_many());
        }
        let first = match self.first_frame(&taken.head) {
            Ok(first) => first,
            Err(status) => {
                self.admission.leave();
                return self.answer(taken, short::plain(status));
            }
        };
        let upgrade = Upgrade {
            method: &taken.head.method,
            version: taken.head.version,
            headers: &taken.head.headers,
            query: taken.head.query(),
        };
        match upgrade.accept(&self.node.live.load().origins, self.compression) {
            Ok(accepted) => self.serve(taken, &accepted, first),
            Err(refusal) => {
                self.admission.leave();
                tracing::debug!(peer = %taken.peer, %refusal, "refused");
                self.answer(taken, refusal.response());
            }
        }
    }
}

impl Endpoint {
    fn answer(&self, taken: Taken, response: Response<String>) {
        short::answer(&self.node.tasks, taken.stream, taken.responder, response);
    }

    fn serve(self: Arc<Self>, taken: Taken, accepted: &Accepted, first: Vec<bytes::Bytes>) {
        let facts = self.facts(accepted);
        let naming = match self.ways {
            Ways::Both => Naming::Unnamed,
            Ways::ToClient { .. } => Naming::Named,
        };
        let opening = Opening::new(&self.node, facts, naming, &taken.head);
        let settings = Arc::clone(&self.settings);
        let head = taken.responder.begin(accepted.response());
        let compression = accepted.compression();
        let opened = WebSocket::accept(taken.stream, &head, compression, &taken.rest, settings);
        let socket = match opened {
            Ok(socket) => socket,
            Err(error) => {
                self.admission.leave();
                opening.give_up();
                tracing::debug!(peer = %taken.peer, %error, "lost before it was accepted");
                return;
            }
        };
        let transport = WebSocketTransport::new(
            socket,
            facts,
            self.settings.deflate_level,
            self.frame_messages_max,
            self.ways,
        );
        let driver: Box<Driver<_>> = Box::new(opening.driver(transport, self.limits, first));
        let tasks = self.node.tasks.clone();
        tasks.spawn("connection", OnExit::Ignore, async move {
            driver.run().await;
            self.admission.leave();
        });
    }

    fn facts(&self, accepted: &Accepted) -> Facts {
        match self.ways {
            Ways::Both => Facts {
                format: format_of(accepted.format),
                envelope: Envelope::Reply,
                app_pings: accepted.keepalive == Keepalive::Application,
                tells_disconnect: false,
            },
            Ways::ToClient { .. } => Facts {
                format: Format::Json,
                envelope: Envelope::Bare,
                app_pings: true,
                tells_disconnect: self.tells_disconnect,
            },
        }
    }

    /// The connect request of a unidirectional client, if the address has it.
    fn first_frame(&self, head: &Head) -> Result<Vec<bytes::Bytes>, StatusCode> {
        let given = match self.ways {
            Ways::Both => None,
            Ways::ToClient { .. } => {
                parameter(head.query(), "cf_connect").filter(|text| !text.is_empty())
            }
        };
        let Some(text) = given else {
            return Ok(Vec::new());
        };
        gyre_protocol::messages::ConnectRequest::decode(Format::Json, &text)
            .map_err(|_malformed| StatusCode::BAD_REQUEST)?;
        Ok(vec![text])
    }
}

const fn format_of(subprotocol: Subprotocol) -> Format {
    match subprotocol {
        Subprotocol::Json => Format::Json,
        Subprotocol::Protobuf => Format::Protobuf,
    }
}
