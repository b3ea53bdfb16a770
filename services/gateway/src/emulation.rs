//! Commands of clients whose transport only goes down: they come by requests of their own, at any
//! gateway, and go on to the one that holds the connection.

mod routes;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use foldhash::fast::RandomState;
use gyre_protocol::messages::EmulationRequest;
use gyre_protocol::{Format, json};
use hashbrown::HashMap;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use parking_lot::Mutex;

use self::routes::Lost;
pub(crate) use self::routes::Routes;
use crate::handle::{Handle, Item};
use crate::http::cors;
use crate::node::Node;

/// Sessions that commands can be sent to, by their secret names.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_name: Mutex<HashMap<String, (Arc<Handle>, Format), RandomState>>,
}

impl Sessions {
    pub(crate) fn enter(&self, name: &str, handle: &Arc<Handle>, format: Format) {
        let mut by_name = self.by_name.lock();
        by_name.insert(name.to_owned(), (Arc::clone(handle), format));
    }

    pub(crate) fn leave(&self, name: &str) {
        self.by_name.lock().remove(name);
    }

    /// Hands commands to the connection of a session; `false`: there is none, or they are nothing for it.
    pub(crate) fn deliver(&self, name: &str, data: Bytes) -> bool {
        let found = self.by_name.lock().get(name).cloned();
        let Some((handle, spoken)) = found else {
            return false;
        };
        let Some(frame) = frame(spoken, data) else {
            return false;
        };
        let bytes = frame.len();
        // A client that sends faster than its commands are worked on is slow in its own way.
        handle.mailbox.offer(Item::Frame(Box::new(frame)), bytes);
        true
    }
}

/// What the endpoint needs.
#[derive(Debug)]
pub(crate) struct Emulation {
    pub(crate) node: Arc<Node>,
    pub(crate) routes: Routes,
    pub(crate) body_bytes_max: usize,
}

/// The endpoint at `path`.
pub(crate) fn routes(path: &str, emulation: Emulation) -> Router {
    Router::new()
        .route(path, any(handle))
        .with_state(Arc::new(emulation))
}

async fn handle(State(emulation): State<Arc<Emulation>>, request: Request<Body>) -> Response {
    let cors = cors::headers(&emulation.node.live.load().origins, request.headers());
    let status = match *request.method() {
        Method::OPTIONS => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            response.headers_mut().extend(cors);
            response.headers_mut().extend(cors::PREFLIGHT);
            return response;
        }
        Method::POST => emulation.take(request).await,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    let mut response = status.into_response();
    response.headers_mut().extend(cors);
    response
}

impl Emulation {
    async fn take(&self, request: Request<Body>) -> StatusCode {
        let is_binary = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|value| value == "application/octet-stream");
        let format = if is_binary {
            Format::Protobuf
        } else {
            Format::Json
        };
        let body = Limited::new(request.into_body(), self.body_bytes_max);
        let Ok(body) = body.collect().await else {
            return StatusCode::PAYLOAD_TOO_LARGE;
        };
        let Ok(request) = EmulationRequest::decode(format, &body.to_bytes()) else {
            return StatusCode::BAD_REQUEST;
        };
        let EmulationRequest {
            node,
            session,
            data,
        } = request;
        if node == self.node.identity.id {
            // Whether there is such a session is none of the asker's business.
            self.node.sessions.deliver(&session, data);
            return StatusCode::NO_CONTENT;
        }
        let now = self.node.clock.now().uptime;
        match self.routes.forward(&node, session, data, now).await {
            Ok(()) => StatusCode::NO_CONTENT,
            Err(Lost::Unknown) => StatusCode::NOT_FOUND,
            Err(Lost::Unanswered) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The commands, as the connection speaks: a JSON one has them in a JSON string.
fn frame(spoken: Format, data: Bytes) -> Option<Bytes> {
    match spoken {
        Format::Protobuf => Some(data),
        Format::Json => json::string_content(&data).map(Bytes::from),
    }
}
