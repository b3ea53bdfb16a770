use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gyre_engine::{History, HistoryQuery, Order, Retention};
use gyre_protocol::messages::Publication;
use gyre_types::{Position, UnixMillis};
use tokio::time::Instant;

/// Publications of one channel that are kept at most. A thousand: what is read to repair a gap.
const LEN_MAX: usize = 1000;

/// What all tails of a process keep at most; a channel for which there is no room has none. 64 MiB.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a publication costs beside its payload. Unit: bytes.
const OVERHEAD_BYTES: usize = 256;

/// How long a tail is kept after it was last of use. Half a minute: what clients take at most to come back.
const KEEP: Duration = Duration::from_secs(30);

/// What the tails of a process keep. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    bytes: Arc<AtomicUsize>,
}

/// The newest publications of a channel, up to the last that was handed over, without a hole.
#[derive(Debug)]
pub(super) struct Tail {
    /// Where the one before the first stands.
    after: u64,
    publications: VecDeque<Arc<Publication>>,
    len_max: usize,
    used: Instant,
    bytes: usize,
    budget: Budget,
}

impl Tail {
    /// A tail that begins after a position.
    pub(super) fn new(after: u64, retention: Retention, budget: &Budget) -> Self {
        let size = usize::try_from(retention.size).unwrap_or(usize::MAX);
        Self {
            after,
            publications: VecDeque::new(),
            len_max: size.clamp(1, LEN_MAX),
            used: Instant::now(),
            bytes: 0,
            budget: budget.clone(),
        }
    }

    /// Adds what was handed over; whether it can be kept.
    pub(super) fn push(&mut self, publication: &Arc<Publication>) -> bool {
        if publication.offset != self.top() + 1 || !self.pay(publication) {
            return false;
        }
        self.publications.push_back(Arc::clone(publication));
        if self.publications.len() > self.len_max {
            self.drop_first();
        }
        true
    }

    /// Adds what was read, as far as it goes before the first without a hole.
    pub(super) fn extend_back(&mut self, publications: &[Arc<Publication>]) {
        self.used = Instant::now();
        for publication in publications.iter().rev() {
            let is_next = publication.offset == self.after;
            if publication.offset > self.after {
                continue;
            }
            if !is_next || self.publications.len() >= self.len_max || !self.pay(publication) {
                return;
            }
            self.publications.push_front(Arc::clone(publication));
            self.after -= 1;
        }
    }

    /// What a query finds here; `None` if the stream may have more of it.
    pub(super) fn find(&mut self, query: &HistoryQuery<'_>, top: Position) -> Option<History> {
        self.used = Instant::now();
        let limit = query.limit.unwrap_or(usize::MAX);
        let publications = match (query.order, query.since) {
            (Order::Forward, Some((since, ""))) if (self.after..=top.offset).contains(&since) => {
                let later = self.publications.iter().filter(|one| one.offset > since);
                later.take(limit).cloned().collect()
            }
            (Order::Reverse, None) if limit <= self.publications.len() => {
                let newest = self.publications.iter().rev();
                newest.take(limit).cloned().collect()
            }
            (Order::Forward | Order::Reverse, _) => return None,
        };
        Some(History { top, publications })
    }

    /// Whether the stream still has what is kept here: a clock of those who published says when that was.
    pub(super) fn lives(&self, now: UnixMillis, ttl: Duration) -> bool {
        let last = self.publications.back();
        last.is_none_or(|last| lives(UnixMillis(last.time), now, Some(ttl)))
    }

    /// Whether it was of use lately.
    pub(super) fn is_used(&self) -> bool {
        self.used.elapsed() < KEEP
    }

    fn top(&self) -> u64 {
        let last = self.publications.back();
        last.map_or(self.after, |last| last.offset)
    }

