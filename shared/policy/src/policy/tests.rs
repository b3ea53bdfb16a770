use std::time::Duration;

use gyre_config::Millis;
use gyre_config::channel::{Namespace as Configured, Options};

use super::*;

#[test]
fn a_channel_has_the_options_of_its_namespace() {
    let policy = policy(&["ns", "$odd"]);
    for (channel, namespace) in [
        ("news", Ok("")),
        (":news", Ok("")),
        ("ns:news", Ok("ns")),
        ("$ns:news", Ok("ns")),
        ("$$odd:news", Ok("$odd")),
        ("nope:news", Err(Error::UNKNOWN_CHANNEL)),
        ("ns.x:news", Err(Error::UNKNOWN_CHANNEL)),
        ("NS:news", Err(Error::UNKNOWN_CHANNEL)),
        ("", Ok("")),
    ] {
        let found = policy.resolve(channel).map(|rules| rules.namespace());
        assert_eq!(found, namespace, "{channel}");
    }
    assert!(policy.resolve("ns:a").unwrap().options().presence);
    assert!(!policy.resolve("a").unwrap().options().presence);
}

#[test]
fn contradictions_are_named() {
    let twice = Channel {
        namespaces: vec![namespace("a"), namespace("b"), namespace("a")],
        ..Channel::default()
    };
    assert_eq!(broken(&twice), "namespace a is defined twice");
    let mut odd = Channel {
        namespaces: vec![namespace("a")],
        ..Channel::default()
    };
    odd.namespaces[0].options.channel_regex = "(".into();
    assert_eq!(
        broken(&odd),
        "channel_regex of a is not a regular expression"
    );
    let mut odd = Channel::default();
    odd.without_namespace.channel_regex = "[".into();
    let expected = "channel_regex of without_namespace is not a regular expression";
    assert_eq!(broken(&odd), expected);
}

#[test]
fn polling_is_asked_for_where_it_is_served() {
    let polled = Configured {
        name: "poll".into(),
        options: Options {
            subscription_type: SubscriptionType::SharedPoll,
            ..Options::default()
        },
    };
    let channel = Channel {
        namespaces: vec![polled, namespace("ns")],
        ..Channel::default()
    };
    let policy = Policy::new(&channel, &Client::default(), &Rpc::default()).unwrap();
    for (channel, wire_type, expected) in [
        ("poll:a", 4, Ok(())),
        ("poll:a", 0, Err(Error::BAD_REQUEST)),
        ("poll:a", 1, Err(Error::BAD_REQUEST)),
        ("ns:a", 4, Err(Error::NOT_AVAILABLE)),
        ("nope:a", 4, Err(Error::NOT_AVAILABLE)),
        ("a", 0, Ok(())),
        ("a", 1, Ok(())),
        ("nope:a", 0, Ok(())),
        ("a", -1, Ok(())),
        ("a", i32::MIN, Ok(())),
        ("a", 5, Err(Error::BAD_REQUEST)),
        ("poll:a", i32::MAX, Err(Error::BAD_REQUEST)),
    ] {
        let found = policy.check_subscription_type(channel, wire_type);
        assert_eq!(found, expected, "{channel} {wire_type}");
    }
}

#[test]
fn personal_channels() {
    let of = |enabled, namespace: &str, single_connection| {
        let client = Client {
            subscribe_to_user_personal_channel: PersonalChannel {
                enabled,
                personal_channel_namespace: namespace.into(),
                single_connection,
            },
            ..Client::default()
        };
        Policy::new(&Channel::default(), &client, &Rpc::default()).unwrap()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(of(false, "", true).personal_channel("42"), None);
    assert_eq!(of(true, "", false).personal_channel("42"), text("#42"));
    assert_eq!(
        of(true, "own", false).personal_channel("42"),
        text("own:#42")
    );
    assert_eq!(of(true, "own", false).personal_channel(""), None);
    assert_eq!(of(true, "own", false).single_connection_channel("42"), None);
    assert_eq!(
        of(true, "own", true).single_connection_channel("42"),
        text("own:#42")
    );
    assert_eq!(of(true, "own", true).single_connection_channel(""), None);
    assert_eq!(of(false, "own", true).single_connection_channel("42"), None);
}

#[test]
fn retention_needs_a_size_and_a_time() {
    let global = Duration::from_secs(720 * 3600);
    let seconds = Duration::from_secs;
    for (size, ttl, meta_ttl, expected) in [
        (0, 0, 0, None),
        (5, 0, 0, None),
        (0, 60, 0, None),
        (5, 60, 0, Some((5, seconds(60), Some(global)))),
        (5, 60, 90, Some((5, seconds(60), Some(seconds(90))))),
        (5, 60, 30, Some((5, seconds(60), Some(seconds(60))))),
        (5, 60, -1, Some((5, seconds(60), None))),
    ] {
        let options = Options {
            history_size: size,
            history_ttl: Millis::from_secs(ttl),
            history_meta_ttl: Millis::from_secs(meta_ttl),
            ..Options::default()
        };
        let channel = Channel {
            without_namespace: options,
            ..Channel::default()
        };
        let policy = Policy::new(&channel, &Client::default(), &Rpc::default()).unwrap();
        let rules = policy.resolve("a").unwrap();
        let found = rules
            .retention()
            .map(|kept| (kept.size, kept.ttl, kept.meta_ttl));
        assert_eq!(found, expected, "{size} {ttl} {meta_ttl}");
        if size == 0 {
            assert_eq!(rules.meta_ttl(), Some(global), "reads create streams too");
        }
    }
}

fn policy(names: &[&str]) -> Policy {
    let channel = Channel {
        namespaces: names.iter().map(|name| namespace(name)).collect(),
        ..Channel::default()
    };
    Policy::new(&channel, &Client::default(), &Rpc::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn namespace(name: &str) -> Configured {
    Configured {
        name: name.into(),
        options: Options {
            presence: true,
            ..Options::default()
        },
    }
}

fn broken(channel: &Channel) -> String {
    match Policy::new(channel, &Client::default(), &Rpc::default()) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}
