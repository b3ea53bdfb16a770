//! The gRPC endpoints: one call is one connection, to the client only or both ways.
//!
//! hyper speaks HTTP/2; messages are framed here, for a stream that waits must not hold the buffers of
//! a general gRPC server.

pub(crate) mod message;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gyre_protocol::messages::ConnectRequest;
use gyre_protocol::{Envelope, Format};
use gyre_runtime::{Head, Intercept, OnExit, Stream, Taken};
use gyre_session::Transport as Facts;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, HeaderName, Method, Response, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tonic::Code;

use self::message::{Decoder, Malformed, Size};
use crate::admission::Admission;
use crate::connection::{Driver, Limits};
use crate::endpoints::Shared;
use crate::node::Node;
use crate::opening::{Naming, Opening};
use crate::transport::grpc::{GrpcStream, Padding, Ways};

/// The method of streams to the client.
const CONSUME: &str = "/centrifugal.centrifugo.unistream.CentrifugoUniStream/Consume";

/// The method of streams both ways.
const CONNECT: &str = "/gyre.client.v1.ClientService/Connect";

/// Longest wait for the one message of a request. Ten seconds, as for a request head.
const REQUEST_WAIT: Duration = Duration::from_secs(10);

/// How long a client's HTTP/2 window may stay shut. 30 seconds, as for other HTTP: a client may read
/// slowly, and the queue's limit is what stops it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest wait for a client to take its refusal.
const REFUSAL_WAIT: Duration = Duration::from_secs(5);

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// One method, before the services of its port see it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    node: Arc<Node>,
    admission: Arc<Admission>,
    kind: Kind,
    padding: Padding,
    message_bytes_max: usize,
    /// How a stream ends. One for all: each waits for its end as long as it lives.
    well: Arc<HeaderMap>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The stream to the client.
    Consume,
    /// The stream both ways.
    Connect,
}

/// Why a call gets no stream.
#[derive(Clone, Copy, Debug)]
struct Refused(Code, &'static str);

impl Endpoint {
    pub(crate) fn new(
        kind: Kind,
        padding: Padding,
        message_bytes_max: usize,
        shared: &Shared,
    ) -> Self {
        Self {
            node: Arc::clone(&shared.node),
            admission: Arc::clone(&shared.admission),
            kind,
            padding,
            message_bytes_max,
            well: Arc::new(status(Refused(Code::Ok, ""))),
        }
    }

    const fn path(&self) -> &'static str {
        match self.kind {
            Kind::Consume => CONSUME,
            Kind::Connect => CONNECT,
        }
    }
}

impl Intercept for Endpoint {
    fn claims(&self, head: &Head) -> bool {
        head.version == Version::HTTP_2
            && head.method == Method::POST
            && head.path() == self.path()
            && head
                .header(&CONTENT_TYPE)
                .is_some_and(|kind| kind.starts_with("application/grpc"))
    }

    fn take(self: Arc<Self>, taken: Taken) {
        let tasks = self.node.tasks.clone();
        if self.admission.enter(self.node.clock.now().uptime).is_err() {
            self.node.metrics.connection_limit.inc();
            let refused = Refused(Code::Unavailable, "connection limit");
            tasks.spawn("response", OnExit::Ignore, refuse(taken, refused));
            return;
        }
        // In a box from the start: what the call brings is soon of no use, and would lie in the task for
        // ever.
        let preparing = Box::pin(Arc::clone(&self).prepare(taken));
        tasks.spawn("connection", OnExit::Ignore, async move {
            let prepared = preparing.await;
            if let Some(driver) = prepared {
                driver.run().await;
            }
            self.admission.leave();
        });
    }
}

impl Endpoint {
    async fn prepare(self: Arc<Self>, mut taken: Taken) -> Option<Box<Driver<GrpcStream>>> {
        let first = match self.kind {
            Kind::Consume => match self.request(&mut taken.stream).await {
                Ok(request) => vec![request],
                Err(refused) => {
                    refuse(taken, refused).await;
                    return None;
                }
            },
            Kind::Connect => Vec::new(),
        };
        let facts = Facts {
            format: Format::Protobuf,
            envelope: match self.kind {
                Kind::Consume => Envelope::Bare,
                Kind::Connect => Envelope::Reply,
            },
            app_pings: true,
            tells_disconnect: true,
        };
        let (ways, naming) = match self.kind {
            Kind::Consume => (Ways::ToClient, Naming::Named),
            Kind::Connect => {
                let decoder = Decoder::new(self.message_bytes_max);
                (Ways::Both(decoder), Naming::Unnamed)
            }
        };
        let mut responder = taken.responder;
        responder.trailers(Arc::clone(&self.well));
        // Over HTTP/2 the head does not go through the stream.
        let _ = responder.begin(head());
        let opening = Opening::new(&self.node, facts, naming, &taken.head);
        let transport = GrpcStream::new(taken.stream, facts, ways, self.padding);
        let limits = Limits {
            command_bytes_max: self.message_bytes_max,
            write_timeout: WRITE_TIMEOUT,
        };
        Some(Box::new(opening.driver(transport, limits, first)))
    }

    /// The one message of a client that only listens.
    async fn request(&self, stream: &mut Stream) -> Result<Bytes, Refused> {
        let request = read_one(stream, self.message_bytes_max);
        let late = Refused(Code::DeadlineExceeded, "no request message");
        let request = timeout(REQUEST_WAIT, request)
            .await
            .map_err(|_elapsed| late)??;
        let invalid = Refused(Code::InvalidArgument, "not a ConnectRequest");
        ConnectRequest::decode(Format::Protobuf, &request).map_err(|_malformed| invalid)?;
        Ok(request)
    }
}

async fn read_one(stream: &mut Stream, bytes_max: usize) -> Result<Bytes, Refused> {
    let mut read = BytesMut::new();
    loop {
        match message::size(&read, bytes_max) {
            Ok(Size::Whole(len)) => return Ok(message::take(&mut read, len)),
            Ok(Size::Unknown) => {}
            Err(Malformed::TooLong(_)) => {
                return Err(Refused(Code::ResourceExhausted, "request message too long"));
            }
            Err(Malformed::Compressed) => {
                return Err(Refused(Code::Unimplemented, "compressed request message"));
            }
        }
        match stream.read_buf(&mut read).await {
            Ok(0) | Err(_) => return Err(Refused(Code::Internal, "no request message")),
            Ok(_) => {}
        }
    }
}

fn head() -> Response<()> {
    let mut response = Response::new(());
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn status(Refused(code, text): Refused) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from(code as i32));
    if !text.is_empty() {
        trailers.insert(MESSAGE, HeaderValue::from_static(text));
    }
    trailers
}

async fn refuse(mut taken: Taken, refused: Refused) {
    let mut responder = taken.responder;
    responder.trailers(Arc::new(status(refused)));
    // Over HTTP/2 the head does not go through the stream.
    let _ = responder.begin(head());
    // A client that does not take its refusal learns nothing.
    let _ = timeout(REFUSAL_WAIT, taken.stream.shutdown()).await;
}
