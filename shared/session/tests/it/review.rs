//! Conversations that went wrong once: what a close, a refusal or the server API does in the middle
//! of something else.

use std::time::Duration;

use bytes::Bytes;
use gyre_config::Millis;
use gyre_policy::{Override, Source};
use gyre_protocol::codes::{Disconnect, Unsubscribe};
use gyre_protocol::{Format, delta};
use gyre_session::{
    Control, ControlRefresh, ControlSubscribe, Failure, GrantedSubscription, SubscriptionGrant,
    Terms, TokenRefusal, Transport,
};
use gyre_types::{ChannelName, UnixSeconds};
use serde_json::Value;

use crate::support::{World, config};

const SUBSCRIBE: &str = r#"{"id":2,"subscribe":{"channel":"jl:a"}}"#;

// === a connect that does not come to its end ===

#[test]
fn a_close_during_connect_takes_back_what_was_entered() {
    let mut world = World::default();
    let client = connecting(&mut world, &["jl:a", "jl:b"]);
    world.step(client); // The first is entered, the second is on its way.
    world.disconnect(client, Disconnect::CONNECTION_CLOSED);
    world.settle();
    assert!(world.clients[client].session.is_finished());
    for channel in ["jl:a", "jl:b"] {
        assert_eq!(world.subscribers(channel), 0, "{channel}");
    }
    assert_eq!(world.comings, [""; 0]);
}

#[test]
fn a_refused_connect_takes_back_what_was_entered() {
    let mut world = World::default();
    let client = connecting(&mut world, &["jl:a", "jl:b", "jl:c"]);
    world.step(client);
    world.fail(client, Failure::NotAvailable);
    world.settle();
    assert_eq!(world.sent(client)[0]["error"]["code"], 108);
    for channel in ["jl:a", "jl:b", "jl:c"] {
        assert_eq!(world.subscribers(channel), 0, "{channel}");
    }
    assert_eq!(world.comings, [""; 0]);
}

#[test]
fn nobody_leaves_who_has_not_come() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, SUBSCRIBE);
    world.disconnect(client, Disconnect::CONNECTION_CLOSED);
    world.settle();
    assert_eq!(world.subscribers("jl:a"), 0);
    assert_eq!(world.comings, [""; 0]);
}

#[test]
fn the_server_unsubscribes_during_connect() {
    let mut world = World::default();
    let client = connecting(&mut world, &["jl:a", "jl:b"]);
    world.step(client);
    for channel in ["jl:a", "jl:b"] {
        world.control(client, unsubscribe(channel));
    }
    world.settle();
    let sent = world.sent(client);
    assert!(sent[0].get("connect").is_some(), "{sent:?}");
    assert_eq!(unsubscribed(&sent), ["jl:a", "jl:b"]);
    assert_eq!(world.subscribers("jl:a") + world.subscribers("jl:b"), 0);
    assert_eq!(world.clients[client].controlled.len(), 2);
}

#[test]
fn the_server_subscribes_and_refreshes_during_connect() {
    let mut world = World::default();
    let client = connecting(&mut world, &["jl:a"]);
    world.control(client, subscribe("rec:b"));
    let refresh = ControlRefresh {
        expire_at: Some(UnixSeconds(500)),
        ..ControlRefresh::default()
    };
    world.control(client, Control::Refresh(refresh));
    world.settle();
    let sent = world.sent(client);
    assert!(sent[0].get("connect").is_some(), "{sent:?}");
    let pushes = |name: &str| {
        sent.iter()
            .filter(|message| message["push"].get(name).is_some())
            .count()
    };
    assert_eq!((pushes("subscribe"), pushes("refresh")), (1, 1));
    assert_eq!(world.subscribers("rec:b"), 1);
    assert_eq!(world.clients[client].controlled.len(), 2);
}

#[test]
fn what_the_server_asked_during_connect_is_reported_if_it_fails() {
    let mut world = World::default();
    let client = connecting(&mut world, &["jl:a"]);
    world.control(client, subscribe("rec:b"));
    world.disconnect(client, Disconnect::CONNECTION_CLOSED);
    world.settle();
    assert_eq!(world.clients[client].controlled.len(), 1);
    assert_eq!(world.subscribers("rec:b"), 0);
}

// === the server API in the middle of something ===

#[test]
fn the_server_subscribes_to_a_channel_that_is_just_being_left() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, SUBSCRIBE);
    world.settle();
    world.sent(client);
    world.control(client, unsubscribe("jl:a"));
    world.control(client, subscribe("jl:a"));
    world.settle();
    let sent = world.sent(client);
    assert_eq!(unsubscribed(&sent), ["jl:a"]);
    assert!(
        sent.iter()
            .any(|message| message["push"].get("subscribe").is_some()),
        "{sent:?}"
    );
    assert_eq!(world.subscribers("jl:a"), 1);
}

