use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use gyre_proto::proxy as pb;
use http::{HeaderMap, Uri};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tonic::Streaming;

use crate::context::ClientContext;
use crate::error::CallError;
use crate::messages::answer::Answer;
use crate::messages::event::Event;
use crate::messages::exchange::answer;
use crate::messages::payload::Request as _;
use crate::proxy::{Proxy, Wire};
use crate::wire::grpc::{Grpc, broken};

/// Publications of a client that wait for the stream to take them. 16: it is one client's, and its
/// commands wait meanwhile.
pub(crate) const UPWARD_LEN_MAX: usize = 16;

/// Which ways publications go through a subscription's stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the backend to the client.
    Down,
    /// Both ways. Option `subscribe_stream_proxy_bidirectional`.
    Both,
}

/// Paths of the gRPC methods.
const DOWN: &str = "/centrifugal.centrifugo.proxy.CentrifugoProxy/SubscribeUnidirectional";
const BOTH: &str = "/centrifugal.centrifugo.proxy.CentrifugoProxy/SubscribeBidirectional";

/// What a backend said to a subscribe that asks for a stream.
#[derive(Debug)]
pub enum StreamAnswer {
    /// The client is subscribed.
    Open(Box<Opened>),
    /// It refuses; the client gets this error.
    Error(pb::Error),
    /// It wants the client gone.
    Disconnect(pb::Disconnect),
}

impl Proxy {
    /// Asks whether a client may subscribe, and for a stream of publications if it may. Only the first
    /// message has the deadline.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the backend may have got the request.
    pub async fn subscribe_stream(
        &self,
        mut request: pb::SubscribeRequest,
        direction: Direction,
        client: &ClientContext,
    ) -> Result<StreamAnswer, CallError> {
        let Wire::Grpc(grpc) = &self.wire else {
            return Err(CallError::NeedsGrpc);
        };
        request.form(self.form);
        let request = &request;
        let opening = |trace| {
            let headers = self.headers.of(client, trace);
            let way = (direction, self.guard.timeout());
            let attempt =
                move |endpoint| open(grpc, endpoint, headers.clone(), request.clone(), way);
            async move { self.guard.run(Event::SubscribeStream, attempt).await }
        };
        let opened = self
            .observer
            .around(Event::SubscribeStream, client, opening)
            .await;
        self.observer.open(self.guard.is_open());
        opened
    }
}

/// Asks, and reads the first message.
async fn open(
    grpc: &Grpc,
    endpoint: &Uri,
    headers: HeaderMap,
    request: pb::SubscribeRequest,
    (direction, patience): (Direction, Duration),
) -> Result<StreamAnswer, CallError> {
    let (mut down, up) = match direction {
        Direction::Down => {
            let opened = grpc.server_stream(endpoint, DOWN, headers, request);
            (opened.await?, None)
        }
        Direction::Both => {
            let (up, requests) = upward(request);
            let opened = grpc.streams(endpoint, BOTH, headers, requests);
            (opened.await?, Some(up))
        }
    };
    let first: Option<pb::StreamSubscribeResponse> = down.message().await.map_err(broken)?;
    let response = first.and_then(|message| message.subscribe_response);
    let response = response.ok_or(CallError::NoSubscribeResponse)?;
    Ok(match answer::<pb::SubscribeRequest>(response)? {
        Answer::Result(result) => StreamAnswer::Open(Box::new(Opened {
            result,
            subscription: Subscription { down, up, patience },
        })),
        Answer::Error(error) => StreamAnswer::Error(error),
        Answer::Disconnect(disconnect) => StreamAnswer::Disconnect(disconnect),
    })
}

/// The way up: the subscribe is its first message.
fn upward(
    request: pb::SubscribeRequest,
) -> (
    Up,
    impl Stream<Item = pb::StreamSubscribeRequest> + Send + 'static,
) {
    let (up, queue) = mpsc::channel(UPWARD_LEN_MAX);
    let (open, over) = oneshot::channel();
    let first = pb::StreamSubscribeRequest {
        subscribe_request: Some(request),
        publication: None,
    };
    let rest = stream::unfold(queue, |mut queue| async move {
        queue.recv().await.map(|message| (message, queue))
    });
    let up = Up {
        queue: up,
        _open: open,
    };
    (up, stream::iter([first]).chain(rest).take_until(over))
}

/// A subscription whose publications come from the backend.
#[derive(Debug)]
pub struct Opened {
    /// Its options. `None`: those of the channel's namespace.
    pub result: Option<pb::SubscribeResult>,
    /// Where its publications come from.
    pub subscription: Subscription,
}

/// The stream of one subscription. Dropped, it ends, and the backend sees a cancelled call.
pub struct Subscription {
    down: Streaming<pb::StreamSubscribeResponse>,
    up: Option<Up>,
    /// How long the backend may take none of the client's publications.
    patience: Duration,
}

/// The way from the client to the backend.
#[derive(Debug)]
struct Up {
    queue: mpsc::Sender<pb::StreamSubscribeRequest>,
    /// Its end ends the way, whoever still holds a publisher.
    _open: oneshot::Sender<Infallible>,
}

impl Subscription {
    /// The next publication for the client; `None` once the backend ended the stream (unsubscribe
    /// 2000).
    ///
    /// # Errors
    ///
    /// [`CallError`]: the stream broke (unsubscribe 2500).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn next(&mut self) -> Result<Option<pb::Publication>, CallError> {
        loop {
            let message = self.down.message().await;
            let Some(message) = message.map_err(broken)? else {
                return Ok(None);
            };
            // A message without a publication says nothing.
            if let Some(publication) = message.publication {
                return Ok(Some(publication));
            }
        }
    }

    /// Where the client's publications go; `None` if the stream goes one way.
    #[must_use]
    pub fn publisher(&self) -> Option<Publisher> {
        let up = self.up.as_ref()?;
        Some(Publisher {
            up: up.queue.clone(),
            patience: self.patience,
        })
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

/// Sends a client's publications to the backend. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher {
    up: mpsc::Sender<pb::StreamSubscribeRequest>,
    patience: Duration,
}

/// Why a stream did not take a publication.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotTaken {
    /// There is no stream any more.
    #[error("the subscription's stream is over")]
    Over,
    /// The backend has read nothing for the proxy's timeout.
    #[error("the subscription's stream takes nothing")]
    TooSlow,
}

impl Publisher {
    /// Sends a publication; waits for room if the backend is slow to take them.
    ///
    /// # Errors
    ///
    /// [`NotTaken`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: not sent, or sent whole.
    pub async fn publish(&self, publication: pb::Publication) -> Result<(), NotTaken> {
        let message = pb::StreamSubscribeRequest {
            subscribe_request: None,
            publication: Some(publication),
        };
        match timeout(self.patience, self.up.send(message)).await {
            Ok(sent) => sent.map_err(|_closed| NotTaken::Over),
            Err(_elapsed) => Err(NotTaken::TooSlow),
        }
    }
}
