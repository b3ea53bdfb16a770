use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Merges equal operations: while one is under way, all that come meanwhile wait for the next, which is
/// done once for all of them.
///
/// Nobody is given a result that was begun before he asked: it could lack what he knows to have
/// happened.
pub(crate) struct Flights<K, V> {
    table: Mutex<HashMap<K, Vec<oneshot::Sender<Turn<V>>>>>,
}

/// What somebody who waits is told.
enum Turn<V> {
    /// The result of a flight that began after he asked.
    Done(V),
    /// Begin the next flight, and tell these.
    Lead(Vec<oneshot::Sender<Self>>),
}

/// Leads a flight; if it is dropped half way, somebody else leads.
struct Lead<'f, K: Eq + Hash + Clone, V> {
    flights: &'f Flights<K, V>,
    key: K,
    followers: Vec<oneshot::Sender<Turn<V>>>,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Flights<K, V> {
    /// The result of an operation that begins after this call, alone or with others of the same key.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: others are not disturbed.
    pub(crate) async fn join<F: Future<Output = V>>(
        &self,
        key: K,
        operation: impl FnOnce() -> F,
    ) -> V {
        let waiting = {
            let mut table = self.table.lock();
            match table.get_mut(&key) {
                None => {
                    table.insert(key.clone(), Vec::new());
                    None
                }
                Some(queue) => {
                    let (sender, receiver) = oneshot::channel();
                    queue.push(sender);
                    Some(receiver)
                }
            }
        };
        let followers = match waiting {
            None => Vec::new(),
            Some(receiver) => match receiver.await {
                Ok(Turn::Done(value)) => return value,
                Ok(Turn::Lead(followers)) => followers,
                // Leaders hand over even when they are dropped; alone is right in any case.
                Err(_) => return operation().await,
            },
        };
        let mut lead = Lead {
            flights: self,
            key,
            followers,
        };
        let value = operation().await;
        for follower in mem::take(&mut lead.followers) {
            // Whoever stopped waiting does not want it.
            let _ = follower.send(Turn::Done(value.clone()));
        }
        value
    }
}

impl<K: Eq + Hash + Clone, V> Drop for Lead<'_, K, V> {
    /// Hands over to those who came meanwhile, and to those who were to be told, if they were not.
    fn drop(&mut self) {
        let mut table = self.flights.table.lock();
        let mut waiting = mem::take(&mut self.followers);
        waiting.extend(table.get_mut(&self.key).map(mem::take).unwrap_or_default());
        loop {
            waiting.retain(|one| !one.is_closed());
            if waiting.is_empty() {
                table.remove(&self.key);
                return;
            }
            let next = waiting.remove(0);
            match next.send(Turn::Lead(mem::take(&mut waiting))) {
                Ok(()) => return,
                Err(Turn::Lead(rest)) => waiting = rest,
                Err(Turn::Done(_)) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// An operation that counts itself and waits for a permit.
    struct Bench {
        flights: Flights<u8, usize>,
        begun: AtomicUsize,
        gate: Semaphore,
    }

    impl Bench {
        async fn join(&self) -> usize {
            let operation = || async {
                let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
                self.gate.acquire().await.unwrap().forget();
                number
            };
            self.flights.join(1, operation).await
        }
    }

    fn bench() -> Arc<Bench> {
        Arc::new(Bench {
            flights: Flights::default(),
            begun: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        })
    }

    #[tokio::test]
    async fn all_that_come_meanwhile_share_the_next() {
        let bench = bench();
        let mut first = Box::pin(bench.join());
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut others: Vec<_> = (0..10).map(|_| Box::pin(bench.join())).collect();
        for other in &mut others {
            assert!(futures_util::poll!(other).is_pending());
        }
        assert_eq!(bench.begun.load(Ordering::SeqCst), 1);
        bench.gate.add_permits(2);
        assert_eq!(first.await, 1);
        assert_eq!(join_all(others).await, [2; 10]);
        assert_eq!(bench.begun.load(Ordering::SeqCst), 2);
        assert!(bench.flights.table.lock().is_empty());
    }

    #[tokio::test]
    async fn a_leader_that_goes_is_followed_by_another() {
        let bench = bench();
        let mut first = Box::pin(bench.join());
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(bench.join());
        let mut third = Box::pin(bench.join());
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(first);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(second);
        bench.gate.add_permits(1);
        assert_eq!(third.await, 3);
        assert!(bench.flights.table.lock().is_empty());
    }
}
