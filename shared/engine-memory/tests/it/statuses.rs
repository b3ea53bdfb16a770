//! What [`Statuses`] must do, sentence by sentence, over the trait alone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use gyre_engine::{Status, Statuses};
use gyre_engine_memory::MemoryStatuses;
use gyre_types::{Now, UnixMillis, UnixSeconds};

#[test]
fn memory_does_what_the_trait_says() {
    let millis = Arc::new(AtomicI64::new(1_700_000_000_000));
    let clock = {
        let millis = Arc::clone(&millis);
        move || Now {
            unix: UnixMillis(millis.load(Ordering::Relaxed)),
            ..Now::default()
        }
    };
    let kept = Duration::from_secs(3600);
    let memory = MemoryStatuses::new(kept, clock);
    let advance = |time: Duration| {
        let time = i64::try_from(time.as_millis()).unwrap();
        millis.fetch_add(time, Ordering::Relaxed);
    };
    let done = run(&memory, kept, advance).now_or_never();
    done.expect("memory answers at once");
}

/// Runs all of it. `advance` moves the clock of the statuses, which stands otherwise; they are kept
/// for `kept` after their last change, at least ten seconds, and there are none.
async fn run(statuses: &dyn Statuses, kept: Duration, advance: impl Fn(Duration)) {
    let start = told_and_read(statuses, &advance).await;
    state_stays_until_it_is_replaced(statuses).await;
    the_anonymous_have_none(statuses).await;
    forgotten_after_a_while(statuses, start, kept, &advance).await;
}

fn users(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

async fn read(statuses: &dyn Statuses, names: &[&str]) -> Vec<Status> {
    statuses.statuses(&users(names)).await.unwrap()
}

async fn told_and_read(statuses: &dyn Statuses, advance: &impl Fn(Duration)) -> UnixSeconds {
    statuses.act(&users(&["ann", "ann"]), "").await.unwrap();
    let start = read(statuses, &["ann"]).await[0].active.unwrap();
    advance(Duration::from_secs(3));
    statuses.appear(&users(&["ann", "bob"])).await.unwrap();

    let found = read(statuses, &["bob", "nobody", "ann", "bob"]).await;
    let later = Some(UnixSeconds(start.0 + 3));
    let bob = Status {
        online: later,
        ..Status::default()
    };
    let ann = Status {
        active: Some(start),
        ..bob.clone()
    };
    assert_eq!(found, [bob.clone(), Status::default(), ann, bob]);

    statuses.forget(&users(&["bob", "nobody"])).await.unwrap();
    assert_eq!(read(statuses, &["bob"]).await, [Status::default()]);
    start
}

async fn state_stays_until_it_is_replaced(statuses: &dyn Statuses) {
    for (given, found) in [("dnd", "dnd"), ("", "dnd"), ("away", "away")] {
        statuses.act(&users(&["cid"]), given).await.unwrap();
        assert_eq!(read(statuses, &["cid"]).await[0].state, found);
    }
    statuses.appear(&users(&["cid"])).await.unwrap();
    assert_eq!(read(statuses, &["cid"]).await[0].state, "away");
    statuses.forget(&users(&["cid"])).await.unwrap();
    statuses.act(&users(&["cid"]), "").await.unwrap();
    assert_eq!(read(statuses, &["cid"]).await[0].state, "");
}

async fn the_anonymous_have_none(statuses: &dyn Statuses) {
    statuses.act(&users(&[""]), "dnd").await.unwrap();
    statuses.appear(&users(&[""])).await.unwrap();
    assert_eq!(read(statuses, &[""]).await, [Status::default()]);
    assert_eq!(read(statuses, &[]).await, []);
}

async fn forgotten_after_a_while(
    statuses: &dyn Statuses,
    start: UnixSeconds,
    kept: Duration,
    advance: &impl Fn(Duration),
) {
    // Ann changed three seconds after the start, Cid now, at the same time.
    statuses.act(&users(&["dan"]), "").await.unwrap();
    let now = read(statuses, &["dan"]).await[0].active.unwrap();
    assert_eq!(now.0, start.0 + 3);
    advance(kept - Duration::from_secs(1));
    statuses.appear(&users(&["dan"])).await.unwrap();
    assert!(read(statuses, &["ann"]).await[0].active.is_some());
    advance(Duration::from_secs(1));
    let found = read(statuses, &["ann", "dan"]).await;
    assert_eq!(found[0], Status::default());
    assert_eq!(found[1].active, Some(now), "a change keeps all of it");
    advance(kept);
    assert_eq!(read(statuses, &["dan"]).await, [Status::default()]);
}
