use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use pin_project_lite::pin_project;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tracing::Instrument;

use crate::Drain;

/// Longest wait for aborted tasks to be dropped. One second: they are, at their next await.
const ABORT_WAIT: Duration = Duration::from_secs(1);

/// What the end of a task, other than by a drain, means for the process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnExit {
    /// The process cannot do its work without it: begin the drain.
    Drain,
    /// One of many of its kind, a connection say: nothing follows.
    Ignore,
}

/// Whether every task ended by itself within the time given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stopped {
    /// Every task ended.
    Clean,
    /// Some had to be dropped.
    Expired,
}

/// The only place that spawns. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    drain: Drain,
    table: Mutex<Table>,
    /// Told when the last task that a stop waits for has ended.
    idle: Notify,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    live: HashMap<u64, Entry>,
    /// How many of `live` a stop waits for.
    awaited: usize,
    /// The drain's time is over: nothing is spawned any more.
    is_expired: bool,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// Missing for the moment between entering the task and spawning it.
    handle: Option<AbortHandle>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Awaited(OnExit),
    Background,
}

impl Tasks {
    /// The drain that this set's tasks obey.
    #[must_use]
    pub fn drain(&self) -> &Drain {
        &self.shared.drain
    }

    /// Runs `task` until it ends or the drain's time is over. It has to end when the drain begins.
    pub fn spawn<F>(&self, name: &'static str, on_exit: OnExit, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.enter(name, Kind::Awaited(on_exit), task);
    }

    /// Runs `task` until every other task has ended, then drops it.
    ///
    /// For upkeep that others rely on to the last, such as expiring presence. Its own end begins
    /// the drain.
    pub fn spawn_background<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.enter(name, Kind::Background, task);
    }

    /// Begins the drain and waits for every task, at most for `grace`; then drops what is left.
    ///
    /// # Cancel safety
    ///
    /// A dropped future leaves the drain begun and the tasks running.
    pub async fn stop(&self, grace: Duration) -> Stopped {
        self.shared.drain.begin();
        let outcome = match timeout(grace, self.ended()).await {
            Ok(()) => Stopped::Clean,
            Err(_elapsed) => Stopped::Expired,
        };
        self.abort_all();
        if timeout(ABORT_WAIT, self.ended()).await.is_err() {
            tracing::error!("a task blocks its thread and cannot be dropped");
        }
        outcome
    }

    /// Spawns what belongs to a task of this set and ends with it, a stream of an HTTP/2
    /// connection say. Not waited for.
    pub(crate) fn spawn_part<F>(&self, part: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(spawn(part));
    }

    fn enter<F>(&self, name: &'static str, kind: Kind, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(id) = self.shared.table.lock().enter(kind) else {
            return;
        };
        let exit = Exit {
            shared: Arc::clone(&self.shared),
            id,
            name,
            kind,
        };
        let guarded = Guarded { task, exit };
        // Connections are many: a span would cost each of them more than its session.
        let handle = if kind == Kind::Awaited(OnExit::Ignore) {
            spawn(guarded)
        } else {
            spawn(guarded.instrument(tracing::info_span!("task", task = name)))
        };
        self.shared.table.lock().spawned(id, handle.abort_handle());
    }

    async fn ended(&self) {
        loop {
            let idle = self.shared.idle.notified();
            if self.shared.table.lock().awaited == 0 {
                return;
            }
            idle.await;
        }
    }

    fn abort_all(&self) {
        let mut table = self.shared.table.lock();
        table.is_expired = true;
        for handle in table
            .live
            .values()
            .filter_map(|entry| entry.handle.as_ref())
        {
            handle.abort();
        }
    }
}

impl Table {
    fn enter(&mut self, kind: Kind) -> Option<u64> {
        if self.is_expired {
            return None;
        }
        let id = self.next;
        self.next += 1;
        self.awaited += usize::from(kind != Kind::Background);
        self.live.insert(id, Entry { kind, handle: None });
        Some(id)
    }

    fn spawned(&mut self, id: u64, handle: AbortHandle) {
        if self.is_expired {
            handle.abort();
        }
        if let Some(entry) = self.live.get_mut(&id) {
            entry.handle = Some(handle);
        }
    }

    /// Takes a task out; true if it was the last that a stop waits for.
    fn leave(&mut self, id: u64) -> bool {
        match self.live.remove(&id) {
            Some(entry) if entry.kind != Kind::Background => {
                self.awaited -= 1;
                self.awaited == 0
            }
            Some(_) | None => false,
        }
    }
}

pin_project! {
    /// A task and what its end means. By hand, for an async block would hold both twice, and connections
    /// are many.
    struct Guarded<F> {
        #[pin]
        task: F,
        exit: Exit,
    }
}

impl<F: Future<Output = ()>> Future for Guarded<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().task.poll(cx)
    }
}

/// Dropped with its task, however that ends.
#[derive(Debug)]
struct Exit {
    shared: Arc<Shared>,
    id: u64,
    name: &'static str,
    kind: Kind,
}

impl Drop for Exit {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.name, "task panicked");
        }
        let is_vital = self.kind != Kind::Awaited(OnExit::Ignore);
        if is_vital && !self.shared.drain.is_draining() {
            tracing::error!(task = self.name, "task ended by itself");
            self.shared.drain.begin();
        }
        if self.shared.table.lock().leave(self.id) {
            self.shared.idle.notify_waiters();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
fn spawn<F>(task: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(task)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn waits_for_what_drains() {
        let tasks = Tasks::default();
        let drain = tasks.drain().clone();
        tasks.spawn(
            "polite",
            OnExit::Drain,
            async move { drain.draining().await },
        );
        assert_eq!(tasks.stop(GRACE).await, Stopped::Clean);
    }

    #[tokio::test(start_paused = true)]
    async fn drops_what_does_not_drain() {
        let tasks = Tasks::default();
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        tasks.spawn("stubborn", OnExit::Ignore, async move {
            let _inside = inside;
            pending::<()>().await;
        });
        assert_eq!(tasks.stop(GRACE).await, Stopped::Expired);
        assert_eq!(Arc::strong_count(&held), 1, "the task was dropped");
    }

    #[tokio::test(start_paused = true)]
    async fn background_work_outlives_the_others_and_holds_nobody_up() {
        let tasks = Tasks::default();
        tasks.spawn_background("upkeep", pending());
        assert_eq!(tasks.stop(GRACE).await, Stopped::Clean);
    }

    #[tokio::test(start_paused = true)]
    async fn a_vital_task_that_ends_begins_the_drain() {
        let tasks = Tasks::default();
        tasks.spawn("vital", OnExit::Drain, async {});
        tasks.drain().draining().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_vital_task_that_panics_begins_the_drain() {
        let tasks = Tasks::default();
        tasks.spawn("vital", OnExit::Drain, async { panic!("for the test") });
        tasks.drain().draining().await;
        assert_eq!(tasks.stop(GRACE).await, Stopped::Clean);
    }

    #[tokio::test(start_paused = true)]
    async fn one_of_many_that_panics_leaves_the_process_alone() {
        let tasks = Tasks::default();
        let ended = Arc::new(Notify::new());
        let tell = Arc::clone(&ended);
        tasks.spawn("one", OnExit::Ignore, async { panic!("for the test") });
        tasks.spawn("other", OnExit::Ignore, async move { tell.notify_one() });
        ended.notified().await;
        assert!(!tasks.drain().is_draining());
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_starts_after_the_end() {
        let tasks = Tasks::default();
        tasks.stop(GRACE).await;
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        tasks.spawn("late", OnExit::Ignore, async move { drop(inside) });
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
