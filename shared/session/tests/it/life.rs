//! From connect to the end: phases, timers, and what is cleaned up.

use std::time::Duration;

use gyre_protocol::codes::{Disconnect, Unsubscribe};
use gyre_session::{Control, ControlRefresh, ControlSubscribe};
use gyre_types::{ChannelName, UnixSeconds};
use serde_json::json;

use crate::support::{World, config};

#[test]
fn a_connection_without_a_connect_command_is_stale() {
    let mut world = World::default();
    let client = world.open(&config());
    world.advance(Duration::from_millis(9_999));
    assert_eq!(world.closed(client), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.closed(client), Some(3502));
}

#[test]
fn only_connect_may_come_first() {
    for first in [
        "{}",
        r#"{"connect":{}}"#,
        r#"{"id":1,"subscribe":{"channel":"a"}}"#,
        r#"{"id":1,"ping":{}}"#,
        "",
        "[]",
    ] {
        let mut world = World::default();
        let client = world.open(&config());
        world.command(client, first);
        world.settle();
        assert_eq!(world.closed(client), Some(3501), "{first}");
    }
}

#[test]
fn an_unanswered_ping_ends_the_connection() {
    let mut world = World::default();
    let client = world.connect();
    world.sent(client);
    world.advance(Duration::from_secs(25));
    assert_eq!(world.sent(client), [json!({})]);
    world.advance(Duration::from_secs(8));
    assert_eq!(world.closed(client), Some(3012));
}

#[test]
fn answered_pings_go_on_for_ever() {
    let mut world = World::default();
    let client = world.connect();
    world.sent(client);
    let mut pings = 0;
    for _ in 0..100 {
        world.advance(Duration::from_secs(1));
        for message in world.sent(client) {
            assert_eq!(message, json!({}));
            pings += 1;
            world.command(client, "{}");
        }
    }
    assert!((3..=5).contains(&pings), "{pings}");
    assert_eq!(world.closed(client), None);
}

