//! What the rest of the node leaves for one connection, until its task looks.
//!
//! One [`Mailbox`] per connection, in an `Arc`: the hub and the control side put things in, one owner
//! (the connection's task) takes them out. It holds no storage while it is empty, is accounted in
//! bytes instead of items, and wakes its owner once however many items arrive before the owner runs.
//!
//! Beside the queue stand a few [`Signal`]s: facts, not items, so that raising one twice changes
//! nothing, and a full queue cannot keep one out.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use parking_lot::Mutex;

/// Items beyond the first that an empty queue may keep room for while nothing happens. Unit: items.
///
/// 16: what a connection gets between two turns. Room beyond it stays only as long as it is used.
const CAPACITY_KEPT: usize = 16;

/// Set while the queue may hold something; the offer that sets it wakes the owner.
const QUEUED: u32 = 1 << 8;
/// Set for good by [`Mailbox::close`].
const CLOSED: u32 = 1 << 9;
/// Set for good by the offer that did not fit; unlike its signal it is not taken by the owner.
const FULL: u32 = 1 << 10;

/// A fact that the owner is told beside the queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Signal {
    /// A timeout may be due.
    Timeout = 1,
    /// The node drains.
    Drain = 1 << 1,
    /// An item did not fit; it and all after it were dropped.
    Overflow = 1 << 2,
    /// An item waits that an owner whose socket is stuck should fetch with [`Mailbox::pull`].
    Urgent = 1 << 3,
    /// The socket may have something to read.
    Readable = 1 << 4,
}

/// The signals raised since the owner last looked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Signals(u8);

impl Signals {
    /// Whether `signal` is among them.
    #[must_use]
    pub const fn has(self, signal: Signal) -> bool {
        self.0 & signal as u8 != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn of(bits: u32) -> Self {
        Self((bits & SIGNALS) as u8)
    }
}

const SIGNALS: u32 = Signal::Timeout as u32
    | Signal::Drain as u32
    | Signal::Overflow as u32
    | Signal::Urgent as u32
    | Signal::Readable as u32;

/// What became of an offered item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offered {
    /// It is queued.
    Accepted,
    /// It was dropped: the queue is full, now or since an earlier offer. The owner knows.
    Full,
    /// It was dropped: the owner is gone.
    Closed,
}

/// A bounded queue with many producers and one owner.
#[derive(Debug)]
pub struct Mailbox<T> {
    bits: AtomicU32,
    owner: AtomicWaker,
    queue: Mutex<Queue<T>>,
    bytes_max: usize,
}

#[derive(Debug)]
struct Queue<T> {
    /// The oldest, unless it has been taken and there are more: mostly the only one.
    first: Option<(T, u32)>,
    #[expect(
        clippy::box_collection,
        reason = "most queues never hold more than one item"
    )]
    rest: Option<Box<VecDeque<(T, u32)>>>,
    bytes: usize,
}

