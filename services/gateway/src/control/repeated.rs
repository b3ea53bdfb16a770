use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use gyre_types::Uptime;
use hashbrown::HashMap;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tonic::Status;

/// How long a command's id is remembered. A caller repeats within its deadline, which is shorter.
const REMEMBERED: Duration = Duration::from_mins(1);

/// Most ids that are remembered. 4096: past it the oldest go, which only matters if they are repeated.
const IDS_MAX: usize = 4096;

/// A command under way or done: how many connections matched. Whoever asks for it runs it on; who
/// gives up does not stop it for the others.
pub(super) type Outcome = Shared<BoxFuture<'static, Result<u32, Status>>>;

/// An id of its own, for a slice would keep the whole request.
type Id = SmallVec<[u8; 16]>;

/// Commands of the last minute, with their answers.
#[derive(Default)]
pub(crate) struct Repeated {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    outcomes: HashMap<Id, (Outcome, Uptime), foldhash::fast::RandomState>,
    /// Oldest first.
    order: VecDeque<(Id, Uptime)>,
}

impl Repeated {
    /// The command of this id: the one that is known, or a new one made by `run`. A command without
    /// an id is always new.
    pub(super) fn once(
        &self,
        id: &[u8],
        now: Uptime,
        run: impl FnOnce() -> BoxFuture<'static, Result<u32, Status>>,
    ) -> Outcome {
        if id.is_empty() {
            return run().shared();
        }
        let mut known = self.known.lock();
        known.forget(now);
        if let Some((outcome, _)) = known.outcomes.get(id) {
            return outcome.clone();
        }
        let outcome = run().shared();
        let id = Id::from_slice(id);
        known.outcomes.insert(id.clone(), (outcome.clone(), now));
        known.order.push_back((id, now));
        outcome
    }
}

impl Known {
    /// Makes room, and drops what is older than a minute.
    fn forget(&mut self, now: Uptime) {
        while let Some((id, at)) = self.order.front()
            && (self.order.len() >= IDS_MAX || now - *at >= REMEMBERED)
        {
            self.outcomes.remove(id);
            self.order.pop_front();
        }
    }
}

impl fmt::Debug for Repeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.lock().order.len();
        f.debug_struct("Repeated").field("known", &known).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// A command that counts its runs and matches as many connections.
    #[derive(Clone)]
    struct Counted {
        runs: Arc<AtomicU32>,
        gate: Arc<Semaphore>,
    }

    impl Counted {
        fn new(permits: usize) -> Self {
            Self {
                runs: Arc::default(),
                gate: Arc::new(Semaphore::new(permits)),
            }
        }

        fn run(&self) -> BoxFuture<'static, Result<u32, Status>> {
            let Self { runs, gate } = self.clone();
            Box::pin(async move {
                let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
                gate.acquire().await.unwrap().forget();
                Ok(run)
            })
        }
    }

    const ID: &[u8] = b"0123456789abcdef";

    #[tokio::test]
    async fn an_answer_is_given_again_for_a_minute() {
        let (repeated, command) = (Repeated::default(), Counted::new(9));
        let at = Uptime::from_millis(1_000);
        for (after, runs) in [(0, 1), (59, 1), (60, 2)] {
            let now = at + Duration::from_secs(after);
            let outcome = repeated.once(ID, now, || command.run());
            assert_eq!(outcome.await.unwrap(), runs, "after {after} s");
        }
    }

    #[tokio::test]
    async fn what_has_no_id_is_not_remembered() {
        let (repeated, command) = (Repeated::default(), Counted::new(9));
        for runs in [1, 2] {
            let outcome = repeated.once(b"", Uptime::START, || command.run());
            assert_eq!(outcome.await.unwrap(), runs);
        }
    }

    #[tokio::test]
    async fn a_command_under_way_is_not_run_twice_even_if_its_caller_gave_up() {
        let (repeated, command) = (Repeated::default(), Counted::new(0));
        let once = || repeated.once(ID, Uptime::START, || command.run());
        assert_eq!(once().now_or_never().map(Result::unwrap), None);
        let again = once();
        command.gate.add_permits(1);
        assert_eq!(again.await.unwrap(), 1);
        assert_eq!(once().await.unwrap(), 1);
    }

    #[test]
    fn the_oldest_go_first() {
        let (repeated, command) = (Repeated::default(), Counted::new(0));
        let now = Uptime::START;
        for number in 0..=IDS_MAX {
            drop(repeated.once(&number.to_be_bytes(), now, || command.run()));
        }
        let known = repeated.known.lock();
        assert_eq!(
            (known.order.len(), known.outcomes.len()),
            (IDS_MAX, IDS_MAX)
        );
        assert!(
            !known
                .outcomes
                .contains_key(0_usize.to_be_bytes().as_slice())
        );
    }
}
