//! What the backend decides: each of its answers, and what happens when it gives none.

use std::time::Duration;

use bytes::Bytes;
use gyre_config::Config;
use gyre_config::channel::{DeltaType, Namespace, RecoveryMode};
use gyre_config::{Limit, Millis};
use gyre_policy::{Capabilities, Override, Rights, Source};
use gyre_protocol::codes::{Disconnect, Error, Unsubscribe};
use gyre_protocol::messages::FilterNode;
use gyre_session::{
    Control, ControlRefresh, ControlSubscribe, Failure, GrantedSubscription, RefreshBy, Refreshed,
    RefreshedSubscription, Refusal, SubscriptionGrant, Terms, Unrefreshed,
};
use gyre_types::{Capability, ChannelName, UnixSeconds};
use serde_json::{Value, json};

use crate::support::World;

type Edit = fn(&mut gyre_config::channel::Options);

/// Nobody may anything, unless the backend says so.
fn config() -> Config {
    let mut config = Config::default();
    config.client.ping_interval = Millis::from_secs(-1);
    config.client.pong_timeout = Millis::from_secs(-2);
    config.client.presence_update_interval = Millis::from_secs(1);
    config.client.channel_limit = Limit(20);
    let namespaces: [(&str, Edit); 8] = [
        ("open", |options| {
            options.allow_subscribe_for_client = true;
            options.allow_subscribe_for_anonymous = true;
            options.presence = true;
        }),
        ("none", |_options| {}),
        ("ask", |options| {
            options.subscribe_proxy_enabled = true;
            options.history_size = 10;
            options.history_ttl = Millis::from_secs(60);
            options.allow_recovery = true;
            options.allow_positioning = true;
            options.join_leave = true;
            options.allowed_delta_types = vec![DeltaType::Fossil];
            options.allow_tags_filter = true;
        }),
        ("reask", |options| {
            options.subscribe_proxy_enabled = true;
            options.sub_refresh_proxy_enabled = true;
            options.presence = true;
        }),
        ("say", |options| options.publish_proxy_enabled = true),
        ("feed", |options| {
            options.subscribe_stream_proxy_enabled = true;
            options.allowed_delta_types = vec![DeltaType::Fossil];
        }),
        ("duplex", |options| {
            options.subscribe_stream_proxy_enabled = true;
            options.subscribe_stream_proxy_bidirectional = true;
        }),
        ("cache", |options| {
            options.history_size = 1;
            options.history_ttl = Millis::from_secs(60);
            options.force_recovery = true;
            options.force_recovery_mode = RecoveryMode::Cache;
        }),
    ];
    for (name, edit) in namespaces {
        let mut namespace = Namespace {
            name: name.to_owned(),
            ..Namespace::default()
        };
        edit(&mut namespace.options);
        config.channel.namespaces.push(namespace);
    }
    config
}

fn connected(world: &mut World) -> usize {
    let client = world.connect_with(&config());
    world.sent(client);
    client
}

/// Subscribes; everything that is sent meanwhile.
fn subscribe(world: &mut World, client: usize, request: &Value) -> Vec<Value> {
    let command = json!({"id": 2, "subscribe": request});
    world.command(client, &command.to_string());
    world.settle();
    world.sent(client)
}

fn terms(edit: impl FnOnce(&mut Terms)) -> Result<Terms, Refusal> {
    let mut terms = Terms::default();
    edit(&mut terms);
    Ok(terms)
}

fn at(second: i64) -> Option<UnixSeconds> {
    Some(UnixSeconds(second))
}

// === subscribe ===

