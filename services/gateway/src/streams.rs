//! The stream endpoints: HTTP streaming and server-sent events, both ways and only down.

use std::sync::Arc;

use bytes::Bytes;
use gyre_config::streams::ConnectCodeToHttp;
use gyre_protocol::messages::ConnectRequest;
use gyre_protocol::{Envelope, Format};
use gyre_runtime::{Head, Intercept, OnExit, Taken};
use gyre_session::Transport as Facts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use percent_encoding::percent_decode_str;

use crate::admission::Admission;
use crate::connection::{Driver, Limits};
use crate::http::body::{self, BodyError};
use crate::http::{self as short, cors};
use crate::node::Node;
use crate::opening::{Naming, Opening};
use crate::transport::http_stream::{Framing, Head as ResponseHead, HttpStream};
use crate::transport::positions::Positions;

/// What the reference answers when a client goes before its body has come. Not a standard status.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What a browser sends when it comes back. Source: HTML, server-sent events.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Said of every stream: middle boxes shall neither keep nor delay it.
const STREAM_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    ),
    (
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache, no-store, must-revalidate, max-age=0"),
    ),
    (header::PRAGMA, HeaderValue::from_static("no-cache")),
    (
        HeaderName::from_static("expire"),
        HeaderValue::from_static("0"),
    ),
];

/// One endpoint and its options.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) path: String,
    pub(crate) framing: Framing,
    pub(crate) envelope: Envelope,
    pub(crate) body_bytes_max: usize,
    /// Set if a refused connect is answered with a status.
    pub(crate) on_refusal: Option<Arc<ConnectCodeToHttp>>,
    /// Whether events have the client's positions as ids, from which it goes on when it comes back.
    pub(crate) has_ids: bool,
}

/// All stream endpoints, before hyper sees them.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) node: Arc<Node>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) limits: Limits,
}

impl Intercept for Streams {
    fn claims(&self, head: &Head) -> bool {
        self.endpoint(head).is_some()
    }

    fn take(self: Arc<Self>, taken: Taken) {
        let Some(endpoint) = self.endpoint(&taken.head).cloned() else {
            return; // Claimed only if there is one.
        };
        let tasks = self.node.tasks.clone();
        if self.admission.enter(self.node.clock.now().uptime).is_err() {
            self.node.metrics.connection_limit.inc();
            return self.answer(taken, short::too_many());
        }
        let cors = cors::headers(&self.node.live.load().origins, &taken.head.headers);
        // In a box from the start: what the request brings is soon of no use, and would lie in the task
        // for ever.
        let preparing = Box::pin(Arc::clone(&self).prepare(endpoint, taken, cors));
        tasks.spawn("connection", OnExit::Ignore, async move {
            let prepared = preparing.await;
            if let Some(driver) = prepared {
                driver.run().await;
            }
            self.admission.leave();
        });
    }
}

impl Streams {
    fn answer(&self, taken: Taken, response: Response<String>) {
        short::answer(&self.node.tasks, taken.stream, taken.responder, response);
    }

    fn endpoint(&self, head: &Head) -> Option<&Endpoint> {
        let path = head.path();
        self.endpoints.iter().find(|endpoint| endpoint.path == path)
    }

    async fn prepare(
        self: Arc<Self>,
        endpoint: Endpoint,
        mut taken: Taken,
        cors: HeaderMap,
    ) -> Option<Box<Driver<HttpStream>>> {
        match first_frame(&endpoint, &mut taken).await {
            Ok(frame) => {
                let frame = self.resumed(&endpoint, &taken.head, frame);
                self.open(&endpoint, taken, cors, frame)
            }
            Err(status) => {
                let mut response = short::plain(status);
                response.headers_mut().extend(cors);
                if status == StatusCode::NO_CONTENT {
                    response.headers_mut().extend(cors::PREFLIGHT);
                }
                self.answer(taken, response);
                None
            }
        }
    }

    /// The connect request with the positions of the last event that the client got.
    fn resumed(&self, endpoint: &Endpoint, head: &Head, frame: Bytes) -> Bytes {
        if !endpoint.has_ids {
            return frame;
        }
        let Some(positions) = head.header(&LAST_EVENT_ID).and_then(Positions::parse) else {
            return frame;
        };
        let Ok(mut request) = ConnectRequest::decode(Format::Json, &frame) else {
            return frame;
        };
        // A namespace may have gone since; the rest of what is wrong is said as always.
        let live = self.node.live.load();
        let policy = &live.settings.policy;
        let positions = positions.into_iter();
        let known = positions.filter(|(channel, _)| policy.resolve(channel).is_ok());
        request.subs.extend(known);
        // What came as JSON goes back.
        request.encode(Format::Json).unwrap_or(frame)
    }

