use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn holds(text: &str) -> Result<bool, BadExpression> {
    let labels = BTreeMap::from([("plan".to_owned(), "free".to_owned())]);
    let facts = Facts {
        user: "ann",
        client: "c1",
        meta: br#"{"level":7,"roles":["admin"],"share":0.5,"none":null,"ok":true}"#,
        labels: &labels,
        channels: &["news", "chat:1"],
        transport: "websocket",
        protocol: "json",
        app_name: "web",
        app_version: "1.2",
        connected_at: 1_700_000_000_000,
    };
    Ok(Expression::compile(text)?.evaluator().holds(&facts))
}

#[test]
fn every_name_means_something() {
    for text in [
        "true",
        "user == 'ann' && client == \"c1\"",
        "meta.level > 3 && meta.level <= 7 && meta['share'] < 1.0",
        "'admin' in meta.roles",
        "meta.ok",
        "meta.none == null",
        "labels.plan == 'free' || labels.plan == 'pro'",
        "'plan' in labels && !('region' in labels)",
        "has(labels.plan) && !has(labels.region)",
        "'news' in channels && size(channels) == 2",
        "channels.exists(c, c.startsWith('chat:'))",
        "channels.filter(c, c != user).all(c, size(c) > 3)",
        "transport == 'websocket' && protocol == 'json'",
        "app_name.contains('we') && app_version.endsWith('.2')",
        "connected_at > 1600000000000 && connected_at % 2 == 0",
        "user in ['ann', 'bob'] ? true : false",
    ] {
        assert_eq!(holds(text), Ok(true), "{text}");
    }
}

#[test]
fn what_cannot_be_evaluated_does_not_hold() {
    for text in [
        "false",
        "labels.region == 'eu'",
        "meta.roles > 3",
        "meta.nothing.at.all",
        "channels[7] == 'x'",
        "meta.level / 0 == 1",
        "meta.level",
    ] {
        assert_eq!(holds(text), Ok(false), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let said = |text: &str| holds(text).unwrap_err().to_string();
    assert_eq!(
        said("usr == 'ann'"),
        "there is no `usr`; there are user, client, meta, labels, channels, transport, protocol, \
         app_name, app_version, connected_at"
    );
    assert!(
        said("user.matches('a+')").starts_with("there is no function `matches`; there are size,")
    );
    assert_eq!(said("user"), "the expression has to be true or false");
    for text in ["1 + 1", "[user]", "{}", "'ann'", "size(user)", "null"] {
        assert_eq!(holds(text), Err(BadExpression::NotACondition), "{text}");
    }
    for text in [
        "",
        "user ==",
        "user = 'ann'",
        "user or client",
        "'",
        "(",
        "a.b.c(",
        "\u{0}",
    ] {
        let error = holds(text).unwrap_err();
        assert!(matches!(error, BadExpression::Syntax(_)), "{text}: {error}");
    }
    assert!(said("user ==").contains(" at 1:"), "{}", said("user =="));
    assert_eq!(
        holds("channels.all(c, channels.exists(d, c == d))"),
        Err(BadExpression::Nested)
    );
    assert_eq!(
        holds("channels.all(c, e == c)"),
        Err(BadExpression::UnknownName("e".to_owned()))
    );
}

/// The forms that grow deepest for their length.
fn deep(len: usize) -> Vec<String> {
    let times = |text: &str| text.repeat(len / text.len());
    vec![
        format!("{}true", times("true&&")),
        format!("{}true", times("true||")),
        format!("{}1==1", times("1+")),
        format!("{}'b'=='b'", times("'b'+")),
        format!("{}true{}", times("("), times(")")),
        format!("{}1{}==1", times("["), times("]")),
        format!("{}true", times("!")),
        format!("{}1==1", times("-")),
        format!("meta{}", times("[0]")),
        format!("meta{}", times(".a")),
        format!("{}true", times("true?true:")),
        format!("{}user{}==1", times("size("), times(")")),
        format!("{}1{}==1", times("{1:"), times("}")),
        format!("channels{}==[]", times(".filter(x,true)")),
        format!("{}1==1", times("1==")),
        times("(?[{!-"),
        times("'"),
    ]
}

#[test]
fn no_form_takes_more_than_a_part_of_a_stack() {
    // Half of what a thread of the runtime has, and nothing is optimised here.
    let run = || {
        for len in [0, 40, 100, 300, LEN_MAX / 2, LEN_MAX - 20] {
            for text in deep(len) {
                drop(holds(&text));
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    thread.spawn(run).unwrap().join().unwrap();
    assert_eq!(holds(&" ".repeat(LEN_MAX + 1)), Err(BadExpression::TooLong));
    assert_eq!(
        holds(&format!("{}1==1", "1+".repeat(100))),
        Err(BadExpression::TooComplex)
    );
    assert_eq!(
        holds(&format!("{}true", "true&&".repeat(600))),
        Err(BadExpression::TooComplex)
    );
}

/// Pieces that expressions are made of.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "user", "meta", "labels", "channels", ".a", "[", "]", "(", ")", "{", "}", "'x'", "1", "-",
        "!", "&&", "||", "==", "<", "+", "*", "/", "?", ":", ",", " in ", "has(", "size(",
        ".all(c,", ".map(c,", "c", "true", "null", "0x1u", "1e9", "b'y'", "r'", "\\", "\"", "//",
        "\n", ".", "@in",
    ])
}

proptest! {
    #[test]
    fn any_expression_is_refused_or_evaluated(pieces in prop::collection::vec(piece(), 0..60)) {
        drop(holds(&pieces.concat()));
    }

    #[test]
    fn any_text_is_refused_or_evaluated(text in "\\PC{0,200}") {
        drop(holds(&text));
    }
}