#[test]
fn the_backend_gives_a_subscription_its_terms() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.clients[client].backend.subscribe = terms(|terms| {
        terms.data = Bytes::from_static(b"{\"d\":1}");
        terms.expire_at = at(60);
        terms.overrides.force_recovery = Some(true);
    });
    let sent = subscribe(
        &mut world,
        client,
        &json!({"channel": "ask:a", "data": {"k": 1}}),
    );
    let expected = json!({"id": 2, "subscribe": {
        "expires": true, "ttl": 60, "recoverable": true, "positioned": true, "epoch": "e0",
        "data": {"d": 1},
    }});
    assert_eq!(sent, [expected]);
    let asked = &world.clients[client].backend.asked;
    assert_eq!(*asked, [r#"subscribe ask:a b"{\"k\":1}""#]);
}

#[test]
fn where_the_backend_decides_the_clients_wishes_do_not() {
    let mut world = World::default();
    let client = connected(&mut world);
    let wishes = json!({
        "channel": "ask:a", "recoverable": true, "positioned": true, "join_leave": true,
    });
    let sent = subscribe(&mut world, client, &wishes);
    assert_eq!(sent, [json!({"id": 2, "subscribe": {}})]);

    // How its publications are written is the client's own business.
    let delta = json!({"channel": "ask:b", "delta": "fossil"});
    let sent = subscribe(&mut world, client, &delta);
    assert_eq!(sent, [json!({"id": 2, "subscribe": {"delta": true}})]);
}

#[test]
fn a_refusal_of_the_backend_leaves_nothing_behind() {
    let custom = Error {
        code: 1000,
        message: "mine".into(),
        temporary: true,
    };
    for (refusal, code) in [
        (Refusal::Error(custom), 1000),
        (Refusal::Error(Error::INTERNAL), 100),
    ] {
        let mut world = World::default();
        let client = connected(&mut world);
        world.clients[client].backend.subscribe = Err(refusal);
        let sent = subscribe(&mut world, client, &json!({"channel": "ask:a"}));
        assert_eq!(sent[0]["error"]["code"], code);
        assert_eq!(sent[0]["error"]["temporary"], true);
        assert_eq!(world.clients[client].session.subscriptions(), 0);

        world.clients[client].backend.subscribe = Ok(Terms::default());
        let sent = subscribe(&mut world, client, &json!({"channel": "ask:a"}));
        assert_eq!(sent, [json!({"id": 2, "subscribe": {}})]);
    }
}

#[test]
fn a_disconnect_of_the_backend_closes() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.clients[client].backend.subscribe = Err(Refusal::Disconnect(gone()));
    let sent = subscribe(&mut world, client, &json!({"channel": "ask:a"}));
    assert_eq!(sent, [json!(null); 0]);
    assert_eq!(world.closed(client), Some(4501));
    assert!(world.clients[client].session.is_finished());
}

fn gone() -> Disconnect {
    Disconnect {
        code: 4501,
        reason: "go".into(),
    }
}

#[test]
fn an_end_that_has_passed_is_refused() {
    let mut world = World::default();
    world.advance(Duration::from_secs(100));
    let client = connected(&mut world);
    world.clients[client].backend.subscribe = terms(|terms| terms.expire_at = at(90));
    let sent = subscribe(&mut world, client, &json!({"channel": "ask:a"}));
    assert_eq!(sent[0]["error"]["code"], 110);
}

#[test]
fn the_servers_filter_counts_beside_the_clients() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.clients[client].backend.subscribe =
        terms(|terms| terms.tags_filter = Some(Box::new(equal("team", "eng"))));
    let wish = json!({"key": "level", "cmp": "eq", "val": "5"});
    let sent = subscribe(
        &mut world,
        client,
        &json!({"channel": "ask:a", "tf": wish, "delta": "fossil"}),
    );
    assert_eq!(
        sent,
        [json!({"id": 2, "subscribe": {}})],
        "no delta with a filter"
    );
    for (team, level, is_wanted) in [("eng", "5", true), ("eng", "4", false), ("hr", "5", false)] {
        world.publish_tagged("ask:a", "1", &[("team", team), ("level", level)], true);
        world.settle();
        assert_eq!(!world.sent(client).is_empty(), is_wanted, "{team} {level}");
    }
}

