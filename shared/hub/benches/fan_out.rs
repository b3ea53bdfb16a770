//! What the fan-out loop costs on one thread, without what subscribers do with an offer.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and reports on standard output"
)]

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gyre_hub::{Hub, Subscriber, Wants};
use gyre_protocol::messages::Publication;
use gyre_protocol::prepared::Prepared;
use gyre_types::{ChannelName, EmptyChannelName, Epoch, SubscriptionId};

/// The best of them counts: the others were disturbed.
const ROUNDS: usize = 15;

/// Offers of one round, in channels of every size.
const OFFERS: u32 = 1_000_000;

/// Counts, and drops what it is offered.
#[derive(Clone, Default)]
struct Counter(Rc<Cell<u32>>);

impl Subscriber for Counter {
    fn offer(&self, _subscription: SubscriptionId, prepared: &Arc<Prepared>) {
        black_box(Arc::clone(prepared));
        self.0.set(self.0.get() + 1);
    }
}

fn main() -> Result<(), EmptyChannelName> {
    let channel = ChannelName::new("news")?;
    for subscribers in [1, 10, 1_000, 100_000] {
        let hub = Hub::default();
        let counter = Counter::default();
        for slot in 0..subscribers {
            let id = SubscriptionId {
                slot,
                generation: 1,
            };
            hub.subscribe(&channel, id, counter.clone(), Wants::Publications);
        }
        let publication = Arc::new(Publication {
            data: Bytes::from_static(b"{}"),
            ..Publication::default()
        });
        let best = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..OFFERS / subscribers {
                    let publication = Arc::clone(&publication);
                    hub.fan_out(&channel, || {
                        Prepared::publication(&channel, publication, Epoch::default(), None)
                    });
                }
                start.elapsed()
            })
            .min()
            .unwrap_or_default();
        let each = best.as_secs_f64() * 1e9 / f64::from(OFFERS / subscribers * subscribers);
        println!("{each:>6.1} ns  an offer, channel of {subscribers}");
        black_box(counter.0.get());
    }
    Ok(())
}
