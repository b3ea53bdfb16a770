//! Streams of the backend's: one subscription's publications, and the client's own the other way.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use gyre_backend::{Direction, Event, Publisher, StreamAnswer, Subscription};
use gyre_proto::proxy as pb;
use gyre_protocol::codes::{Error, Unsubscribe};
use gyre_protocol::messages::Publication;
use gyre_protocol::prepared::Prepared;
use gyre_runtime::OnExit;
use gyre_session::{AskSubscribe, Completion, Failure, Refusal, Terms};
use gyre_types::{ChannelName, Epoch, SubscriptionId};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::ask::{Asking, NOBODY, disconnect_of, error_of};
use super::subscribe::{question, terms_of};
use crate::handle::{Handle, Item};
use crate::mailbox::Offered;

/// Streams of one connection's subscriptions. Few have any, and those few at a time.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Vec<Open>>);

#[derive(Debug)]
struct Open {
    id: SubscriptionId,
    /// Where the client's publications go; `None`: nowhere.
    publisher: Option<Publisher>,
    /// Dropped, it ends the task that reads the stream, and with it the stream.
    _ends: oneshot::Sender<Infallible>,
}

impl Streams {
    /// Ends the stream of a subscription, if it has one.
    pub(crate) fn close(&self, id: SubscriptionId) {
        self.0.lock().retain(|open| open.id != id);
    }

    /// Ends all of them.
    pub(crate) fn close_all(&self) {
        self.0.lock().clear();
    }

    fn publisher(&self, id: SubscriptionId) -> Option<Publisher> {
        let streams = self.0.lock();
        let open = streams.iter().find(|open| open.id == id)?;
        open.publisher.clone()
    }
}

/// Asks whether a client may subscribe, and opens the stream if it may.
pub(super) async fn open(
    asking: &Asking,
    streams: Option<&Streams>,
    ask: AskSubscribe,
) -> Completion {
    let Some(streams) = streams else {
        return Completion::SubscribeAsked(Err(NOBODY)); // There is a place where one is asked for.
    };
    Completion::SubscribeAsked(opened(asking, streams, ask).await.map(Box::new))
}

async fn opened(asking: &Asking, streams: &Streams, ask: AskSubscribe) -> Result<Terms, Refusal> {
    let channel = ask.channel.as_str();
    let live = asking.node.live.load_full();
    let rules = live.settings.policy.resolve(channel);
    let options = rules.map_err(Refusal::Error)?.options();
    let direction = match options.subscribe_stream_proxy_bidirectional {
        true => Direction::Both,
        false => Direction::Down,
    };
    let name = &options.subscribe_stream_proxy_name;
    let proxy = asking.node.backends.find(Event::SubscribeStream, name);
    let proxy = proxy.ok_or(NOBODY)?;
    let answer = proxy
        .subscribe_stream(question(asking, &ask), direction, &asking.brought)
        .await;
    let opened = match answer {
        Ok(StreamAnswer::Open(opened)) => *opened,
        Ok(StreamAnswer::Error(error)) => return Err(error_of(error)),
        Ok(StreamAnswer::Disconnect(disconnect)) => return Err(disconnect_of(disconnect)),
        // What went wrong stands in the log of who called.
        Err(_unanswered) => return Err(Refusal::Error(Error::INTERNAL)),
    };
    let (ends, ended) = oneshot::channel();
    streams.0.lock().push(Open {
        id: ask.id,
        publisher: opened.subscription.publisher(),
        _ends: ends,
    });
    let reading = read(
        Arc::clone(&asking.handle),
        (ask.id, ask.channel),
        opened.subscription,
        ended,
    );
    let tasks = asking.node.tasks.clone();
    tasks.spawn("subscription stream", OnExit::Ignore, reading);
    Ok(opened.result.map(terms_of).unwrap_or_default())
}

/// Hands a client's publication to the stream of its subscription.
pub(super) async fn publish(
    streams: Option<&Streams>,
    id: SubscriptionId,
    data: Bytes,
) -> Completion {
    let Some(publisher) = streams.and_then(|streams| streams.publisher(id)) else {
        return Completion::Done(Err(Failure::NotAvailable));
    };
    let publication = pb::Publication {
        data,
        ..pb::Publication::default()
    };
    let published = publisher.publish(publication).await;
    Completion::Done(published.map_err(|_over| Failure::Unanswered))
}

/// Takes what the stream brings to the connection, until either ends.
async fn read(
    handle: Arc<Handle>,
    (id, channel): (SubscriptionId, ChannelName),
    mut stream: Subscription,
    mut ended: oneshot::Receiver<Infallible>,
) {
    let unsubscribe = loop {
        let next = tokio::select! {
            next = stream.next() => next,
            _ = &mut ended => return,
        };
        match next {
            Ok(Some(publication)) => {
                if handle.deliver(id, &prepared(&channel, publication)) != Offered::Accepted {
                    return; // The connection ends.
                }
            }
            Ok(None) => break Unsubscribe::SERVER,
            Err(error) => {
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::warn!(%channel, error, "a subscription's stream broke");
                break Unsubscribe::INSUFFICIENT_STATE;
            }
        }
    };
    handle.ask(Item::StreamEnd(id, Box::new(unsubscribe)));
}

fn prepared(channel: &ChannelName, publication: pb::Publication) -> Arc<Prepared> {
    let publication = Arc::new(Publication {
        data: publication.data,
        tags: publication.tags,
        ..Publication::default()
    });
    Arc::new(Prepared::publication(
        channel,
        publication,
        Epoch::default(),
        None,
    ))
}