#[test]
fn a_servers_filter_that_is_none_opens_nothing() {
    let mut world = World::default();
    let client = connected(&mut world);
    let filter = FilterNode {
        op: "xor".to_owned(),
        ..FilterNode::default()
    };
    world.clients[client].backend.subscribe =
        terms(|terms| terms.tags_filter = Some(Box::new(filter)));
    let sent = subscribe(&mut world, client, &json!({"channel": "ask:a"}));
    assert_eq!(sent[0]["error"]["code"], 100);
}

fn equal(key: &str, val: &str) -> FilterNode {
    FilterNode {
        key: key.to_owned(),
        cmp: "eq".to_owned(),
        val: val.to_owned(),
        ..FilterNode::default()
    }
}

#[test]
fn the_backend_may_allow_more_in_a_channel() {
    let mut world = World::default();
    let client = connected(&mut world);
    let publish = r#"{"id":3,"publish":{"channel":"ask:a","data":1}}"#;
    world.command(client, publish);
    world.settle();
    assert_eq!(world.sent(client)[0]["error"]["code"], 103);

    world.clients[client].backend.subscribe =
        terms(|terms| terms.rights = Rights::named(["pub", "hst"]));
    let wishes = json!({"channel": "ask:a"});
    subscribe(&mut world, client, &wishes);
    world.command(client, publish);
    world.settle();
    let sent = world.sent(client);
    assert!(sent.contains(&json!({"id": 3, "publish": {}})), "{sent:?}");
    world.command(client, r#"{"id":4,"history":{"channel":"ask:a"}}"#);
    world.settle();
    assert!(world.sent(client)[0].get("history").is_some());
}

#[test]
fn an_unsubscribe_waits_for_the_backend() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.command(client, r#"{"id":2,"subscribe":{"channel":"ask:a"}}"#);
    let take = Control::Unsubscribe {
        channel: "ask:a".to_owned(),
        unsubscribe: Unsubscribe::SERVER,
    };
    world.control(client, take);
    world.settle();
    let sent = world.sent(client);
    assert_eq!(sent[0], json!({"id": 2, "subscribe": {}}));
    assert_eq!(sent[1]["push"]["unsubscribe"]["code"], 2000);
    assert_eq!(world.subscribers("ask:a"), 0);
}

#[test]
fn a_closed_connection_needs_no_answer() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.command(client, r#"{"id":2,"subscribe":{"channel":"ask:a"}}"#);
    world.command(client, r#"{"id":3,"publish":{"channel":"say:a","data":1}}"#);
    world.disconnect(client, Disconnect::CONNECTION_CLOSED);
    world.settle();
    assert!(world.clients[client].session.is_finished());
    assert_eq!(world.subscribers("ask:a"), 0);
    assert_eq!(world.top("say:a"), 0);
}

// === subscription streams ===

#[test]
fn a_stream_has_no_positions_and_ends_with_its_subscription() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.clients[client].backend.subscribe =
        terms(|terms| terms.overrides.force_recovery = Some(true));
    let wishes = json!({"channel": "feed:a", "recoverable": true, "delta": "fossil"});
    let sent = subscribe(&mut world, client, &wishes);
    assert_eq!(sent, [json!({"id": 2, "subscribe": {}})]);
    assert_eq!(world.clients[client].backend.streams.len(), 1);

    world.command(client, r#"{"id":3,"unsubscribe":{"channel":"feed:a"}}"#);
    world.settle();
    assert_eq!(world.sent(client), [json!({"id": 3, "unsubscribe": {}})]);
    assert_eq!(world.clients[client].backend.streams, []);
}

#[test]
fn a_stream_is_closed_if_its_subscription_cannot_be_made() {
    let mut world = World::default();
    world.advance(Duration::from_secs(100));
    let client = connected(&mut world);
    world.clients[client].backend.subscribe = terms(|terms| terms.expire_at = at(1));
    let sent = subscribe(&mut world, client, &json!({"channel": "feed:a"}));
    assert_eq!(sent[0]["error"]["code"], 110);
    assert_eq!(world.clients[client].backend.streams, []);
}

#[test]
fn the_end_of_a_stream_ends_the_subscription() {
    for (unsubscribe, code) in [
        (Unsubscribe::SERVER, 2000),
        (Unsubscribe::INSUFFICIENT_STATE, 2500),
    ] {
        let mut world = World::default();
        let client = connected(&mut world);
        subscribe(&mut world, client, &json!({"channel": "feed:a"}));
        let id = world.clients[client].backend.streams[0];
        world.stream_end(client, id, unsubscribe.clone());
        world.settle();
        let sent = world.sent(client);
        assert_eq!(sent[0]["push"]["unsubscribe"]["code"], code);
        assert_eq!(world.clients[client].backend.streams, []);

        world.stream_end(client, id, unsubscribe);
        world.settle();
        assert_eq!(world.sent(client), [json!(null); 0], "it is over");
    }
}

#[test]
fn a_stream_that_ends_at_once_ends_after_the_reply() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.command(client, r#"{"id":2,"subscribe":{"channel":"feed:a"}}"#);
    world.step(client); // The stream is open, and the subscription is being entered.
    let id = world.clients[client].backend.streams[0];
    world.stream_end(client, id, Unsubscribe::SERVER);
    world.settle();
    let sent = world.sent(client);
    assert_eq!(sent[0], json!({"id": 2, "subscribe": {}}));
    assert_eq!(sent[1]["push"]["unsubscribe"]["code"], 2000);
}

#[test]
fn what_a_client_publishes_goes_up_a_stream_that_goes_both_ways() {
    let mut world = World::default();
    let client = connected(&mut world);
    let publish =
        |channel: &str| format!(r#"{{"id":3,"publish":{{"channel":"{channel}","data":1}}}}"#);
    world.command(client, &publish("duplex:a"));
    world.settle();
    assert_eq!(
        world.sent(client)[0]["error"]["code"],
        108,
        "not subscribed"
    );

    subscribe(&mut world, client, &json!({"channel": "duplex:a"}));
    subscribe(&mut world, client, &json!({"channel": "feed:a"}));
    world.command(client, &publish("duplex:a"));
    world.settle();
    assert_eq!(world.sent(client), [json!({"id": 3, "publish": {}})]);
    assert_eq!(world.clients[client].backend.asked[2], r#"up b"1""#);
    assert_eq!(world.top("duplex:a"), 0);

    world.command(client, &publish("feed:a"));
    world.settle();
    assert_eq!(world.sent(client)[0]["error"]["code"], 108, "down only");
}

// === publish ===

#[test]
fn the_backend_may_change_what_is_published() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.clients[client].backend.publish = Ok(|publish| publish.data = Bytes::from_static(b"2"));
    world.command(client, r#"{"id":3,"publish":{"channel":"say:a","data":1}}"#);
    world.settle();
    assert_eq!(world.sent(client), [json!({"id": 3, "publish": {}})]);
    assert_eq!(world.clients[client].backend.asked, ["publish say:a"]);
    assert_eq!(world.data("say:a"), ["2"]);
}

#[test]
fn what_the_backend_refuses_is_not_published() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.clients[client].backend.publish = Err(Refusal::Error(Error::INTERNAL));
    let publish = r#"{"id":3,"publish":{"channel":"say:a","data":1}}"#;
    world.command(client, publish);
    world.settle();
    assert_eq!(world.sent(client)[0]["error"]["code"], 100);

    world.clients[client].backend.publish = Err(Refusal::Disconnect(gone()));
    world.command(client, publish);
    world.settle();
    assert_eq!(world.closed(client), Some(4501));
    assert_eq!(world.top("say:a"), 0);
}

// === refresh ===

fn expiring_connection(world: &mut World, expire_at: i64) -> usize {
    let client = world.open(&config());
    let grants = &mut world.clients[client].grants;
    grants.expire_at = at(expire_at);
    grants.refresh_by = RefreshBy::Server;
    world.command(client, r#"{"id":1,"connect":{}}"#);
    world.settle();
    client
}

fn refreshed(expire_at: i64) -> Refreshed {
    Refreshed {
        expire_at: UnixSeconds(expire_at),
        info: Bytes::new(),
        meta: Bytes::new(),
        capabilities: None,
    }
}

#[test]
fn an_expired_connection_lives_as_long_as_the_backend_says() {
    let mut world = World::default();
    let client = expiring_connection(&mut world, 10);
    let sent = world.sent(client);
    assert!(
        sent[0]["connect"].get("expires").is_none(),
        "the client need not know"
    );
    world.clients[client].backend.refresh = Ok(refreshed(30));
    world.advance(Duration::from_millis(9_999));
    assert!(world.clients[client].backend.asked.is_empty());
    world.advance(Duration::from_millis(1));
    assert_eq!(world.clients[client].backend.asked, ["refresh"]);

    world.clients[client].backend.refresh = Err(Unrefreshed::Expired);
    world.advance(Duration::from_millis(19_999));
    assert_eq!(world.closed(client), None);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.closed(client), Some(3005));
    assert_eq!(world.sent(client), [json!(null); 0]);
}

#[test]
fn what_the_backend_says_of_an_expired_connection_has_a_code() {
    for (said, code) in [
        (Ok(refreshed(10)), Some(3005)),
        (Ok(refreshed(0)), Some(3005)),
        (Err(Unrefreshed::Expired), Some(3005)),
        (Err(Unrefreshed::Malformed), Some(3004)),
        (Err(Unrefreshed::Unanswered), None),
        (Ok(refreshed(11)), None),
    ] {
        let mut world = World::default();
        let client = expiring_connection(&mut world, 10);
        world.clients[client].backend.refresh = said.clone();
        world.advance(Duration::from_secs(10));
        assert_eq!(world.closed(client), code, "{said:?}");
    }
}

#[test]
fn a_backend_that_does_not_answer_is_asked_again_a_minute_later() {
    let mut world = World::default();
    let client = expiring_connection(&mut world, 10);
    world.advance(Duration::from_secs(69));
    assert_eq!(world.clients[client].backend.asked.len(), 1);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.clients[client].backend.asked.len(), 2);
    assert_eq!(world.closed(client), None);
}

#[test]
fn where_the_backend_refreshes_the_client_may_not() {
    let mut world = World::default();
    let client = expiring_connection(&mut world, 10);
    world.command(client, r#"{"id":2,"refresh":{"token":":60"}}"#);
    world.settle();
    assert_eq!(world.closed(client), Some(3501));
}

#[test]
fn a_refresh_by_the_server_api_takes_the_place_of_one_by_the_backend() {
    let mut world = World::default();
    let client = expiring_connection(&mut world, 10);
    world.control(
        client,
        Control::Refresh(ControlRefresh {
            expire_at: at(40),
            ..ControlRefresh::default()
        }),
    );
    world.advance(Duration::from_secs(39));
    assert!(world.clients[client].backend.asked.is_empty());
    world.advance(Duration::from_secs(1));
    assert_eq!(world.clients[client].backend.asked, ["refresh"]);
}

#[test]
fn new_info_is_shown_where_the_client_is_present() {
    let mut world = World::default();
    let client = expiring_connection(&mut world, 10);
    subscribe(&mut world, client, &json!({"channel": "open:a"}));
    subscribe(&mut world, client, &json!({"channel": "ask:a"}));
    world.clients[client].backend.refresh = Ok(Refreshed {
        info: Bytes::from_static(b"1"),
        ..refreshed(60)
    });
    world.advance(Duration::from_secs(10));
    let shown = &world.clients[client].backend.shown;
    assert_eq!(shown.len(), 1, "the other channel keeps no presence");
    assert_eq!(shown[0].conn_info, "1");
}

#[test]
fn what_is_new_while_a_client_comes_is_shown_once_it_is_there() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.command(client, r#"{"id":2,"subscribe":{"channel":"open:a"}}"#);
    let refresh = |info| {
        Control::Refresh(ControlRefresh {
            info: Bytes::from_static(info),
            ..ControlRefresh::default()
        })
    };
    world.control(client, refresh(b"1"));
    assert!(world.clients[client].backend.shown.is_empty());
    world.step(client); // It is entered, and what is new is on its way.
    world.control(client, refresh(b"2"));
    world.control(client, refresh(b"3"));
    world.settle();
    let shown = &world.clients[client].backend.shown;
    assert_eq!(
        shown.len(),
        2,
        "not side by side, for nobody knew the order"
    );
    assert_eq!(shown[1].conn_info, "3");
    world.sent(client);
    world.command(client, r#"{"id":3,"unsubscribe":{"channel":"open:a"}}"#);
    world.settle();
    assert_eq!(world.sent(client), [json!({"id": 3, "unsubscribe": {}})]);
}

#[test]
fn capabilities_are_replaced_at_a_refresh() {
    let capabilities = |channels: &[&str]| {
        let one = Capability {
            channels: channels.iter().map(|name| (*name).to_owned()).collect(),
            matching: String::new(),
            allow: vec!["sub".to_owned()],
        };
        Capabilities::new(&[one]).unwrap().map(Box::new)
    };
    let mut world = World::default();
    let client = world.open(&config());
    let grants = &mut world.clients[client].grants;
    grants.expire_at = at(10);
    grants.refresh_by = RefreshBy::Server;
    grants.capabilities = capabilities(&["none:a", "none:b"]);
    world.command(client, r#"{"id":1,"connect":{}}"#);
    world.settle();
    world.sent(client);
    for channel in ["none:a", "none:b", "open:a"] {
        let sent = subscribe(&mut world, client, &json!({ "channel": channel }));
        assert_eq!(sent, [json!({"id": 2, "subscribe": {}})], "{channel}");
    }
    let sent = subscribe(&mut world, client, &json!({"channel": "none:c"}));
    assert_eq!(sent[0]["error"]["code"], 103);

    world.clients[client].backend.refresh = Ok(Refreshed {
        capabilities: capabilities(&["none:b"]),
        ..refreshed(60)
    });
    world.advance(Duration::from_secs(10));
    let sent = world.sent(client);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["push"]["channel"], "none:a");
    assert_eq!(sent[0]["push"]["unsubscribe"]["code"], 2000);
}

// === sub_refresh ===

#[test]
fn an_expired_subscription_lives_as_long_as_the_backend_says() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.clients[client].backend.subscribe = terms(|terms| terms.expire_at = at(10));
    let sent = subscribe(&mut world, client, &json!({"channel": "reask:a"}));
    assert_eq!(
        sent,
        [json!({"id": 2, "subscribe": {}})],
        "the client need not know"
    );
    world.clients[client].backend.asked.clear();
    world.clients[client].backend.sub_refresh = Ok(RefreshedSubscription {
        expire_at: at(30),
        info: Bytes::from_static(b"1"),
    });
    world.advance(Duration::from_secs(12));
    assert_eq!(world.clients[client].backend.asked, ["sub_refresh reask:a"]);
    assert_eq!(world.clients[client].backend.shown[0].chan_info, "1");

    world.clients[client].backend.sub_refresh = Ok(RefreshedSubscription::default());
    world.advance(Duration::from_secs(100));
    assert_eq!(
        world.clients[client].backend.asked.len(),
        2,
        "it does not expire any more"
    );
    assert_eq!(world.sent(client), [json!(null); 0]);
}

#[test]
fn what_the_backend_says_of_an_expired_subscription_has_a_code() {
    let until = |second| {
        Ok(RefreshedSubscription {
            expire_at: at(second),
            info: Bytes::new(),
        })
    };
    for (said, is_ended) in [
        (until(1), true),
        (Err(Unrefreshed::Expired), true),
        (Err(Unrefreshed::Malformed), true),
        (Err(Unrefreshed::Unanswered), false),
        (until(60), false),
    ] {
        let mut world = World::default();
        let client = connected(&mut world);
        world.clients[client].backend.subscribe = terms(|terms| terms.expire_at = at(10));
        world.clients[client].backend.sub_refresh = said.clone();
        subscribe(&mut world, client, &json!({"channel": "reask:a"}));
        world.advance(Duration::from_secs(12));
        let sent = world.sent(client);
        assert_eq!(!sent.is_empty(), is_ended, "{said:?}");
        if is_ended {
            assert_eq!(sent[0]["push"]["unsubscribe"]["code"], 2501);
        }
    }
}

#[test]
fn a_server_side_subscription_that_is_not_prolonged_closes() {
    let mut world = World::default();
    let client = connected(&mut world);
    let subscribe = Control::Subscribe(Box::new(ControlSubscribe {
        channel: ChannelName::new("reask:a").unwrap(),
        info: Bytes::new(),
        data: Bytes::new(),
        expire_at: at(10),
        recover_since: None,
        overrides: Override::default(),
    }));
    world.control(client, subscribe);
    world.settle();
    world.clients[client].backend.sub_refresh = Err(Unrefreshed::Expired);
    world.advance(Duration::from_secs(12));
    assert_eq!(world.closed(client), Some(3006));
    assert_eq!(world.clients[client].backend.asked, ["sub_refresh reask:a"]);
}

#[test]
fn subscriptions_by_token_are_asked_about_too() {
    let mut world = World::default();
    let client = connected(&mut world);
    let grant = SubscriptionGrant {
        channel: "reask:a".to_owned(),
        terms: Terms {
            expire_at: at(10),
            ..Terms::default()
        },
        ..SubscriptionGrant::default()
    };
    world.clients[client]
        .tokens
        .insert("t".to_owned(), Ok(grant));
    subscribe(
        &mut world,
        client,
        &json!({"channel": "reask:a", "token": "t"}),
    );
    world.advance(Duration::from_secs(12));
    assert_eq!(world.clients[client].backend.asked, ["sub_refresh reask:a"]);
    world.command(
        client,
        r#"{"id":3,"sub_refresh":{"channel":"reask:a","token":"t"}}"#,
    );
    world.settle();
    assert_eq!(world.closed(client), Some(3501));
}

#[test]
fn a_slow_backend_is_asked_once_about_an_expired_subscription() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.clients[client].backend.subscribe = terms(|terms| terms.expire_at = at(3));
    subscribe(&mut world, client, &json!({"channel": "reask:a"}));
    world.clients[client].is_stuck = true;
    world.advance(Duration::from_secs(10));
    assert_eq!(world.clients[client].pending.len(), 1);
    world.clients[client].is_stuck = false;
    world.settle();
    assert_eq!(world.clients[client].backend.asked.len(), 2);
}

// === connect ===

#[test]
fn the_newest_publication_comes_where_the_backend_wants_it() {
    for (recovers_cache, publications) in [(true, 1), (false, 0)] {
        let mut world = World::default();
        world.publish("cache:a", "1");
        let client = world.open(&config());
        world.clients[client].grants.subscriptions = vec![GrantedSubscription {
            channel: "cache:a".to_owned(),
            source: Source::ConnectProxy,
            terms: Terms {
                recovers_cache,
                ..Terms::default()
            },
        }];
        world.command(client, r#"{"id":1,"connect":{}}"#);
        world.settle();
        let sent = world.sent(client);
        let result = &sent[0]["connect"]["subs"]["cache:a"];
        let brought = result["publications"].as_array().map_or(0, Vec::len);
        assert_eq!(brought, publications, "{result}");
        assert_eq!(result.get("recovered").is_some(), recovers_cache);
    }
}

#[test]
fn a_backend_that_does_not_fill_a_cache_fails_the_subscribe_alone() {
    let mut world = World::default();
    let client = connected(&mut world);
    world.command(client, r#"{"id":2,"subscribe":{"channel":"open:a"}}"#);
    world.fail(client, Failure::Unanswered);
    assert_eq!(world.sent(client)[0]["error"]["code"], 100);
    assert_eq!(world.closed(client), None);
}