#[test]
fn the_end_takes_every_subscription_back() {
    let mut world = World::default();
    let client = world.connect();
    for (id, channel) in [(2, "jl:a"), (3, "rec:b"), (4, "plain")] {
        let command = format!(r#"{{"id":{id},"subscribe":{{"channel":"{channel}"}}}}"#);
        world.command(client, &command);
        world.settle();
    }
    // One is still on its way.
    world.command(client, r#"{"id":5,"subscribe":{"channel":"jl:c"}}"#);
    world.disconnect(client, Disconnect::CONNECTION_CLOSED);
    assert!(!world.clients[client].session.is_finished());
    world.settle();
    assert!(world.clients[client].session.is_finished());
    for channel in ["jl:a", "rec:b", "plain", "jl:c"] {
        assert_eq!(world.subscribers(channel), 0, "{channel}");
    }
    // Of what nobody saw coming nobody is told that it went.
    assert_eq!(world.comings[..2], ["+client-0", "-client-0"]);
}

#[test]
fn a_join_is_published_before_its_leave_whatever_is_under_way() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, r#"{"id":2,"subscribe":{"channel":"jl:a"}}"#);
    world.step(client); // Entered; the join is on its way.
    world.control(
        client,
        Control::Unsubscribe {
            channel: "jl:a".to_owned(),
            unsubscribe: Unsubscribe::SERVER,
        },
    );
    world.settle();
    assert_eq!(world.comings, ["+client-0", "-client-0"]);
    assert_eq!(world.clients[client].controlled, [1]);
    let sent = world.sent(client);
    assert_eq!(sent.last().unwrap()["push"]["unsubscribe"]["code"], 2000);
}

#[test]
fn a_refused_connect_reads_nothing_more_and_is_dropped() {
    let mut world = World::default();
    let client = world.open(&config());
    world.clients[client].grants.expire_at = Some(UnixSeconds(-1));
    world.command(
        client,
        "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"a\"}}",
    );
    world.settle();
    let error = json!({"id": 1, "error": {"code": 110, "message": "expired"}});
    assert_eq!(world.sent(client), [error]);
    assert!(!world.clients[client].session.is_reading());
    world.advance(Duration::from_secs(5));
    assert_eq!(world.closed(client), Some(3000));
    assert_eq!(world.sent(client), [json!(null); 0]);
}

#[test]
fn an_expired_connection_is_closed_after_its_grace_unless_it_refreshes() {
    let mut world = World::default();
    for refreshes in [false, true] {
        let client = world.open(&config());
        let expire_at = world.now.unix_seconds().0 + 60;
        world.clients[client].grants.expire_at = Some(UnixSeconds(expire_at));
        world.command(client, r#"{"id":1,"connect":{}}"#);
        world.settle();
        assert_eq!(world.sent(client)[0]["connect"]["ttl"], 60);
        if refreshes {
            let token = format!(":{}", expire_at + 1_000);
            world.command(
                client,
                &format!(r#"{{"id":2,"refresh":{{"token":"{token}"}}}}"#),
            );
            world.settle();
            assert_eq!(
                world.sent(client),
                [json!({"id": 2, "refresh": {"expires": true, "ttl": 1_060}})]
            );
        }
        answer_pings(&mut world, client, 85);
        assert_eq!(world.closed(client), (!refreshes).then_some(3005));
    }
}

#[test]
fn a_server_side_subscription_comes_with_connect() {
    let mut world = World::default();
    world.publish("rec:a", "1");
    world.publish("rec:a", "2");
    let client = world.open(&config());
    world.command(
        client,
        r#"{"id":1,"connect":{"subs":{"rec:a":{"recover":true,"offset":1,"epoch":"e0"}}}}"#,
    );
    // What is published before the reply comes after it.
    world.step(client);
    world.step(client);
    world.publish("rec:a", "3");
    world.deliver(client);
    assert_eq!(world.sent(client), [json!(null); 0]);
    world.settle();
    let sent = world.sent(client);
    let sub = &sent[0]["connect"]["subs"]["rec:a"];
    assert_eq!(sub["recovered"], true);
    let recovered = sub["publications"].as_array().unwrap();
    assert_eq!(recovered.last().unwrap()["offset"], 3);
    assert_eq!(sent.len(), 1);
}

#[test]
fn control_commands_reach_the_client() {
    let mut world = World::default();
    let client = world.connect();
    world.sent(client);
    let command = ControlSubscribe {
        channel: ChannelName::new("rec:a").unwrap(),
        info: bytes::Bytes::new(),
        data: bytes::Bytes::from_static(b"{\"hello\":1}"),
        expire_at: None,
        recover_since: None,
        overrides: gyre_policy::Override::default(),
    };
    world.control(client, Control::Subscribe(Box::new(command)));
    world.settle();
    assert_eq!(
        world.sent(client),
        [json!({"push": {"channel": "rec:a", "subscribe": {
            "recoverable": true, "positioned": true, "epoch": "e0", "data": {"hello": 1},
        }}})]
    );
    world.control(
        client,
        Control::Refresh(ControlRefresh {
            expire_at: Some(UnixSeconds(500)),
            ..ControlRefresh::default()
        }),
    );
    assert_eq!(
        world.sent(client),
        [json!({"push": {"refresh": {"expires": true, "ttl": 500}}})]
    );
    // A gap in a server-side subscription cannot be mended by resubscribing.
    world.publish_tagged("rec:a", "1", &[], false);
    world.publish("rec:a", "2");
    world.settle();
    assert_eq!(world.closed(client), Some(3010));
    assert_eq!(world.clients[client].controlled, [1, 1]);
}

#[test]
fn a_channel_limit_closes_what_the_server_overfills() {
    let mut world = World::default();
    let client = world.connect();
    for n in 0..6 {
        let command = ControlSubscribe {
            channel: ChannelName::new(&format!("c{n}")).unwrap(),
            info: bytes::Bytes::new(),
            data: bytes::Bytes::new(),
            expire_at: None,
            recover_since: None,
            overrides: gyre_policy::Override::default(),
        };
        assert_eq!(world.closed(client), None);
        world.control(client, Control::Subscribe(Box::new(command)));
        world.settle();
    }
    assert_eq!(world.closed(client), Some(3505));
}

#[test]
fn a_quiet_stream_that_moved_on_is_noticed_at_the_second_look() {
    let mut world = World::default();
    let client = world.connect();
    world.command(client, r#"{"id":2,"subscribe":{"channel":"rec:a"}}"#);
    world.settle();
    world.publish_tagged("rec:a", "1", &[], false);
    world.sent(client);
    answer_pings(&mut world, client, 60);
    assert_eq!(
        world.subscribers("rec:a"),
        1,
        "the first look only suspects"
    );
    answer_pings(&mut world, client, 40);
    assert_eq!(world.subscribers("rec:a"), 0);
    assert_eq!(world.closed(client), None);
}

/// Lets time pass while the client answers its pings.
fn answer_pings(world: &mut World, client: usize, seconds: u64) {
    for _ in 0..seconds {
        world.advance(Duration::from_secs(1));
        let has_ping = world.sent(client).contains(&json!({}));
        if has_ping && world.closed(client).is_none() {
            world.command(client, "{}");
        }
    }
}
