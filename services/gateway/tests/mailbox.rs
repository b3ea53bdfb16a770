//! The mailbox between threads, where it overflows: the owner always hears of it, and nothing that was
//! accepted is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gyre_gateway::mailbox::{Mailbox, Offered, Signal};

const PRODUCERS: usize = 3;

/// Mailboxes that overflow, one after the other: each has its own race.
const ROUNDS: usize = 2_000;

/// Room for so many items of one byte.
const ROOM: usize = 8;

#[test]
fn an_overflow_is_never_missed_and_what_was_accepted_arrives() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for round in 0..ROUNDS {
        let mailbox = Arc::new(Mailbox::new(ROOM));
        let accepted = Arc::new(AtomicUsize::new(0));
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|_| {
                let (mailbox, accepted) = (Arc::clone(&mailbox), Arc::clone(&accepted));
                std::thread::spawn(move || offer_until_full(&mailbox, &accepted))
            })
            .collect();
        // Takes one at a time, slower than they come: a wake-up or a signal that gets lost hangs here.
        let mut taken = Vec::new();
        runtime
            .block_on(async { while !mailbox.recv(&mut taken, 1).await.has(Signal::Overflow) {} });
        for producer in producers {
            producer.join().unwrap();
        }
        while mailbox.bytes() > 0 {
            runtime.block_on(mailbox.recv(&mut taken, ROOM));
        }
        let accepted = accepted.load(Ordering::SeqCst);
        assert_eq!(taken.len(), accepted, "round {round}");
        assert!(accepted >= ROOM);
    }
}

fn offer_until_full(mailbox: &Mailbox<u64>, accepted: &AtomicUsize) {
    while mailbox.offer(0, 1) == Offered::Accepted {
        accepted.fetch_add(1, Ordering::SeqCst);
    }
    assert_eq!(mailbox.offer(0, 0), Offered::Full, "for good");
}
