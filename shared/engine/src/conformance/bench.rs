use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use gyre_protocol::messages::{ClientInfo, Publication};
use gyre_types::{ChannelName, Position};

use super::recorder::Arrival;
use super::{Check, Failure, Recorder, Subject};
use crate::{
    BoxFuture, Delivered, Engine, Error, History, HistoryQuery, HistoryRead, Order, Publish,
    PublishOptions, Published, Retention,
};

/// One engine with nothing in it, and what every case needs.
pub(super) struct Bench<'s> {
    pub(super) engine: Engine,
    pub(super) recorder: Arc<Recorder>,
    subject: &'s dyn Subject,
}

/// Retention of cases that do not look at it: longer and larger than any of them.
pub(super) const KEPT: Retention = Retention {
    size: 1000,
    ttl: Duration::from_secs(600),
    meta_ttl: Some(Duration::from_secs(3600)),
};

/// Options that keep the publication.
pub(super) fn kept<'a>() -> PublishOptions<'a> {
    PublishOptions {
        retention: Some(KEPT),
        ..PublishOptions::default()
    }
}

/// A publication with this text for data.
pub(super) fn text(data: &str) -> Publication {
    Publication {
        data: Bytes::copy_from_slice(data.as_bytes()),
        ..Publication::default()
    }
}

/// A publication with a version.
pub(super) fn versioned(data: &str, version: u64) -> Publication {
    Publication {
        version,
        ..text(data)
    }
}

/// The client `client` of the user `user`.
pub(super) fn client(user: &str, client: &str) -> ClientInfo {
    ClientInfo {
        user: user.into(),
        client: client.into(),
        ..ClientInfo::default()
    }
}

/// Fails unless `actual` is `expected`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "cases compare what they made for it"
)]
pub(super) fn same<T: PartialEq + Debug>(what: &str, actual: T, expected: T) -> Check {
    if actual == expected {
        return Ok(());
    }
    Err(Failure::Differs {
        what: what.to_owned(),
        expected: brief(&expected),
        actual: brief(&actual),
    })
}

