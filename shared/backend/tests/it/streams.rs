//! Streams of subscriptions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_backend::{CallError, ClientContext, Direction, NotTaken, Opened, Proxy, StreamAnswer};
use gyre_config::Millis;
use gyre_proto::proxy as pb;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::backend::{Reply, Script, Server};
use crate::world::proxy;

/// Longest wait for what has to come.
const WAIT: Duration = Duration::from_secs(10);

/// A backend that a test answers for.
struct Stage {
    proxy: Arc<Proxy>,
    script: Arc<Script>,
    answers: mpsc::Sender<Result<Bytes, u32>>,
    said: mpsc::Receiver<Bytes>,
    _server: Server,
}

impl Stage {
    async fn new() -> Self {
        let (answers, queue) = mpsc::channel(16);
        let (hear, said) = mpsc::channel(16);
        let ends = Mutex::new(Some((queue, hear)));
        let script = Script::new(move |_| match ends.lock().take() {
            Some((queue, hear)) => Reply::Stream(queue, hear),
            None => Reply::Status(14),
        });
        let server = Server::http(&script).await;
        let (proxy, _parts) = proxy(&server.address.to_string(), |options| {
            options.timeout = Millis(2_000);
        });
        Self {
            proxy,
            script,
            answers,
            said,
            _server: server,
        }
    }

    async fn say(&self, message: pb::StreamSubscribeResponse) {
        let sent = self.answers.send(Ok(message.encode_to_vec().into())).await;
        sent.unwrap();
    }

    async fn open(&self, direction: Direction) -> Result<StreamAnswer, CallError> {
        let request = pb::SubscribeRequest {
            channel: "news".to_owned(),
            ..pb::SubscribeRequest::default()
        };
        self.proxy
            .subscribe_stream(request, direction, &ClientContext::default())
            .await
    }

    async fn opened(&self, direction: Direction) -> Opened {
        self.say(answered(pb::SubscribeResponse::default())).await;
        let StreamAnswer::Open(opened) = self.open(direction).await.unwrap() else {
            unreachable!("it agrees");
        };
        *opened
    }
}

fn answered(response: pb::SubscribeResponse) -> pb::StreamSubscribeResponse {
    pb::StreamSubscribeResponse {
        subscribe_response: Some(response),
        publication: None,
    }
}

fn published(data: &str) -> pb::StreamSubscribeResponse {
    pb::StreamSubscribeResponse {
        subscribe_response: None,
        publication: Some(publication(data)),
    }
}

fn publication(data: &str) -> pb::Publication {
    pb::Publication {
        data: Bytes::copy_from_slice(data.as_bytes()),
        tags: [("k".to_owned(), "v".to_owned())].into(),
    }
}

