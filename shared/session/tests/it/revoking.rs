//! Void tokens, blocked users, and commands that come while a connect is worked on.

use gyre_protocol::codes::Disconnect;
use gyre_session::{Control, SubscriptionGrant, TokenMark, TokenRefusal, Void};
use gyre_types::{UnixSeconds, UserId};
use serde_json::json;

use crate::support::{World, config};

fn mark(uid: &str, issued_at: i64) -> Option<Box<TokenMark>> {
    TokenMark::new(uid, Some(UnixSeconds(issued_at)))
}

fn token(uid: &str) -> Void {
    Void::Token(uid.into())
}

fn issued_before(user: &str, at: i64, channel: &str) -> Void {
    Void::IssuedBefore {
        user: UserId::new(user),
        channel: channel.into(),
        at: UnixSeconds(at),
    }
}

/// Ann, connected by token `t` of second 100 and subscribed to `$news` by token `s` of second 50.
fn ann(world: &mut World) -> usize {
    let client = world.open(&config());
    let grants = &mut world.clients[client].grants;
    grants.user = UserId::new("ann");
    grants.token = mark("t", 100);
    let grant = SubscriptionGrant {
        user: "ann".to_owned(),
        channel: "$news".to_owned(),
        token: mark("s", 50),
        ..SubscriptionGrant::default()
    };
    world.clients[client]
        .tokens
        .insert("s".to_owned(), Ok(grant));
    world.command(client, r#"{"id":1,"connect":{}}"#);
    world.settle();
    world.command(
        client,
        r#"{"id":2,"subscribe":{"channel":"$news","token":"s"}}"#,
    );
    world.settle();
    assert_eq!(world.subscribers("$news"), 1);
    world.sent(client);
    client
}

#[test]
fn a_void_token_ends_what_rests_on_it_and_nothing_else() {
    // What is void; whether the connection ends, whether the subscription does.
    let table = [
        (token("t"), true, true),
        (token("s"), false, true),
        (token("x"), false, false),
        (token(""), false, false),
        (issued_before("ann", 101, ""), true, true),
        (issued_before("ann", 100, ""), false, true),
        (issued_before("ann", 50, ""), false, false),
        (issued_before("ann", 51, "$news"), false, true),
        (issued_before("ann", 101, "$news"), false, true),
        (issued_before("ann", 101, "$other"), false, false),
        (issued_before("bob", 101, ""), false, false),
        (issued_before("", 101, ""), false, false),
    ];
    for (void, ends, ends_subscription) in table {
        let mut world = World::default();
        let client = ann(&mut world);
        world.control(client, Control::Revoke(void.clone()));
        world.settle();
        assert_eq!(world.clients[client].controlled.len(), 1, "{void:?}");
        assert_eq!(world.closed(client), ends.then_some(3014), "{void:?}");
        let subscribers = usize::from(!ends_subscription);
        assert_eq!(world.subscribers("$news"), subscribers, "{void:?}");
        if ends_subscription && !ends {
            let told = json!({"push": {"channel": "$news", "unsubscribe": {
                "code": 2502, "reason": "state invalidated",
            }}});
            assert_eq!(world.sent(client), [told], "{void:?}");
        }
    }
}

#[test]
fn a_connect_that_is_worked_on_does_not_slip_through() {
    for command in [
        Control::Revoke(token("t")),
        Control::Disconnect(Disconnect::PERMISSION_DENIED),
    ] {
        let mut world = World::default();
        let client = world.open(&config());
        world.clients[client].grants.token = mark("t", 100);
        world.command(client, r#"{"id":1,"connect":{}}"#);
        world.step(client); // It is known who this is; registering is on its way.
        world.control(client, command.clone());
        world.settle();
        assert!(world.closed(client).is_some(), "{command:?}");
        assert_eq!(world.sent(client), [json!(null); 0], "{command:?}");
        assert_eq!(world.clients[client].controlled.len(), 1);
    }
}

#[test]
fn refused_tokens_say_why() {
    let table = [
        (TokenRefusal::Revoked, Some(109), None),
        (TokenRefusal::Blocked, None, Some(3507)),
        (TokenRefusal::Expired, Some(109), None),
        (TokenRefusal::Invalid, Some(103), None),
    ];
    for (refusal, error, closed) in table {
        let mut world = World::default();
        let client = world.connect();
        world.sent(client);
        let tokens = &mut world.clients[client].tokens;
        tokens.insert("bad".to_owned(), Err(refusal));
        world.command(
            client,
            r#"{"id":2,"subscribe":{"channel":"$a","token":"bad"}}"#,
        );
        world.settle();
        assert_eq!(world.closed(client), closed, "{refusal:?}");
        let answered = world.sent(client);
        let code = answered
            .first()
            .and_then(|reply| reply["error"]["code"].as_u64());
        assert_eq!(code, error, "{refusal:?}");
    }
}

#[test]
fn a_subscription_that_is_refreshed_by_a_void_token_ends_the_connection() {
    for (refusal, code) in [(TokenRefusal::Revoked, 3014), (TokenRefusal::Blocked, 3507)] {
        let mut world = World::default();
        let client = ann(&mut world);
        let tokens = &mut world.clients[client].tokens;
        tokens.insert("bad".to_owned(), Err(refusal));
        world.command(
            client,
            r#"{"id":3,"sub_refresh":{"channel":"$news","token":"bad"}}"#,
        );
        world.settle();
        assert_eq!(world.closed(client), Some(code), "{refusal:?}");
    }
}