/// The value as text, without the end of what is long.
fn brief(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(BRIEF_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Fails with `what` unless it holds.
pub(super) fn holds(what: &str, condition: bool) -> Check {
    same(what, condition, true)
}

/// What must be there.
pub(super) fn found<T>(what: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::Differs {
        what: what.to_owned(),
        expected: "something".to_owned(),
        actual: "nothing".to_owned(),
    })
}

/// Offsets of publications, in their order.
pub(super) fn offsets(history: &History) -> Vec<u64> {
    history.publications.iter().map(|one| one.offset).collect()
}

/// Data of what arrived, in its order.
pub(super) fn data(arrivals: &[Arrival]) -> Vec<String> {
    arrivals
        .iter()
        .filter_map(Arrival::publication)
        .map(data_of)
        .collect()
}

/// Data of a publication as text.
pub(super) fn data_of(publication: &Publication) -> String {
    String::from_utf8_lossy(&publication.data).into_owned()
}

/// Texts to compare with.
pub(super) fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

impl<'s> Bench<'s> {
    pub(super) async fn open(subject: &'s dyn Subject) -> Self {
        let recorder = Arc::new(Recorder::default());
        let engine = subject.open(Arc::clone(&recorder)).await;
        Self {
            engine,
            recorder,
            subject,
        }
    }

    /// A channel that this node subscribes to.
    pub(super) async fn channel(&self, name: &str) -> Result<ChannelName, Failure> {
        let channel = Self::name(name)?;
        self.engine.broker.subscribe(&channel).await?;
        Ok(channel)
    }

    /// A channel's name.
    pub(super) fn name(name: &str) -> Result<ChannelName, Failure> {
        found("name of a channel", ChannelName::new(name).ok())
    }

    pub(super) async fn publish(
        &self,
        channel: &ChannelName,
        publication: &Publication,
        options: PublishOptions<'_>,
    ) -> Result<Published, Error> {
        let publish = Publish {
            publication,
            options,
        };
        self.engine.broker.publish(channel, publish).await
    }

    /// Publishes with history, which must give a position.
    pub(super) async fn keep(
        &self,
        channel: &ChannelName,
        data: &str,
    ) -> Result<Position, Failure> {
        let published = self.publish(channel, &text(data), kept()).await?;
        found("position of a publication with history", published.position)
    }

    /// Publishes `count` publications with history: «1», «2», and so on.
    pub(super) async fn fill(
        &self,
        channel: &ChannelName,
        count: u64,
    ) -> Result<Position, Failure> {
        let mut top = Position::default();
        for number in 1..=count {
            top = self.keep(channel, &number.to_string()).await?;
        }
        Ok(top)
    }

    pub(super) async fn read(&self, channel: &ChannelName, query: HistoryQuery<'_>) -> HistoryRead {
        self.engine.broker.history(channel, query).await
    }

    /// Everything that is kept, oldest first.
    pub(super) async fn read_all(&self, channel: &ChannelName) -> HistoryRead {
        self.read(channel, everything()).await
    }

    /// Waits until `count` arrived in the channel, and gives all of it.
    pub(super) async fn arrivals(
        &self,
        channel: &ChannelName,
        count: usize,
    ) -> Result<Vec<Arrival>, Failure> {
        let mut patience = self.subject.patience();
        poll_fn(|context| {
            if let Poll::Ready(arrivals) = self.recorder.poll(channel, count, context) {
                return Poll::Ready(Ok(arrivals));
            }
            patience.as_mut().poll(context).map(|()| {
                Err(Failure::NotArrived {
                    channel: channel.to_string(),
                    wanted: count,
                    arrived: brief(&self.recorder.arrivals(channel)),
                })
            })
        })
        .await
    }

    /// As [`Self::arrivals`], all of which must be publications.
    pub(super) async fn delivered(
        &self,
        channel: &ChannelName,
        count: usize,
    ) -> Result<Vec<Delivered>, Failure> {
        let arrivals = self.arrivals(channel, count).await?;
        let delivered: Vec<Delivered> = arrivals
            .into_iter()
            .filter_map(|arrival| match arrival {
                Arrival::Publication(delivered) => Some(delivered),
                Arrival::Join(_) | Arrival::Leave(_) | Arrival::Gap => None,
            })
            .collect();
        same("publications that arrived", delivered.len(), count)?;
        Ok(delivered)
    }

    /// Data of all that arrived in the channel before a publication that is sent now. Once per
    /// channel.
    pub(super) async fn data_until_now(
        &self,
        channel: &ChannelName,
    ) -> Result<Vec<String>, Failure> {
        self.publish(channel, &text(MARK), PublishOptions::default())
            .await?;
        let mut count = 1;
        loop {
            let arrivals = self.arrivals(channel, count).await?;
            let mut seen = data(&arrivals);
            if let Some(end) = seen.iter().position(|one| one == MARK) {
                seen.truncate(end);
                return Ok(seen);
            }
            count = arrivals.len() + 1;
        }
    }

    pub(super) async fn advance(&self, time: Duration) {
        self.subject.advance(time).await;
    }

    /// Runs all tasks at the same time and waits for them.
    pub(super) async fn at_once(&self, tasks: Vec<BoxFuture<'static, ()>>) {
        let running: Vec<_> = tasks.into_iter().map(|t| self.subject.spawn(t)).collect();
        for task in running {
            task.await;
        }
    }
}

/// A query for all that is kept.
pub(super) fn everything<'a>() -> HistoryQuery<'a> {
    HistoryQuery {
        meta_ttl: KEPT.meta_ttl,
        ..HistoryQuery::default()
    }
}

/// A query for what comes after `offset`, of any epoch.
pub(super) fn after<'a>(offset: u64) -> HistoryQuery<'a> {
    HistoryQuery {
        since: Some((offset, "")),
        ..everything()
    }
}

/// A query as somebody who subscribes asks it, of a channel that is kept so.
pub(super) fn heard(query: HistoryQuery<'_>, retention: Retention) -> HistoryQuery<'_> {
    HistoryQuery {
        meta_ttl: retention.meta_ttl,
        heard: Some(retention),
        ..query
    }
}

/// A query for what comes before `offset`, of any epoch, newest first.
pub(super) fn before<'a>(offset: u64) -> HistoryQuery<'a> {
    HistoryQuery {
        order: Order::Reverse,
        ..after(offset)
    }
}

/// What a failure shows of a value. Unit: characters.
const BRIEF_CHARS: usize = 400;

/// Data of the publication that marks the end; no case publishes it.
const MARK: &str = "\u{0}mark";