#[test]
fn the_server_subscribes_to_a_channel_whose_token_turns_out_bad() {
    let mut world = World::default();
    let client = world.connect();
    world.sent(client);
    world.command(
        client,
        r#"{"id":2,"subscribe":{"channel":"jl:a","token":"bad"}}"#,
    );
    world.control(client, subscribe("jl:a"));
    world.settle();
    let sent = world.sent(client);
    assert_eq!(sent[0]["error"]["code"], 103);
    assert!(sent[1]["push"].get("subscribe").is_some(), "{sent:?}");
    assert_eq!(world.subscribers("jl:a"), 1);
}

#[test]
fn an_answer_comes_before_that_of_the_unsubscribe_that_waited_for_it() {
    let mut world = World::default();
    let mut config = config();
    config.client.concurrency = 8;
    let client = world.connect_with(&config);
    world.sent(client);
    world.command(
        client,
        "{\"id\":2,\"subscribe\":{\"channel\":\"jl:a\"}}\n{\"id\":3,\"unsubscribe\":{\"channel\":\"jl:a\"}}",
    );
    world.fail(client, Failure::NotAvailable);
    world.settle();
    let ids: Vec<_> = world
        .sent(client)
        .iter()
        .map(|sent| sent["id"].clone())
        .collect();
    assert_eq!(ids, [2, 3]);
}

#[test]
fn a_token_that_comes_too_late_watches_nothing() {
    let mut world = World::default();
    let mut config = config();
    config.client.concurrency = 8;
    config.client.ping_interval = Millis::from_secs(-1);
    config.client.pong_timeout = Millis::from_secs(-2);
    let client = world.connect_with(&config);
    let grant = SubscriptionGrant {
        channel: "plain".to_owned(),
        terms: expiring(60),
        ..SubscriptionGrant::default()
    };
    world.clients[client]
        .tokens
        .insert("good".to_owned(), Ok(grant));
    world.command(
        client,
        r#"{"id":2,"subscribe":{"channel":"plain","token":"good"}}"#,
    );
    world.settle();
    world.command(
        client,
        r#"{"id":3,"sub_refresh":{"channel":"plain","token":"good"}}"#,
    );
    world.control(client, unsubscribe("plain"));
    world.settle();
    assert_eq!(world.subscribers("plain"), 0);
    assert_eq!(world.clients[client].session.poll_timeout(), None);
}

#[test]
fn what_the_server_asks_of_a_busy_channel_keeps_its_order() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, SUBSCRIBE);
    world.settle();
    world.control(client, unsubscribe("jl:a"));
    world.control(client, subscribe("jl:a"));
    world.control(client, unsubscribe("jl:a"));
    world.settle();
    assert_eq!(world.subscribers("jl:a"), 0);
    assert_eq!(unsubscribed(&world.sent(client)), ["jl:a", "jl:a"]);
    assert_eq!(world.clients[client].controlled.len(), 3);
}

// === tokens and expiry ===

#[test]
fn a_refresh_is_for_the_same_user_only() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, r#"{"id":2,"refresh":{"token":"bob:1000"}}"#);
    world.settle();
    assert_eq!(world.closed(client), Some(3500));
}

#[test]
fn an_expired_token_does_not_refresh_a_subscription() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, SUBSCRIBE);
    world.settle();
    world.clients[client]
        .tokens
        .insert("late".to_owned(), Err(TokenRefusal::Expired));
    world.command(
        client,
        r#"{"id":3,"sub_refresh":{"channel":"jl:a","token":"late"}}"#,
    );
    world.settle();
    assert_eq!(world.closed(client), Some(3006));
}

#[test]
fn a_subscription_that_expires_this_second_has_expired() {
    for (in_seconds, answer) in [(0, "error"), (1, "subscribe")] {
        let mut world = World::default();
        world.now = world.now + Duration::from_secs(100);
        let client = world.connect();
        let grant = SubscriptionGrant {
            channel: "plain".to_owned(),
            terms: expiring(100 + in_seconds),
            ..SubscriptionGrant::default()
        };
        world.clients[client]
            .tokens
            .insert("good".to_owned(), Ok(grant));
        world.sent(client);
        world.command(
            client,
            r#"{"id":2,"subscribe":{"channel":"plain","token":"good"}}"#,
        );
        world.settle();
        let sent = world.sent(client);
        assert!(sent[0].get(answer).is_some(), "{sent:?}");
    }
}

#[test]
fn an_expired_connection_has_its_grace() {
    let mut world = World::default();
    let mut config = config();
    config.client.ping_interval = Millis::from_secs(-1);
    config.client.pong_timeout = Millis::from_secs(-2);
    let client = world.open(&config);
    world.clients[client].grants.expire_at = Some(UnixSeconds(60));
    world.command(client, r#"{"id":1,"connect":{}}"#);
    world.settle();
    world.advance(Duration::from_millis(84_999));
    assert_eq!(world.closed(client), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.closed(client), Some(3005));
}

// === deliveries ===

#[test]
fn a_gap_is_told_once_however_much_follows_it() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, r#"{"id":2,"subscribe":{"channel":"recjl:a"}}"#);
    world.step(client); // Live; the join is on its way.
    world.sent(client);
    world.publish_tagged("recjl:a", "1", &[], false);
    for _ in 0..3 {
        world.publish("recjl:a", "2");
    }
    while world.deliver(client) {}
    world.settle();
    assert_eq!(unsubscribed(&world.sent(client)), ["recjl:a"]);
    assert_eq!(world.comings, ["+client-0", "-client-0"]);
}

