//! What a session says of its connection to whoever asks from outside.

use std::time::Duration;

use bytes::Bytes;
use gyre_session::{Held, SubscriptionGrant, TokenMark};
use gyre_types::{ChannelName, UnixSeconds, UserId};

use crate::support::{World, config};

#[test]
fn a_connection_says_what_it_is() {
    let mut world = World::default();
    let client = world.open(&config());
    let grants = &mut world.clients[client].grants;
    grants.user = UserId::new("ann");
    grants.meta = Bytes::from_static(b"{}");
    grants.token = TokenMark::new("t1", None);
    let grant = SubscriptionGrant {
        channel: "$a".to_owned(),
        user: "ann".to_owned(),
        token: TokenMark::new("", Some(UnixSeconds(17))),
        ..SubscriptionGrant::default()
    };
    let tokens = &mut world.clients[client].tokens;
    tokens.insert("good".to_owned(), Ok(grant));
    assert_eq!(world.clients[client].session.describe(), None);

    world.advance(Duration::from_secs(3));
    let connected_at = world.now.unix;
    let connect = r#"{"id":1,"connect":{"name":"js","version":"5.0"}}"#;
    world.command(client, connect);
    world.settle();
    world.command(
        client,
        r#"{"id":2,"subscribe":{"channel":"$a","token":"good"}}"#,
    );
    world.command(client, r#"{"id":3,"subscribe":{"channel":"rec:a"}}"#);
    world.settle();

    let described = world.clients[client].session.describe().unwrap();
    assert_eq!(described.user, UserId::new("ann"));
    assert_eq!(
        (&*described.app_name, &*described.app_version),
        ("js", "5.0")
    );
    assert_eq!(described.connected_at, connected_at);
    assert_eq!(described.latency, None);
    assert_eq!(described.meta, "{}");
    assert_eq!(
        described.token,
        TokenMark::new("t1", None).map(|mark| *mark)
    );
    let held: Vec<_> = described.channels.iter().map(numbered).collect();
    assert_eq!(
        held,
        [
            ("$a", 3, Some(UnixSeconds(17))),
            ("rec:a", described.channels[1].source.number(), None)
        ]
    );
}

fn numbered(held: &Held) -> (&str, u8, Option<UnixSeconds>) {
    let channel: &ChannelName = &held.channel;
    let issued_at = held.token.as_ref().and_then(|token| token.issued_at);
    (channel.as_str(), held.source.number(), issued_at)
}

#[test]
fn latency_is_that_of_the_latest_ping() {
    let mut world = World::default();
    let client = world.connect();
    let latency = |world: &World| world.clients[client].session.describe().unwrap().latency;
    for millis in [30, 40] {
        world.sent(client);
        while world.sent(client).is_empty() {
            world.advance(Duration::from_secs(1));
        }
        world.advance(Duration::from_millis(millis));
        world.command(client, "{}");
        // The ping went out somewhere within the last second.
        let latency = latency(&world).unwrap();
        let least = Duration::from_millis(millis);
        assert!(
            (least..least + Duration::from_secs(1)).contains(&latency),
            "{latency:?}"
        );
    }
}

#[test]
fn what_has_ended_says_nothing() {
    let mut world = World::default();
    let client = world.connect();
    assert!(world.clients[client].session.describe().is_some());
    world.disconnect(client, gyre_protocol::codes::Disconnect::SHUTDOWN);
    assert_eq!(world.clients[client].session.describe(), None);
}