#[tokio::test]
async fn publications_flow_after_the_answer_until_the_end() {
    let stage = Stage::new().await;
    stage
        .say(answered(pb::SubscribeResponse {
            result: Some(pb::SubscribeResult {
                b64info: "AAE=".to_owned(),
                ..pb::SubscribeResult::default()
            }),
            ..pb::SubscribeResponse::default()
        }))
        .await;
    stage.say(published("1")).await;
    let StreamAnswer::Open(opened) = stage.open(Direction::Down).await.unwrap() else {
        panic!("not open");
    };
    assert!(
        stage
            .script
            .last()
            .path
            .ends_with("/SubscribeUnidirectional")
    );
    assert_eq!(opened.result.unwrap().info, "\0\x01");
    let mut subscription = opened.subscription;
    assert!(subscription.publisher().is_none());
    assert_eq!(subscription.next().await.unwrap(), Some(publication("1")));
    stage.say(pb::StreamSubscribeResponse::default()).await;
    stage.say(published("2")).await;
    assert_eq!(subscription.next().await.unwrap(), Some(publication("2")));
    stage.answers.send(Err(0)).await.unwrap();
    assert_eq!(subscription.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_broken_stream_is_an_error() {
    let stage = Stage::new().await;
    let mut subscription = stage.opened(Direction::Down).await.subscription;
    stage.answers.send(Err(14)).await.unwrap();
    let error = subscription.next().await.unwrap_err();
    assert_eq!(error.as_str(), "status");
}

#[tokio::test]
async fn what_a_client_publishes_goes_up() {
    let mut stage = Stage::new().await;
    let mut subscription = stage.opened(Direction::Both).await.subscription;
    let asked = stage.script.last();
    assert!(asked.path.ends_with("/SubscribeBidirectional"));
    let first = pb::StreamSubscribeRequest::decode(asked.body).unwrap();
    assert_eq!(first.subscribe_request.unwrap().channel, "news");
    let publisher = subscription.publisher().unwrap();
    for data in ["1", "2", "3"] {
        publisher.publish(publication(data)).await.unwrap();
    }
    for data in ["1", "2", "3"] {
        let heard = timeout(WAIT, stage.said.recv()).await.unwrap().unwrap();
        let message = pb::StreamSubscribeRequest::decode(heard).unwrap();
        assert_eq!(message.publication, Some(publication(data)));
    }
    stage.say(published("down")).await;
    assert_eq!(
        subscription.next().await.unwrap(),
        Some(publication("down"))
    );
}

#[tokio::test]
async fn a_backend_that_takes_nothing_is_not_waited_for() {
    let stage = Stage::new().await;
    let subscription = stage.opened(Direction::Both).await.subscription;
    let publisher = subscription.publisher().unwrap();
    let large = publication(&"x".repeat(64 * 1024));
    let refused = async {
        loop {
            if let Err(refused) = publisher.publish(large.clone()).await {
                break refused;
            }
        }
    };
    assert_eq!(timeout(WAIT, refused).await.unwrap(), NotTaken::TooSlow);
}

#[tokio::test]
async fn a_dropped_subscription_is_a_cancelled_call() {
    let mut stage = Stage::new().await;
    let subscription = stage.opened(Direction::Both).await.subscription;
    let publisher = subscription.publisher().unwrap();
    drop(subscription);
    let heard = timeout(WAIT, stage.said.recv()).await.unwrap();
    assert_eq!(heard, None, "the backend sees its end");
    let over = async {
        while publisher.publish(publication("late")).await != Err(NotTaken::Over) {
            tokio::task::yield_now().await;
        }
    };
    timeout(WAIT, over).await.unwrap();
}

#[tokio::test]
async fn refusals_come_with_the_first_message() {
    let error = pb::Error {
        code: 403,
        message: "no".to_owned(),
        temporary: true,
    };
    let stage = Stage::new().await;
    stage
        .say(answered(pb::SubscribeResponse {
            error: Some(error.clone()),
            ..pb::SubscribeResponse::default()
        }))
        .await;
    let StreamAnswer::Error(got) = stage.open(Direction::Down).await.unwrap() else {
        panic!("not an error");
    };
    assert_eq!(got, error);
}

#[tokio::test]
async fn a_first_message_without_an_answer_is_an_error() {
    let stage = Stage::new().await;
    stage.say(published("too early")).await;
    let error = stage.open(Direction::Down).await.unwrap_err();
    assert!(matches!(error, CallError::NoSubscribeResponse), "{error:?}");

    let stage = Stage::new().await;
    stage.answers.send(Err(0)).await.unwrap();
    let error = stage.open(Direction::Down).await.unwrap_err();
    assert!(matches!(error, CallError::NoSubscribeResponse), "{error:?}");
}

#[tokio::test]
async fn a_first_message_has_the_deadline_and_the_rest_does_not() {
    let stage = Stage::new().await;
    let error = stage.open(Direction::Down).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout), "{error:?}");
}

#[tokio::test]
async fn http_has_no_streams() {
    let (proxy, _parts) = proxy("http://127.0.0.1:9", |_| {});
    let request = pb::SubscribeRequest::default();
    let client = ClientContext::default();
    let outcome = proxy
        .subscribe_stream(request, Direction::Down, &client)
        .await;
    assert!(matches!(outcome, Err(CallError::NeedsGrpc)));
}
