use gyre_config::{Channel, Client, Limit, Millis, Rpc};

use super::*;
use crate::Policy;
use crate::capabilities::Rights;

const DENIED: Error = Error::PERMISSION_DENIED;
const USER: Caller<'_> = Caller {
    user: "42",
    is_subscribed: false,
    insecure: false,
    rights: Rights::NONE,
};
const ANONYMOUS: Caller<'_> = Caller { user: "", ..USER };
const INSECURE: Caller<'_> = Caller {
    insecure: true,
    ..ANONYMOUS
};

#[test]
fn a_capability_to_subscribe_comes_after_the_backend() {
    let allowed = Caller {
        rights: Rights::named(["sub"]),
        ..USER
    };
    let by_capability = Ok(Admission::Allowed(Source::ConnectionCapability));
    let by_backend = Ok(Admission::AskBackend(ProxyKind::Subscribe));
    with(
        |_| {},
        "news",
        |rules| {
            assert_eq!(rules.may_subscribe(&USER), Err(DENIED));
            assert_eq!(rules.may_subscribe(&allowed), by_capability);
        },
    );
    let proxied = |options: &mut Options| options.subscribe_proxy_enabled = true;
    with(proxied, "news", |rules| {
        assert_eq!(rules.may_subscribe(&allowed), by_backend);
    });
    let limited = |options: &mut Options| options.allow_user_limited_channels = true;
    with(limited, "news#17", |rules| {
        assert_eq!(rules.may_subscribe(&allowed), Err(DENIED));
    });
}

#[test]
fn names_are_ascii_or_match() {
    let plain = |_: &mut Options| {};
    let pattern =
        |text: &'static str| move |options: &mut Options| options.channel_regex = text.into();
    type Change = Box<dyn Fn(&mut Options)>;
    let cases: [(Change, &str, bool); 12] = [
        (Box::new(plain), "news", true),
        (Box::new(plain), "ns:news", true),
        (Box::new(plain), "канал", false),
        (Box::new(plain), "ns:канал", false),
        (Box::new(plain), "", true),
        (Box::new(pattern("^[a-z]+$")), "ns:news", true),
        (Box::new(pattern("^[a-z]+$")), "ns:news1", false),
        (Box::new(pattern("[a-z]")), "ns:1a1", true),
        (Box::new(pattern(".*")), "ns:канал", true),
        (Box::new(pattern("^[a-z]+$")), "$ns:news", true),
        (Box::new(pattern("^[a-z]+$")), "$news", false),
        (Box::new(pattern("^[$][a-z]+$")), "$news", true),
    ];
    for (change, channel, is_valid) in cases {
        let expected = if is_valid {
            Ok(())
        } else {
            Err(Error::BAD_REQUEST)
        };
        with(change, channel, |rules| {
            assert_eq!(rules.check_name(), expected, "{channel}");
        });
    }
}

#[test]
fn data_is_what_the_format_says() {
    use DataFormat::{Any, Binary, Json, JsonObject};
    let samples: [&[u8]; 6] = [b"", b"x", b"[1]", b" {\"a\":1} ", b"\"t\"", b"{\"a\":1}{"];
    for (own, common, expected) in [
        (Any, Any, [false, true, true, true, true, true]),
        (Json, Any, [false, false, true, true, true, false]),
        (JsonObject, Any, [false, false, false, true, false, false]),
        (Binary, Any, [true; 6]),
        (Any, Binary, [true; 6]),
        (Any, JsonObject, [false, false, false, true, false, false]),
        (Json, Binary, [false, false, true, true, true, false]),
    ] {
        let mut channel = Channel {
            publication_data_format: common,
            ..Channel::default()
        };
        channel.without_namespace.publication_data_format = own;
        let policy = Policy::new(&channel, &Client::default(), &Rpc::default()).unwrap();
        let rules = policy.resolve("a").unwrap();
        let found = samples.map(|data| rules.check_data(data).is_ok());
        assert_eq!(found, expected, "{own:?} {common:?}");
        let refused = samples.iter().find_map(|data| rules.check_data(data).err());
        assert!(refused.is_none_or(|error| error == Error::BAD_REQUEST));
    }
}

