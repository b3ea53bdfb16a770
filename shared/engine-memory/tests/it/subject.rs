//! The engine under a virtual clock, and the smallest executor that runs it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use gyre_engine::conformance::{Recorder, Subject};
use gyre_engine::{BoxFuture, Engine, Inlet};
use gyre_engine_memory::MemoryEngine;
use gyre_types::{Now, UnixMillis, Uptime};

/// A clock that only moves when it is told to. Clones show the same time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn advance(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// The function that an engine is opened with.
    pub(crate) fn reader(&self) -> impl Fn() -> Now + Send + Sync + 'static {
        let millis = Arc::clone(&self.0);
        move || {
            let start = Now {
                uptime: Uptime::START,
                unix: UnixMillis(1_700_000_000_000),
            };
            start + Duration::from_millis(millis.load(Ordering::SeqCst))
        }
    }
}

/// Opens memory engines that share one clock.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    clock: Clock,
}

impl Memory {
    pub(crate) fn engine<I: Inlet>(&self, inlet: Arc<I>) -> Engine {
        MemoryEngine::open(inlet, self.clock.reader()).engine()
    }
}

impl Subject for Memory {
    fn open(&self, inlet: Arc<Recorder>) -> BoxFuture<'_, Engine> {
        Box::pin(std::future::ready(self.engine(inlet)))
    }

    fn advance(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.clock.advance(time);
        Box::pin(std::future::ready(()))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> BoxFuture<'static, ()> {
        let thread = thread::spawn(|| block_on(task));
        Box::pin(async move {
            // A panic of the task is the test's.
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        })
    }

    fn patience(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Runs a future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