#[test]
fn only_a_subscription_with_a_position_can_be_late() {
    let mut config = config();
    config.client.channel_position_max_time_lag = Millis::from_secs(1);
    for (channel, is_late) in [("hist:a", false), ("rec:a", true)] {
        let mut world = World::default();
        world.now = world.now + Duration::from_secs(100);
        let client = world.connect_with(&config);
        let command = format!(r#"{{"id":2,"subscribe":{{"channel":"{channel}"}}}}"#);
        world.command(client, &command);
        world.settle();
        world.sent(client);
        world.publish(channel, "1");
        world.now = world.now + Duration::from_secs(2);
        world.settle();
        let sent = world.sent(client);
        assert_eq!(unsubscribed(&sent).len(), usize::from(is_late), "{sent:?}");
        assert_eq!(world.subscribers(channel), usize::from(!is_late));
    }
}

/// A patch is against the publication before it in the stream, which is not what the client got last.
#[test]
fn what_passed_history_by_is_no_base_for_a_patch() {
    let mut world = World::default();
    let client = world.connect();
    world.command(
        client,
        r#"{"id":2,"subscribe":{"channel":"delta:a","delta":"fossil"}}"#,
    );
    world.settle();
    assert_eq!(world.sent(client)[1]["subscribe"]["delta"], true);
    let long = |text: &str| format!(r#"{{"{}":"{text}"}}"#, "long".repeat(40));
    let published = [
        long("one"),
        long("two"),
        long("by"),
        long("three"),
        long("four"),
    ];
    for (index, data) in published.iter().enumerate() {
        if index == 2 {
            world.publish_passing("delta:a", data);
        } else {
            world.publish("delta:a", data);
        }
    }
    world.settle();
    let mut base = String::new();
    let mut patches = 0;
    for (sent, expected) in world.sent(client).iter().zip(&published) {
        let publication = &sent["push"]["pub"];
        let text = publication["data"].as_str().unwrap();
        base = if publication.get("delta").is_some() {
            patches += 1;
            let applied = delta::apply(base.as_bytes(), text.as_bytes()).unwrap();
            String::from_utf8(applied).unwrap()
        } else {
            text.to_owned()
        };
        assert_eq!(base, *expected);
    }
    assert_eq!(patches, 2);
}

// === pings ===

#[test]
fn a_native_ping_is_not_answered_by_a_message() {
    let mut world = World::default();
    let client = world.open_with(
        &config(),
        Transport {
            format: Format::Json,
            app_pings: false,
            envelope: gyre_protocol::Envelope::Reply,
            tells_disconnect: false,
        },
    );
    world.command(client, r#"{"id":1,"connect":{}}"#);
    world.settle();
    world.advance(Duration::from_secs(15)); // A ping is out.
    world.command(client, "{}");
    assert_eq!(world.closed(client), Some(3501));
}

// === helpers ===

/// A client whose connect is authenticated and registered, and that enters these channels.
fn connecting(world: &mut World, channels: &[&str]) -> usize {
    let client = world.open(&config());
    world.clients[client].grants.subscriptions = channels
        .iter()
        .map(|channel| GrantedSubscription {
            channel: (*channel).to_owned(),
            source: Source::ConnectionToken,
            terms: Terms::default(),
        })
        .collect();
    world.command(client, r#"{"id":1,"connect":{}}"#);
    world.step(client);
    world.step(client);
    assert_eq!(world.clients[client].pending.len(), channels.len());
    client
}

fn subscribe(channel: &str) -> Control {
    Control::Subscribe(Box::new(ControlSubscribe {
        channel: ChannelName::new(channel).expect("it has a name"),
        info: Bytes::new(),
        data: Bytes::new(),
        expire_at: None,
        recover_since: None,
        overrides: Override::default(),
    }))
}

fn unsubscribe(channel: &str) -> Control {
    Control::Unsubscribe {
        channel: channel.to_owned(),
        unsubscribe: Unsubscribe::SERVER,
    }
}

/// Channels that the server took away, in the order in which the client was told.
fn unsubscribed(sent: &[Value]) -> Vec<&str> {
    sent.iter()
        .filter(|message| message["push"].get("unsubscribe").is_some())
        .filter_map(|message| message["push"]["channel"].as_str())
        .collect()
}

fn expiring(at: i64) -> Terms {
    Terms {
        expire_at: Some(UnixSeconds(at)),
        ..Terms::default()
    }
}
