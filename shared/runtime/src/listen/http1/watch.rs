//! What the driver of a connection has to know of it, shared with the stream and the handler
//! inside of hyper. All three run in one task.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::listen::stream::Rewound;
use crate::listen::{Head, Intercept, Stream};

/// How often a connection is looked at.
pub(super) const TICK: Duration = Duration::from_secs(10);

/// Ticks that a peer may not read what is written to it: 30 s. Source: the reference's servers.
const BLOCKED_TICKS_MAX: u32 = 3;

/// Ticks without a request: 90 s, more than the 60 s of common balancers, so that they, and not
/// we, close a connection that they might just use.
const IDLE_TICKS_MAX: u32 = 9;

/// A request that an intercept wants, and with it the connection.
pub(super) struct Claim {
    pub(super) intercept: Arc<dyn Intercept>,
    pub(super) head: Head,
    /// Kept until hyper is off the connection: it holds what hyper read ahead.
    pub(super) body: Incoming,
}

#[derive(Default)]
pub(super) struct Watch {
    /// Grows with each request and each write.
    activity: AtomicU64,
    is_in_flight: AtomicBool,
    /// The last write found no room.
    is_blocked: AtomicBool,
    claim: Mutex<Option<Box<Claim>>>,
}

impl Watch {
    /// A request is in flight for as long as the result lives.
    pub(super) fn request(&self) -> InFlight<'_> {
        self.is_in_flight.store(true, Relaxed);
        self.moved();
        InFlight(self)
    }

    pub(super) fn claim(&self, claim: Box<Claim>) {
        *self.claim.lock() = Some(claim);
    }

    /// The claim, if there is one. hyper reads a head only when all earlier answers are written.
    pub(super) fn claimed(&self) -> Option<Box<Claim>> {
        self.claim.lock().take()
    }

    fn moved(&self) {
        self.activity.fetch_add(1, Relaxed);
    }

    fn wrote(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.is_blocked.store(outcome.is_pending(), Relaxed);
        if outcome.is_ready() {
            self.moved();
        }
        outcome
    }
}

pub(super) struct InFlight<'a>(&'a Watch);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.is_in_flight.store(false, Relaxed);
        self.0.moved();
    }
}

/// Counts the ticks in which nothing moved.
#[derive(Default)]
pub(super) struct Quiet {
    activity: u64,
    ticks: u32,
}

impl Quiet {
    /// Called once a tick: whether the connection was quiet for too long.
    pub(super) fn is_over(&mut self, watch: &Watch) -> bool {
        let is_blocked = watch.is_blocked.load(Relaxed);
        let activity = watch.activity.load(Relaxed);
        let is_handled = watch.is_in_flight.load(Relaxed) && !is_blocked;
        if is_handled || activity != self.activity {
            self.activity = activity;
            self.ticks = 0;
            return false;
        }
        self.ticks += 1;
        let most = if is_blocked {
            BLOCKED_TICKS_MAX
        } else {
            IDLE_TICKS_MAX
        };
        self.ticks >= most
    }
}

/// A stream that tells whether writes move.
pub(super) struct Watched {
    io: Rewound,
    watch: Arc<Watch>,
}

impl Watched {
    pub(super) const fn new(io: Rewound, watch: Arc<Watch>) -> Self {
        Self { io, watch }
    }

    pub(super) fn into_parts(self) -> (Stream, Bytes) {
        self.io.into_parts()
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.watch.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
