//! What follows when the engine says that something was lost.

use serde_json::json;

use crate::support::World;

fn subscribed(channel: &str) -> (World, usize) {
    let mut world = World::default();
    let client = world.connect();
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
