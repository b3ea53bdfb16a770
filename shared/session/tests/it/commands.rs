//! Commands and their answers, where a case over the wire could not see the order or the moment.

use gyre_session::{SubscriptionGrant, TokenRefusal};
use serde_json::json;

use crate::support::{World, config};

#[test]
fn what_is_published_while_a_subscription_opens_comes_after_its_reply() {
    let mut world = World::default();
    let client = world.connect();
    world.sent(client);
    world.command(client, r#"{"id":2,"subscribe":{"channel":"rec:a"}}"#);
    world.publish("rec:a", "1");
    while world.deliver(client) {}
    assert_eq!(world.sent(client), [json!(null); 0]);

    world.publish("rec:a", "2");
    world.settle();
    // Both were in history when it was read, so the position is behind them.
    assert_eq!(
        world.sent(client),
        [json!({"id": 2, "subscribe": {
            "recoverable": true, "positioned": true, "epoch": "e0", "offset": 2,
        }})]
    );
}

#[test]
fn an_unpositioned_subscription_holds_pushes_back_too() {
    let mut world = World::default();
    let client = world.connect();
    world.sent(client);
    world.command(client, r#"{"id":2,"subscribe":{"channel":"plain"}}"#);
    world.publish("plain", "1");
    while world.deliver(client) {}
    world.settle();
    let sent = world.sent(client);
    assert_eq!(sent[0], json!({"id": 2, "subscribe": {}}));
    assert_eq!(sent[1]["push"]["pub"]["data"], 1);
}

#[test]
fn a_lost_publication_is_found_by_the_next_one() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, r#"{"id":2,"subscribe":{"channel":"rec:a"}}"#);
    world.settle();
    world.sent(client);
    world.publish_tagged("rec:a", "1", &[], false);
    world.publish("rec:a", "2");
    world.settle();
    assert_eq!(
        world.sent(client),
        [json!({"push": {"channel": "rec:a", "unsubscribe": {
            "code": 2500, "reason": "insufficient state",
        }}})]
    );
    assert_eq!(world.subscribers("rec:a"), 0);
}

#[test]
fn a_filter_moves_the_position_over_what_it_hides() {
    let mut world = World::default();
    let client = world.connect();
    let filter = r#"{"key":"t","cmp":"eq","val":"x"}"#;
    world.command(
        client,
        &format!(r#"{{"id":2,"subscribe":{{"channel":"tags:a","tf":{filter}}}}}"#),
    );
    world.settle();
    world.sent(client);
    world.publish_tagged("tags:a", "1", &[("t", "y")], true);
    world.publish_tagged("tags:a", "2", &[("t", "x")], true);
    world.settle();
    let sent = world.sent(client);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["push"]["pub"]["offset"], 2);
}

#[test]
fn an_unsubscribe_waits_for_the_subscribe_before_it() {
    let mut config = config();
    config.client.concurrency = 8;
    let mut world = World::default();
    let client = world.connect_with(&config);
    world.sent(client);
    world.command(
        client,
        "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}\n\
         {\"id\":4,\"subscribe\":{\"channel\":\"a\"}}",
    );
    assert!(!world.clients[client].session.accepts_command());
    world.settle();
    assert_eq!(
        world.sent(client),
        [
            json!({"id": 2, "subscribe": {}}),
            json!({"id": 3, "unsubscribe": {}}),
            json!({"id": 4, "subscribe": {}}),
        ]
    );
    assert_eq!(world.subscribers("a"), 1);
}

#[test]
fn an_unsubscribe_waits_for_five_seconds_and_no_longer() {
    let mut config = config();
    config.client.concurrency = 8;
    let mut world = World::default();
    let client = world.connect_with(&config);
    world.command(
        client,
        "{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}\n{\"id\":3,\"unsubscribe\":{\"channel\":\"a\"}}",
    );
    let deadline = world.clients[client].session.poll_timeout().unwrap();
    assert_eq!(
        deadline - world.now.uptime,
        std::time::Duration::from_secs(5)
    );
    world.now = world.now + std::time::Duration::from_secs(5);
    let now = world.now;
    world.clients[client].session.handle_timeout(now);
    assert_eq!(world.closed(client), Some(3004));
    world.settle();
    assert_eq!(world.subscribers("a"), 0);
}

#[test]
fn commands_are_taken_one_by_one_without_concurrency() {
    let mut world = World::default();
    let client = world.connect();
    world.command(
        client,
        "{\"id\":2,\"publish\":{\"channel\":\"a\",\"data\":1}}\n{\"id\":3,\"publish\":{\"channel\":\"a\",\"data\":2}}",
    );
    assert_eq!(world.clients[client].pending.len(), 1);
    world.step(client);
    assert_eq!(world.clients[client].pending.len(), 1);
}

#[test]
fn a_token_decides_about_a_private_channel() {
    let mut world = World::default();
    let client = world.connect();
    let tokens = &mut world.clients[client].tokens;
    tokens.insert("late".to_owned(), Err(TokenRefusal::Expired));
    let grant = |channel: &str| SubscriptionGrant {
        channel: channel.to_owned(),
        ..SubscriptionGrant::default()
    };
    tokens.insert("good".to_owned(), Ok(grant("$a")));
    tokens.insert("other".to_owned(), Ok(grant("$b")));
    world.sent(client);
    let subscribe = |id: u32, token: &str| {
        format!(r#"{{"id":{id},"subscribe":{{"channel":"$a","token":"{token}"}}}}"#)
    };
    let mut answers = Vec::new();
    for (id, token) in [(2, ""), (3, "bad"), (4, "late"), (5, "good")] {
        world.command(client, &subscribe(id, token));
        world.settle();
        answers.extend(world.sent(client));
    }
    let codes: Vec<_> = answers
        .iter()
        .map(|answer| answer["error"]["code"].clone())
        .collect();
    assert_eq!(codes, [json!(103), json!(103), json!(109), json!(null)]);

    world.command(client, r#"{"id":6,"unsubscribe":{"channel":"$a"}}"#);
    world.settle();
    world.command(client, &subscribe(7, "other"));
    world.settle();
    assert_eq!(world.closed(client), Some(3500));
}

#[test]
fn a_completion_that_nobody_waits_for_is_ignored() {
    let mut world = World::default();
    let client = world.connect();
    world.sent(client);
    let session = &mut world.clients[client].session;
    let completion = gyre_session::Completion::Done(Ok(()));
    session.handle_completion(gyre_types::Ticket(9_999), completion, world.now);
    assert_eq!(session.closing(), None);
    assert!(session.poll_message().is_none());
}