    fn open(
        &self,
        endpoint: &Endpoint,
        taken: Taken,
        cors: HeaderMap,
        frame: Bytes,
    ) -> Option<Box<Driver<HttpStream>>> {
        let facts = Facts {
            format: format(endpoint, &taken.head),
            envelope: endpoint.envelope,
            app_pings: true,
            tells_disconnect: true,
        };
        let head = ResponseHead {
            responder: taken.responder,
            response: response_head(endpoint, &cors),
            cors,
            on_refusal: endpoint.on_refusal.clone(),
            has_ids: endpoint.has_ids,
        };
        let naming = match endpoint.envelope {
            Envelope::Reply => Naming::Reachable,
            Envelope::Bare => Naming::Named,
        };
        let opening = Opening::new(&self.node, facts, naming, &taken.head);
        let begun = HttpStream::begin(taken.stream, facts, endpoint.framing, head);
        let transport = match begun {
            Ok(transport) => transport,
            Err(error) => {
                opening.give_up();
                tracing::debug!(peer = %taken.peer, %error, "lost before it was accepted");
                return None;
            }
        };
        Some(Box::new(opening.driver(
            transport,
            self.limits,
            vec![frame],
        )))
    }
}

/// The request's commands, or the connect request of a unidirectional client; or the status that
/// answers a request without either.
async fn first_frame(endpoint: &Endpoint, taken: &mut Taken) -> Result<Bytes, StatusCode> {
    let method = &taken.head.method;
    let takes_get = endpoint.framing == Framing::Events;
    if *method == Method::POST {
        let frame = post_body(endpoint, taken).await?;
        return checked(endpoint, frame);
    }
    if *method == Method::OPTIONS && !takes_get {
        return Err(StatusCode::NO_CONTENT);
    }
    if *method != Method::GET || !takes_get {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    match (
        parameter(taken.head.query(), "cf_connect"),
        endpoint.envelope,
    ) {
        (Some(text), _) if !text.is_empty() => checked(endpoint, text),
        (_, Envelope::Bare) => Ok(Bytes::from_static(b"{}")),
        (_, Envelope::Reply) => Err(StatusCode::BAD_REQUEST),
    }
}

async fn post_body(endpoint: &Endpoint, taken: &mut Taken) -> Result<Bytes, StatusCode> {
    let early = std::mem::take(&mut taken.rest);
    let read = body::read(
        &mut taken.stream,
        &taken.head,
        early,
        endpoint.body_bytes_max,
    );
    read.await.map_err(|error| match error {
        BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Malformed => StatusCode::BAD_REQUEST,
        BodyError::Broken => {
            StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::BAD_REQUEST)
        }
    })
}

/// A unidirectional client learns at once that its request is none.
fn checked(endpoint: &Endpoint, frame: Bytes) -> Result<Bytes, StatusCode> {
    if endpoint.envelope == Envelope::Bare && ConnectRequest::decode(Format::Json, &frame).is_err()
    {
        return Err(StatusCode::BAD_REQUEST);
    }
    Ok(frame)
}

fn format(endpoint: &Endpoint, head: &Head) -> Format {
    let is_binary = head.header(&header::CONTENT_TYPE) == Some("application/octet-stream");
    let may_be_binary = endpoint.framing == Framing::Lines && endpoint.envelope == Envelope::Reply;
    if is_binary && may_be_binary {
        Format::Protobuf
    } else {
        Format::Json
    }
}

fn response_head(endpoint: &Endpoint, cors: &HeaderMap) -> Response<()> {
    let content_type = match endpoint.framing {
        Framing::Lines => "text/plain; charset=utf-8",
        Framing::Events => "text/event-stream; charset=utf-8",
    };
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.extend(cors.clone());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.extend(STREAM_HEADERS);
    response
}

/// The first parameter of this name in a query, decoded.
pub(crate) fn parameter(query: &str, name: &str) -> Option<Bytes> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    let spaced = value.replace('+', " ");
    Some(percent_decode_str(&spaced).collect::<Vec<u8>>().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_first_counts() {
        let query = "a=1&cf_connect=%7B%22id%22%3A1%7D+&cf_connect=2&b";
        assert_eq!(parameter(query, "cf_connect").unwrap(), r#"{"id":1} "#);
        assert_eq!(parameter(query, "b"), None);
        assert_eq!(parameter("", "cf_connect"), None);
    }

    #[test]
    fn a_unidirectional_request_is_checked_at_the_door() {
        let down = endpoint(Framing::Lines, Envelope::Bare);
        assert!(checked(&down, Bytes::from_static(b"{}")).is_ok());
        assert!(checked(&down, Bytes::from_static(b"null")).is_ok());
        for bad in [&b""[..], b"{", b"[]"] {
            let refused = checked(&down, Bytes::from_static(bad));
            assert_eq!(refused, Err(StatusCode::BAD_REQUEST));
        }
        // Over a stream that goes both ways the answer is on the stream.
        let both = endpoint(Framing::Lines, Envelope::Reply);
        assert!(checked(&both, Bytes::from_static(b"{")).is_ok());
    }

    fn endpoint(framing: Framing, envelope: Envelope) -> Endpoint {
        Endpoint {
            path: "/s".to_owned(),
            framing,
            envelope,
            body_bytes_max: 100,
            on_refusal: None,
            has_ids: false,
        }
    }
}