impl<T> Mailbox<T> {
    /// An empty mailbox that holds up to `bytes_max` bytes of items.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            bits: AtomicU32::new(0),
            owner: AtomicWaker::new(),
            queue: Mutex::new(Queue {
                first: None,
                rest: None,
                bytes: 0,
            }),
            bytes_max,
        }
    }

    /// Queues `item`, which counts as `bytes`, and wakes the owner unless it has been woken already.
    ///
    /// Past the limit the mailbox is full for good: the items that are in stay, `item` and all later
    /// ones are dropped, and the owner is told by [`Signal::Overflow`].
    pub fn offer(&self, item: T, bytes: usize) -> Offered {
        if let Some(refused) = refusal(self.bits.load(Ordering::Relaxed)) {
            return refused;
        }
        let counted = u32::try_from(bytes).unwrap_or(u32::MAX);
        {
            let mut queue = self.queue.lock();
            // Once more under the lock: `close` empties the queue under it.
            if let Some(refused) = refusal(self.bits.load(Ordering::Relaxed)) {
                return refused;
            }
            let total = queue.bytes.saturating_add(bytes);
            if total > self.bytes_max {
                self.bits.fetch_or(FULL, Ordering::Relaxed);
                drop(queue);
                self.raise(Signal::Overflow);
                return Offered::Full;
            }
            queue.bytes = total;
            queue.push(item, counted);
        }
        if self.bits.fetch_or(QUEUED, Ordering::AcqRel) & QUEUED == 0 {
            self.owner.wake();
        }
        Offered::Accepted
    }

    /// Tells the owner `signal`. Never waits, never fails; after [`Self::close`] it does nothing.
    pub fn raise(&self, signal: Signal) {
        let bit = signal as u32;
        if self.bits.fetch_or(bit, Ordering::AcqRel) & (bit | CLOSED) == 0 {
            self.owner.wake();
        }
    }

    /// Moves up to `max` items into `items`, oldest first, and takes the signals.
    ///
    /// Ready when there is at least one of either. With `max` 0 only signals make it ready: that is
    /// how an owner whose socket is stuck still hears of its timeouts. Only the owner may call this.
    ///
    /// Ready or not, the owner is woken for what comes from here on; where as many as `max` were
    /// there, more may lie here already.
    pub fn poll_recv(&self, cx: &mut Context<'_>, items: &mut Vec<T>, max: usize) -> Poll<Signals> {
        // First, for an offer between the look and this would have nobody to wake.
        self.owner.register(cx.waker());
        self.try_recv(items, max)
    }

    /// As [`Self::poll_recv`], asynchronously.
    ///
    /// # Cancel safety
    ///
    /// Safe: nothing is taken before it is handed over.
    pub async fn recv(&self, items: &mut Vec<T>, max: usize) -> Signals {
        poll_fn(|cx| self.poll_recv(cx, items, max)).await
    }

    /// Moves the items that are meant into `items`, oldest first, past those that are not.
    pub fn pull(&self, items: &mut Vec<T>, is_meant: impl Fn(&T) -> bool) {
        let mut queue = self.queue.lock();
        for _ in 0..queue.len() {
            let Some((item, counted)) = queue.pop() else {
                break;
            };
            if is_meant(&item) {
                queue.bytes = queue.bytes.saturating_sub(counted as usize);
                items.push(item);
            } else {
                queue.push(item, counted);
            }
        }
    }

    /// Takes no more: drops what is queued, and makes every later offer a no-op.
    pub fn close(&self) {
        let dropped = {
            let mut queue = self.queue.lock();
            self.bits.fetch_or(CLOSED, Ordering::Relaxed);
            queue.bytes = 0;
            (queue.first.take(), queue.rest.take())
        };
        // Items may own a lot; not under the lock.
        drop(dropped);
        self.owner.take();
    }

    /// What the queued items count together. Unit: bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.queue.lock().bytes
    }

    fn try_recv(&self, items: &mut Vec<T>, max: usize) -> Poll<Signals> {
        let bits = self.bits.load(Ordering::Acquire);
        let signals = Signals::of(bits);
        let wanted = if max == 0 { 0 } else { bits & QUEUED };
        let taken = u32::from(signals.0) | wanted;
        if taken == 0 {
            return Poll::Pending;
        }
        // Cleared before the queue is looked at: an offer from here on sets the bit anew.
        self.bits.fetch_and(!taken, Ordering::AcqRel);
        let moved = wanted != 0 && self.take(items, max);
        if !moved && max > 0 && signals.has(Signal::Timeout) {
            self.release();
        }
        if moved || !signals.is_empty() {
            Poll::Ready(signals)
        } else {
            Poll::Pending
        }
    }

    /// Moves up to `max` items; whether there were any.
    fn take(&self, items: &mut Vec<T>, max: usize) -> bool {
        let mut queue = self.queue.lock();
        let count = queue.len().min(max);
        let mut bytes = 0_usize;
        items.reserve(count);
        for (item, counted) in (0..count).map_while(|_| queue.pop()) {
            bytes = bytes.saturating_add(counted as usize);
            items.push(item);
        }
        queue.bytes = queue.bytes.saturating_sub(bytes);
        if queue.len() > 0 {
            // No wake: the owner is here, and its next look sees the bit.
            self.bits.fetch_or(QUEUED, Ordering::Relaxed);
        } else if count <= queue.capacity() / 4 {
            // Steady bursts keep their room, one that is over does not.
            queue.release();
        }
        count > 0
    }

    /// Gives back what a burst has left, once a timeout finds nothing queued.
    fn release(&self) {
        let mut queue = self.queue.lock();
        if queue.len() == 0 {
            queue.release();
        }
    }
}

impl<T> Queue<T> {
    fn len(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.len());
        usize::from(self.first.is_some()) + rest
    }

    fn push(&mut self, item: T, counted: u32) {
        if self.len() == 0 {
            self.first = Some((item, counted));
        } else {
            let rest = self.rest.get_or_insert_default();
            rest.push_back((item, counted));
        }
    }

    fn pop(&mut self) -> Option<(T, u32)> {
        let first = self.first.take();
        first.or_else(|| self.rest.as_mut()?.pop_front())
    }

    fn capacity(&self) -> usize {
        self.rest.as_ref().map_or(0, |rest| rest.capacity())
    }

    fn release(&mut self) {
        if self.capacity() > CAPACITY_KEPT {
            self.rest = None;
        }
    }
}

const fn refusal(bits: u32) -> Option<Offered> {
    if bits & CLOSED != 0 {
        Some(Offered::Closed)
    } else if bits & FULL != 0 {
        Some(Offered::Full)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
