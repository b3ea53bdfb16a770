//! What follows when the engine says that something was lost.

use std::time::Duration;

use gyre_config::{Config, Millis};
use serde_json::json;

use crate::support::{World, config};

fn subscribed(channel: &str) -> (World, usize) {
    subscribed_with(&config(), channel)
}

fn subscribed_with(config: &Config, channel: &str) -> (World, usize) {
    let mut world = World::default();
    let client = world.connect_with(config);
    let command = format!("{{\"id\":2,\"subscribe\":{{\"channel\":\"{channel}\"}}}}");
    world.command(client, &command);
    world.settle();
    world.sent(client);
    (world, client)
}

#[test]
fn who_is_behind_is_told_at_once() {
    let (mut world, client) = subscribed("rec:a");
    world.publish_tagged("rec:a", "1", &[], false);
    world.tell_top("rec:a");
    world.settle();
    let expected = json!({"push": {"channel": "rec:a", "unsubscribe": {
        "code": 2500, "reason": "insufficient state"
    }}});
    assert_eq!(world.sent(client), [expected]);
    assert_eq!(world.closed(client), None);
}

#[test]
fn who_is_up_to_date_is_told_nothing() {
    let (mut world, client) = subscribed("rec:a");
    world.publish("rec:a", "1");
    world.tell_top("rec:a");
    world.settle();
    assert_eq!(world.sent(client).len(), 1);
    assert_eq!(world.subscribers("rec:a"), 1);
}

#[test]
fn another_life_of_the_stream_is_a_gap_though_it_is_empty() {
    let (mut world, client) = subscribed("rec:a");
    world.reset("rec:a");
    world.tell_top("rec:a");
    world.settle();
    assert_eq!(world.subscribers("rec:a"), 0);
    assert_eq!(world.sent(client).len(), 1);
}

#[test]
fn without_a_position_there_is_nothing_to_compare() {
    let (mut world, client) = subscribed("hist:a");
    world.publish_tagged("hist:a", "1", &[], false);
    world.tell_top("hist:a");
    world.settle();
    assert!(world.sent(client).is_empty());
    assert_eq!(world.subscribers("hist:a"), 1);
}

#[test]
fn a_position_is_checked_as_often_as_configured() {
    let tick = Duration::from_secs(27);
    for (delay, found_after) in [
        (Millis::from_secs(100), Some(5)),
        (Millis::from_secs(-1), None),
    ] {
        let mut config = config();
        config.client.channel_position_check_delay = delay;
        // Nobody would pong.
        config.client.ping_interval = Millis::from_secs(-1);
        let (mut world, client) = subscribed_with(&config, "rec:a");
        world.reset("rec:a");
        let ticks = (1..=10).find(|_| {
            world.advance(tick);
            world.subscribers("rec:a") == 0
        });
        // The first tick comes somewhere in the second half of an interval.
        let expected = found_after.map(|ticks: usize| [ticks - 1, ticks]);
        assert_eq!(ticks.is_some(), expected.is_some(), "{delay:?}");
        assert!(
            ticks.is_none_or(|ticks| expected.is_some_and(|list| list.contains(&ticks))),
            "{ticks:?}"
        );
        assert_eq!(world.closed(client), None);
    }
}
