use super::*;
use crate::capabilities::Rights;

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
const EVERYTHING: Wish = Wish {
    positioned: true,
    recoverable: true,
    join_leave: true,
    delta: true,
};

#[test]
fn nothing_configured_and_nothing_asked_is_nothing() {
    let plain = SubscriptionOptions {
        presence: false,
        join_leave: false,
        push_join_leave: false,
        positioning: false,
        recovery: false,
        mode: Mode::Stream,
        auto_cache_recover: false,
        delta: false,
        refresh: RefreshedBy::Client,
    };
    let namespace = Options::default();
    assert_eq!(granted(&namespace, Wish::default(), USER), plain);
    assert_eq!(granted(&namespace, EVERYTHING, USER), plain);
    assert_eq!(granted(&namespace, Wish::default(), INSECURE), plain);
}

#[test]
fn what_is_forced_needs_no_asking() {
    let namespace = Options {
        presence: true,
        join_leave: true,
        force_push_join_leave: true,
        force_positioning: true,
        ..Options::default()
    };
    let found = granted(&namespace, Wish::default(), ANONYMOUS);
    assert!(found.presence && found.join_leave && found.push_join_leave && found.positioning);
    assert!(!found.recovery);
    let namespace = Options {
        force_recovery: true,
        ..Options::default()
    };
    let found = granted(&namespace, Wish::default(), ANONYMOUS);
    assert!(
        found.recovery && found.positioning,
        "recovery includes positioning"
    );
}

#[test]
fn positioning_and_recovery_are_granted_by_option_or_by_history() {
    let allow_positioning = Options {
        allow_positioning: true,
        ..Options::default()
    };
    let allow_recovery = Options {
        allow_recovery: true,
        ..Options::default()
    };
    let for_subscriber = Options {
        allow_history_for_subscriber: true,
        ..Options::default()
    };
    let for_all = Options {
        allow_history_for_anonymous: true,
        ..for_subscriber.clone()
    };
    // positioning, recovery
    for (namespace, caller, expected) in [
        (Options::default(), USER, (false, false)),
        (Options::default(), INSECURE, (true, true)),
        (allow_positioning, ANONYMOUS, (true, false)),
        (allow_recovery, ANONYMOUS, (true, true)),
        (for_subscriber.clone(), USER, (true, true)),
        (for_subscriber, ANONYMOUS, (false, false)),
        (for_all, ANONYMOUS, (true, true)),
    ] {
        let found = granted(&namespace, EVERYTHING, caller);
        assert_eq!((found.positioning, found.recovery), expected, "{caller:?}");
        let unasked = granted(&namespace, Wish::default(), caller);
        assert_eq!((unasked.positioning, unasked.recovery), (false, false));
    }
}

#[test]
fn joins_are_told_to_those_who_may_see_presence() {
    let emits = Options {
        join_leave: true,
        ..Options::default()
    };
    let readable = Options {
        allow_presence_for_subscriber: true,
        ..emits.clone()
    };
    let silent = Options {
        allow_presence_for_subscriber: true,
        ..Options::default()
    };
    for (namespace, caller, expected) in [
        (&emits, USER, false),
        (&emits, INSECURE, true),
        (&readable, USER, true),
        (&readable, ANONYMOUS, false),
        (&silent, USER, false),
        (&silent, INSECURE, false),
    ] {
        assert_eq!(
            granted(namespace, EVERYTHING, caller).push_join_leave,
            expected
        );
        assert!(!granted(namespace, Wish::default(), caller).push_join_leave);
    }
}

#[test]
fn a_token_replaces_what_the_namespace_says() {
    let on = Override {
        presence: Some(true),
        join_leave: Some(true),
        force_push_join_leave: Some(true),
        force_positioning: Some(true),
        force_recovery: Some(true),
    };
    let found = options(&Options::default(), &Wish::default(), &ANONYMOUS, &on);
    assert!(found.presence && found.join_leave && found.push_join_leave);
    assert!(found.positioning && found.recovery);

    let namespace = Options {
        presence: true,
        join_leave: true,
        force_push_join_leave: true,
        force_positioning: true,
        force_recovery: true,
        ..Options::default()
    };
    let off = Override {
        presence: Some(false),
        join_leave: Some(false),
        force_push_join_leave: Some(false),
        force_positioning: Some(false),
        force_recovery: Some(false),
    };
    let found = options(&namespace, &Wish::default(), &USER, &off);
    assert!(!found.presence && !found.join_leave && !found.push_join_leave);
    assert!(!found.positioning && !found.recovery);

    let only_recovery = Override {
        force_recovery: Some(false),
        ..Override::default()
    };
    let found = options(&namespace, &Wish::default(), &USER, &only_recovery);
    assert!(!found.recovery && found.positioning && found.presence);

    // what is allowed to be asked for stays allowed
    let asked = options(&namespace, &EVERYTHING, &INSECURE, &off);
    assert!(asked.recovery && asked.push_join_leave);
}

#[test]
fn delta_cache_and_refresh_are_the_namespaces() {
    let namespace = Options {
        allowed_delta_types: vec![DeltaType::Fossil],
        force_recovery_mode: Mode::Cache,
        auto_cache_recover: true,
        sub_refresh_proxy_enabled: true,
        ..Options::default()
    };
    let found = granted(&namespace, EVERYTHING, USER);
    assert!(found.delta && found.auto_cache_recover);
    assert_eq!(
        (found.mode, found.refresh),
        (Mode::Cache, RefreshedBy::Backend)
    );
    assert!(!granted(&namespace, Wish::default(), USER).delta);
    let stream = Options {
        force_recovery_mode: Mode::Stream,
        ..namespace
    };
    assert!(!granted(&stream, EVERYTHING, USER).auto_cache_recover);
}

fn granted(namespace: &Options, wish: Wish, caller: Caller<'_>) -> SubscriptionOptions {
    options(namespace, &wish, &caller, &Override::default())
}