#[test]
fn a_subscription_is_of_the_configured_type() {
    use SubscriptionType::{Map, MapClients, MapUsers, SharedPoll, Stream};
    for (wire_type, fitting) in [
        (0, Some(Stream)),
        (-1, Some(Stream)),
        (1, Some(Map)),
        (2, Some(MapClients)),
        (3, Some(MapUsers)),
        (4, Some(SharedPoll)),
        (5, None),
    ] {
        for configured in [Stream, Map, MapClients, MapUsers, SharedPoll] {
            let expected = if fitting == Some(configured) {
                Ok(())
            } else {
                Err(DENIED)
            };
            with(
                |options| options.subscription_type = configured,
                "ns:a",
                |rules| {
                    assert_eq!(
                        rules.check_requested_type(wire_type),
                        expected,
                        "{wire_type}"
                    );
                },
            );
        }
    }
}

#[test]
fn who_may_subscribe() {
    let none = |_: &mut Options| {};
    let client = |options: &mut Options| options.allow_subscribe_for_client = true;
    let anonymous = |options: &mut Options| options.allow_subscribe_for_anonymous = true;
    let both = move |options: &mut Options| {
        client(options);
        anonymous(options);
    };
    let limited = |options: &mut Options| options.allow_user_limited_channels = true;
    let limited_or_both = move |options: &mut Options| {
        both(options);
        limited(options);
    };
    let stream = move |options: &mut Options| {
        limited_or_both(options);
        options.subscribe_stream_proxy_enabled = true;
    };
    let proxy = move |options: &mut Options| {
        stream(options);
        options.subscribe_proxy_enabled = true;
    };
    type Case<'a> = (&'a dyn Fn(&mut Options), &'a str, [&'a str; 3]);
    // a user, an anonymous client, an anonymous client in insecure mode
    let cases: [Case<'_>; 20] = [
        (&none, "ns:a", ["no", "no", "insecure"]),
        (&client, "ns:a", ["allowed", "no", "insecure"]),
        (&anonymous, "ns:a", ["no", "no", "insecure"]),
        (&both, "ns:a", ["allowed", "allowed", "allowed"]),
        (&both, "$ns:a", ["no", "no", "no"]),
        (&none, "$a", ["no", "no", "no"]),
        (&none, "ns:a#42", ["no", "no", "insecure"]),
        (&both, "ns:a#7", ["allowed", "allowed", "allowed"]),
        (&limited, "ns:a", ["no", "no", "insecure"]),
        (&limited, "ns:a#42", ["listed", "no", "insecure"]),
        (&limited, "ns:a#7,42", ["listed", "no", "insecure"]),
        (&limited, "ns:a#42#7", ["no", "no", "insecure"]),
        (&limited, "ns:a#421", ["no", "no", "insecure"]),
        (&limited, "ns:a#", ["no", "no", "insecure"]),
        (&limited, "$ns:a#42", ["no", "no", "no"]),
        (&limited_or_both, "ns:a#7", ["no", "no", "insecure"]),
        (&limited_or_both, "ns:a", ["allowed", "allowed", "allowed"]),
        (&proxy, "ns:a#42", ["listed", "no", "insecure"]),
        (&proxy, "ns:a", ["proxy", "proxy", "proxy"]),
        (&stream, "ns:a", ["stream", "stream", "stream"]),
    ];
    for (change, channel, expected) in cases {
        with(change, channel, |rules| {
            let found = [USER, ANONYMOUS, INSECURE].map(|caller| outcome(rules, caller));
            assert_eq!(found, expected, "{channel}");
        });
    }
}