    fn pay(&mut self, publication: &Publication) -> bool {
        let bytes = publication.data.len() + OVERHEAD_BYTES;
        let before = self.budget.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        before + bytes <= BYTES_MAX
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.publications.pop_front() {
            let bytes = first.data.len() + OVERHEAD_BYTES;
            self.budget.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.bytes -= bytes;
            self.after = first.offset;
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.budget.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Whether a stream that was last published to, or read, then still has what it had.
pub(super) fn lives(last: UnixMillis, now: UnixMillis, ttl: Option<Duration>) -> bool {
    let age = now.0.saturating_sub(last.0);
    ttl.is_none_or(|ttl| i64::try_from(ttl.as_millis()).is_ok_and(|ttl| age < ttl) || age <= 0)
}

#[cfg(test)]
mod tests {
    use gyre_types::Epoch;

    use super::*;

    fn publication(offset: u64) -> Arc<Publication> {
        Arc::new(Publication {
            offset,
            data: "data".into(),
            ..Publication::default()
        })
    }

    fn tail(after: u64, size: u32) -> Tail {
        let retention = Retention {
            size,
            ttl: Duration::from_secs(60),
            meta_ttl: None,
        };
        Tail::new(after, retention, &Budget::default())
    }

    fn top(tail: &Tail) -> Position {
        Position {
            offset: tail.top(),
            epoch: Epoch::new("e").unwrap(),
        }
    }

    fn since(offset: u64, limit: usize) -> HistoryQuery<'static> {
        HistoryQuery {
            since: Some((offset, "")),
            limit: Some(limit),
            ..HistoryQuery::default()
        }
    }

    fn found(tail: &mut Tail, query: &HistoryQuery<'_>) -> Option<Vec<u64>> {
        let top = top(tail);
        let found = tail.find(query, top)?;
        let offsets = found.publications.iter().map(|one| one.offset);
        Some(offsets.collect())
    }

    #[tokio::test]
    async fn what_was_read_joins_what_came_since() {
        let mut tail = tail(5, 10);
        assert!(tail.push(&publication(6)));
        let read: Vec<_> = (3..=6).map(publication).collect();
        tail.extend_back(&read);
        assert_eq!(found(&mut tail, &since(2, 100)), Some(vec![3, 4, 5, 6]));
        assert_eq!(found(&mut tail, &since(4, 1)), Some(vec![5]));
        assert_eq!(found(&mut tail, &since(6, 9)), Some(vec![]));
        assert_eq!(
            found(&mut tail, &since(1, 100)),
            None,
            "the stream has more"
        );
        assert_eq!(
            found(&mut tail, &since(7, 100)),
            None,
            "somebody knows more"
        );
        let newest = HistoryQuery {
            limit: Some(2),
            order: Order::Reverse,
            ..HistoryQuery::default()
        };
        assert_eq!(found(&mut tail, &newest), Some(vec![6, 5]));
        let more = HistoryQuery {
            limit: Some(5),
            ..newest
        };
        assert_eq!(found(&mut tail, &more), None);
    }

    #[tokio::test]
    async fn a_hole_is_never_joined() {
        let mut tail = tail(5, 10);
        tail.extend_back(&[publication(2), publication(4)]);
        assert_eq!(found(&mut tail, &since(4, 9)), None);
        tail.extend_back(&[publication(3), publication(5)]);
        assert_eq!(found(&mut tail, &since(4, 9)), Some(vec![5]));
        assert_eq!(found(&mut tail, &since(3, 9)), None);
        assert!(!tail.push(&publication(7)));
    }

    #[tokio::test]
    async fn no_more_is_kept_than_the_stream_has_and_all_is_given_back() {
        let mut tail = tail(0, 3);
        for offset in 1..=5 {
            assert!(tail.push(&publication(offset)));
        }
        assert_eq!(found(&mut tail, &since(2, 9)), Some(vec![3, 4, 5]));
        assert_eq!(found(&mut tail, &since(1, 9)), None);
        let budget = tail.budget.clone();
        assert_eq!(
            budget.bytes.load(Ordering::Relaxed),
            3 * (4 + OVERHEAD_BYTES)
        );
        drop(tail);
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn without_room_nothing_is_kept() {
        let mut tail = tail(0, 3);
        tail.budget.bytes.store(BYTES_MAX, Ordering::Relaxed);
        assert!(!tail.push(&publication(1)));
        let budget = tail.budget.clone();
        drop(tail);
        assert_eq!(budget.bytes.load(Ordering::Relaxed), BYTES_MAX);
    }

    #[test]
    fn what_is_over_is_not_there() {
        let second = Some(Duration::from_secs(1));
        let (last, now) = (UnixMillis(5000), UnixMillis(5999));
        assert!(lives(last, now, second));
        assert!(!lives(last, UnixMillis(6000), second));
        assert!(lives(last, UnixMillis(i64::MAX), None));
        assert!(lives(last, UnixMillis(0), second), "the clock was set back");
    }
}
