//! What every [`ChannelOutbox`] must do.

use gyre_engine::{ChannelOutbox, ChannelState, StateEvent, Transition};
use gyre_store::{MemoryOutbox, Sqlite};
use gyre_types::UnixMillis;

use crate::file;

/// When the suite begins.
const AT: UnixMillis = UnixMillis(1_700_000_000_000);

fn transition(channel: &str, proxy: &str, state: ChannelState, after_ms: i64) -> Transition {
    Transition {
        channel: channel.into(),
        proxy: proxy.into(),
        state,
        at: UnixMillis(AT.0 + after_ms),
    }
}

async fn all(outbox: &dyn ChannelOutbox, proxy: &str) -> Vec<StateEvent> {
    outbox.events(proxy, 10_000).await.unwrap()
}

async fn channels(outbox: &dyn ChannelOutbox) -> Vec<String> {
    let found = outbox.in_use("", 10_000).await.unwrap();
    found.into_iter().map(|one| one.channel.into()).collect()
}

async fn clear(outbox: &dyn ChannelOutbox) {
    for proxy in ["one", "two"] {
        outbox.told(proxy, i64::MAX).await.unwrap();
    }
    let vacated: Vec<Transition> = channels(outbox)
        .await
        .iter()
        .map(|channel| transition(channel, "one", ChannelState::Vacated, 0))
        .collect();
    outbox.record(&vacated).await.unwrap();
    outbox.told("one", i64::MAX).await.unwrap();
}

/// Runs the suite over an empty outbox.
pub(crate) async fn run(outbox: &dyn ChannelOutbox) {
    events_come_back_in_order_and_apart(outbox).await;
    generations_grow_whatever_the_clock_does(outbox).await;
    channels_in_use_are_known_page_by_page(outbox).await;
    what_is_of_a_proxy_can_be_forgotten(outbox).await;
    nothing_is_nothing(outbox).await;
}

async fn events_come_back_in_order_and_apart(outbox: &dyn ChannelOutbox) {
    let batch = [
        transition("a", "one", ChannelState::Occupied, 0),
        transition("b", "two", ChannelState::Occupied, 0),
        transition("a", "one", ChannelState::Vacated, 1),
        transition("a", "one", ChannelState::Occupied, 2),
    ];
    outbox.record(&batch).await.unwrap();
    assert_eq!(outbox.waiting().await.unwrap(), 4);
    let events = all(outbox, "one").await;
    let told: Vec<_> = events
        .iter()
        .map(|event| event.transition.clone())
        .collect();
    assert_eq!(told, [batch[0].clone(), batch[2].clone(), batch[3].clone()]);
    assert_eq!(outbox.events("one", 2).await.unwrap(), events[..2]);
    outbox.told("one", events[1].generation).await.unwrap();
    assert_eq!(all(outbox, "one").await, events[2..]);
    assert_eq!(all(outbox, "two").await.len(), 1, "another's stays");
    assert_eq!(channels(outbox).await, ["a", "b"]);
    clear(outbox).await;
}

async fn generations_grow_whatever_the_clock_does(outbox: &dyn ChannelOutbox) {
    let mut last = 0;
    for after_ms in [0, 0, 1_000, -50_000, 2_000] {
        let occupied = transition("a", "one", ChannelState::Occupied, after_ms);
        let vacated = transition("a", "one", ChannelState::Vacated, after_ms);
        outbox.record(&[occupied, vacated]).await.unwrap();
        for event in all(outbox, "one").await {
            assert!(event.generation > last, "{after_ms}: {}", event.generation);
            assert!(event.generation >= (AT.0 + after_ms) * 1000);
            last = event.generation;
        }
        // Nothing is left that would tell how far they were.
        outbox.told("one", last).await.unwrap();
    }
    assert_eq!(outbox.waiting().await.unwrap(), 0);
    assert!(channels(outbox).await.is_empty());
}

async fn channels_in_use_are_known_page_by_page(outbox: &dyn ChannelOutbox) {
    let names = ["Z", "a", "a b", "a-b", "é", "世界"];
    let batch = names.map(|name| transition(name, "one", ChannelState::Occupied, 0));
    outbox.record(&batch).await.unwrap();
    for limit in [1, 2, 6, 100] {
        let (mut joined, mut last) = (Vec::new(), String::new());
        loop {
            let page = outbox.in_use(&last, limit).await.unwrap();
            let Some(end) = page.last() else { break };
            last = end.channel.to_string();
            joined.extend(page.into_iter().map(|one| one.channel.to_string()));
        }
        assert_eq!(joined, {
            let mut sorted = names;
            sorted.sort_unstable();
            sorted
        });
    }
    clear(outbox).await;
}

async fn what_is_of_a_proxy_can_be_forgotten(outbox: &dyn ChannelOutbox) {
    let batch = [
        transition("a", "one", ChannelState::Occupied, 0),
        transition("b", "two", ChannelState::Occupied, 0),
        transition("c", "three", ChannelState::Occupied, 0),
        transition("c", "three", ChannelState::Vacated, 0),
    ];
    outbox.record(&batch).await.unwrap();
    outbox.told("two", i64::MAX).await.unwrap();
    assert_eq!(outbox.proxies().await.unwrap(), ["one", "three", "two"]);
    outbox.forget("two").await.unwrap();
    outbox.forget("three").await.unwrap();
    assert_eq!(outbox.proxies().await.unwrap(), ["one"]);
    assert_eq!(channels(outbox).await, ["a"]);
    clear(outbox).await;
}

async fn nothing_is_nothing(outbox: &dyn ChannelOutbox) {
    outbox.record(&[]).await.unwrap();
    outbox.told("one", i64::MAX).await.unwrap();
    assert!(all(outbox, "one").await.is_empty());
}

#[tokio::test]
async fn the_suite_passes_in_memory() {
    run(&MemoryOutbox::default()).await;
}

#[tokio::test]
async fn the_suite_passes_on_sqlite() {
    run(&Sqlite::open(&file("outbox")).await.unwrap()).await;
}

#[tokio::test]
async fn what_was_recorded_is_there_after_opening_again() {
    let path = file("outbox-again");
    let mut last = 0;
    for round in 0..3 {
        let opened = Sqlite::open(&path).await.unwrap();
        let events = all(&opened, "one").await;
        assert_eq!(events.len(), round);
        // The clock stands still: what was there makes the next greater.
        let occupied = transition("a", "one", ChannelState::Occupied, 0);
        opened.record(&[occupied]).await.unwrap();
        let newest = all(&opened, "one").await.last().unwrap().generation;
        assert!(newest > last);
        last = newest;
        assert_eq!(channels(&opened).await, ["a"]);
    }
}
