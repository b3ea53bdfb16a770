//! What a connection's mailbox costs on one thread: an offer, and the owner's share of taking it.

#![expect(
    clippy::print_stdout,
    reason = "a benchmark reports on standard output"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use gyre_gateway::mailbox::Mailbox;

/// The best of them counts: the others were disturbed.
const ROUNDS: usize = 15;

/// Items of one round.
const ITEMS: u32 = 1_000_000;

/// What an item counts. Unit: bytes.
const BYTES: usize = 100;

fn main() {
    let item = Arc::new([0_u8; BYTES]);
    for batch in [1, 16, 64] {
        let mailbox = Mailbox::new(usize::MAX);
        let mut taken = Vec::new();
        let cx = &mut Context::from_waker(Waker::noop());
        let best = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..ITEMS / batch {
                    for _ in 0..batch {
                        black_box(mailbox.offer(Arc::clone(&item), BYTES));
                    }
                    // Once for the items, once to find nothing and wait, as a connection does.
                    let _ = black_box(mailbox.poll_recv(cx, &mut taken, 64));
                    taken.clear();
                    let _ = black_box(mailbox.poll_recv(cx, &mut taken, 64));
                }
                start.elapsed()
            })
            .min()
            .unwrap_or_default();
        let each = best.as_secs_f64() * 1e9 / f64::from(ITEMS / batch * batch);
        println!("{each:>6.1} ns  an item, offered and taken by {batch}");
    }
}