fn outcome(rules: Rules<'_>, caller: Caller<'_>) -> &'static str {
    match rules.may_subscribe(&caller) {
        Ok(Admission::Allowed(Source::ClientAllowed)) => "allowed",
        Ok(Admission::Allowed(Source::UserLimited)) => "listed",
        Ok(Admission::Allowed(Source::ClientInsecure)) => "insecure",
        Ok(Admission::AskBackend(ProxyKind::Subscribe)) => "proxy",
        Ok(Admission::AskBackend(ProxyKind::SubscribeStream)) => "stream",
        Err(error) if error == DENIED => "no",
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_connect_request_may_ask_for() {
    let none = |_: &mut Options| {};
    let client = |options: &mut Options| options.allow_subscribe_for_client = true;
    let both = |options: &mut Options| {
        options.allow_subscribe_for_client = true;
        options.allow_subscribe_for_anonymous = true;
    };
    let limited = move |options: &mut Options| {
        both(options);
        options.allow_user_limited_channels = true;
    };
    let proxy = move |options: &mut Options| {
        both(options);
        options.subscribe_proxy_enabled = true;
    };
    let stream = move |options: &mut Options| {
        both(options);
        options.subscribe_stream_proxy_enabled = true;
    };
    let pattern = move |options: &mut Options| {
        both(options);
        options.channel_regex = "^[a-z]+$".into();
    };
    let map = move |options: &mut Options| {
        both(options);
        options.subscription_type = SubscriptionType::Map;
    };
    let long = format!("ns:{}", "a".repeat(253));
    type Case<'a> = (&'a dyn Fn(&mut Options), &'a str, [bool; 3]);
    // a user, an anonymous client, an anonymous client in insecure mode
    let cases: [Case<'_>; 15] = [
        (&none, "ns:a", [false, false, true]),
        (&client, "ns:a", [true, false, true]),
        (&both, "ns:a", [true, true, true]),
        (&both, "$ns:a", [false, false, false]),
        (&both, "ns:é", [false, false, false]),
        (&both, &long, [false, false, false]),
        (&pattern, "ns:abc", [true, true, true]),
        (&pattern, "ns:abc1", [false, false, false]),
        (&limited, "ns:a#42", [true, false, true]),
        (&limited, "ns:a#7", [false, false, true]),
        (&limited, "ns:a", [true, true, true]),
        (&proxy, "ns:a", [false, false, false]),
        (&stream, "ns:a", [false, false, false]),
        (&map, "ns:a", [true, true, true]),
        (&none, "$a", [false, false, false]),
    ];
    for (change, channel, expected) in cases {
        with(change, channel, |rules| {
            let ask = |caller: Caller<'_>| rules.may_ask_server_side(caller.user, caller.insecure);
            let expected = expected.map(|yes| yes.then_some(Source::UniConnect));
            assert_eq!([USER, ANONYMOUS, INSECURE].map(ask), expected, "{channel}");
        });
    }
}

#[test]
fn who_may_publish() {
    let subscribed = Caller {
        is_subscribed: true,
        ..USER
    };
    let allowed = Ok(Verdict::Allowed);
    with(
        |_| {},
        "ns:a",
        |rules| {
            assert_eq!(rules.may_publish(&subscribed), Err(DENIED));
            assert_eq!(rules.may_publish(&INSECURE), allowed);
        },
    );
    let subscriber = |options: &mut Options| options.allow_publish_for_subscriber = true;
    with(subscriber, "ns:a", |rules| {
        assert_eq!(rules.may_publish(&USER), Err(DENIED));
        assert_eq!(rules.may_publish(&subscribed), allowed);
    });
    let anonymous = |options: &mut Options| {
        options.allow_publish_for_client = true;
        options.allow_publish_for_anonymous = true;
    };
    with(anonymous, "ns:a", |rules| {
        assert_eq!(rules.may_publish(&ANONYMOUS), allowed);
    });
    let up = |options: &mut Options| {
        options.allow_publish_for_client = true;
        options.subscribe_stream_proxy_enabled = true;
        options.subscribe_stream_proxy_bidirectional = true;
    };
    with(up, "ns:a", |rules| {
        let ask = Ok(Verdict::AskBackend(ProxyKind::SubscribeStream));
        assert_eq!(rules.may_publish(&subscribed), ask);
        assert_eq!(rules.may_publish(&USER), Err(Error::NOT_AVAILABLE));
    });
    let down = move |options: &mut Options| {
        up(options);
        options.subscribe_stream_proxy_bidirectional = false;
    };
    with(down, "ns:a", |rules| {
        assert_eq!(rules.may_publish(&subscribed), Err(Error::NOT_AVAILABLE));
        assert_eq!(rules.may_publish(&INSECURE), Err(Error::NOT_AVAILABLE));
    });
    let proxy = move |options: &mut Options| {
        up(options);
        options.publish_proxy_enabled = true;
    };
    with(proxy, "ns:a", |rules| {
        let ask = Ok(Verdict::AskBackend(ProxyKind::Publish));
        assert_eq!(rules.may_publish(&INSECURE), ask);
    });
}

#[test]
fn presence_and_history_are_there_before_they_are_allowed() {
    let subscribed = Caller {
        is_subscribed: true,
        ..USER
    };
    let granted = |options: &mut Options| {
        options.allow_presence_for_client = true;
        options.allow_history_for_client = true;
    };
    with(granted, "ns:a", |rules| {
        for caller in [USER, INSECURE] {
            assert_eq!(rules.may_presence(&caller), Err(Error::NOT_AVAILABLE));
            assert_eq!(rules.may_history(&caller), Err(Error::NOT_AVAILABLE));
        }
    });
    let on = |options: &mut Options| {
        options.presence = true;
        options.history_size = 10;
        options.history_ttl = Millis::from_secs(60);
    };
    with(on, "ns:a", |rules| {
        assert_eq!(rules.may_presence(&subscribed), Err(DENIED));
        assert_eq!(rules.may_history(&subscribed), Err(DENIED));
        assert_eq!(rules.may_presence(&INSECURE), Ok(()));
        assert_eq!(rules.may_history(&INSECURE), Ok(()));
    });
    let presence = move |options: &mut Options| {
        on(options);
        options.allow_presence_for_subscriber = true;
        options.allow_presence_for_anonymous = true;
    };
    with(presence, "ns:a", |rules| {
        assert_eq!(rules.may_presence(&subscribed), Ok(()));
        assert_eq!(rules.may_presence(&subscribed.anonymous()), Ok(()));
        assert_eq!(rules.may_presence(&USER), Err(DENIED));
        assert_eq!(rules.may_history(&subscribed), Err(DENIED));
    });
    let history = move |options: &mut Options| {
        on(options);
        options.allow_history_for_client = true;
    };
    with(history, "ns:a", |rules| {
        assert_eq!(rules.may_history(&USER), Ok(()));
        assert_eq!(rules.may_history(&ANONYMOUS), Err(DENIED));
        assert_eq!(rules.may_presence(&USER), Err(DENIED));
    });
}

#[test]
fn filters_need_the_option() {
    let node = FilterNode {
        key: "t".into(),
        cmp: "ex".into(),
        ..FilterNode::default()
    };
    with(
        |_| {},
        "ns:a",
        |rules| {
            assert_eq!(rules.compile_filter(&node).err(), Some(Error::BAD_REQUEST));
        },
    );
    with(
        |options| options.allow_tags_filter = true,
        "ns:a",
        |rules| {
            assert!(rules.compile_filter(&node).is_ok());
            let empty = rules.compile_filter(&FilterNode::default());
            assert_eq!(empty.err(), Some(Error::BAD_REQUEST));
        },
    );
}

#[test]
fn length_is_for_the_policy() {
    let channel = Channel {
        max_length: Limit(5),
        ..Channel::default()
    };
    let policy = Policy::new(&channel, &Client::default(), &Rpc::default()).unwrap();
    assert_eq!(policy.check_length("12345"), Ok(()));
    assert_eq!(policy.check_length("123456"), Err(Error::BAD_REQUEST));
    assert_eq!(policy.resolve("123456").unwrap().check_name(), Ok(()));
}

impl Caller<'_> {
    const fn anonymous(self) -> Self {
        Self { user: "", ..self }
    }
}

/// Shows `check` the rules of `channel` where the namespace `ns` and channels without one have
/// these options.
fn with(change: impl Fn(&mut Options), channel: &str, check: impl FnOnce(Rules<'_>)) {
    let mut options = Options::default();
    change(&mut options);
    let namespace = gyre_config::channel::Namespace {
        name: "ns".into(),
        options: options.clone(),
    };
    let configured = Channel {
        without_namespace: options,
        namespaces: vec![namespace],
        ..Channel::default()
    };
    let policy = Policy::new(&configured, &Client::default(), &Rpc::default());
    let policy = policy.unwrap_or_else(|error| panic!("{error}"));
    match policy.resolve(channel) {
        Ok(rules) => check(rules),
        Err(error) => panic!("{channel}: {error:?}"),
    }
}
