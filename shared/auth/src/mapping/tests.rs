use proptest::prelude::*;

use super::*;

fn rule(key: &str, value: &str) -> ClaimRule {
    ClaimRule {
        key: key.into(),
        value: value.into(),
    }
}

const CLAIMS: &str = r#"{"role":"admin","org":{"dept":"eng","level":5},"features":["x",{"y":1}],
    "on":true,"none":null,"big":1e3,"exact":12345678901234567890,"a.b":"dotted","f":1.50}"#;

#[test]
fn meta_takes_claims_with_their_types() {
    let rules = [
        rule("role", "role"),
        rule("dept", "org.dept"),
        rule("access_level", "org.level"),
        rule("features", "features"),
        rule("second", "features.1.y"),
        rule("missing", "org.absent"),
        rule("dotted", r"a\.b"),
    ];
    let mapping = Mapping::new(&rules, &[]).unwrap();
    let meta = |own: &'static str| {
        let meta = mapping.meta(Bytes::from_static(own.as_bytes()), CLAIMS);
        serde_json::from_slice::<serde_json::Value>(&meta).unwrap()
    };
    let mut expected = serde_json::json!({
        "role": "admin", "dept": "eng", "access_level": 5, "features": ["x", {"y": 1}],
        "second": 1, "dotted": "dotted",
    });
    assert_eq!(meta(""), expected);
    assert_eq!(meta("[1,2]"), expected);
    expected["kept"] = 1.into();
    assert_eq!(meta(r#"{"kept":1,"role":"user"}"#), expected);
    // nothing found: the claim `meta` stays as it stood
    let own = Bytes::from_static(br#"{ "spaced" : 1 }"#);
    assert_eq!(mapping.meta(own.clone(), "{}"), own);
}

#[test]
fn labels_are_texts() {
    let rules = [
        rule("role", "role"),
        rule("level", "org.level"),
        rule("on", "on"),
        rule("none", "none"),
        rule("absent", "absent"),
        rule("big", "big"),
        rule("exact", "exact"),
        rule("f", "f"),
        rule("list", "features"),
    ];
    let mapping = Mapping::new(&[], &rules).unwrap();
    let mut labels = BTreeMap::from([
        ("role".to_owned(), "user".to_owned()),
        ("own".to_owned(), "1".to_owned()),
    ]);
    mapping.add_labels(&mut labels, CLAIMS);
    let expected = [
        ("big", "1000"),
        ("exact", "12345678901234567890"),
        ("f", "1.50"),
        ("level", "5"),
        ("list", r#"["x",{"y":1}]"#),
        ("on", "true"),
        ("own", "1"),
        ("role", "admin"),
    ];
    assert!(
        labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .eq(expected),
        "{labels:?}"
    );
}

#[test]
fn rules_are_checked() {
    for (key, value) in [
        ("", "a"),
        ("1a", "a"),
        ("a-b", "a"),
        ("é", "a"),
        ("a", ""),
        ("a", "a..b"),
        ("a", "a.#"),
        ("a", "a*"),
        ("a", "@this"),
        ("a", "a[0]"),
        ("a", "{a}"),
        ("a", "a?"),
        ("a", "!a"),
    ] {
        assert!(
            Mapping::new(&[rule(key, value)], &[]).is_err(),
            "{key} {value}"
        );
        assert!(
            Mapping::new(&[], &[rule(key, value)]).is_err(),
            "{key} {value}"
        );
    }
    assert!(Mapping::new(&[rule("_a1", r"a\.b\*.c")], &[]).is_ok());
}

proptest! {
    /// Whatever claims say, the meta stays JSON and the rules' names appear in it with their values.
    #[test]
    fn meta_is_always_json(text in ".{0,40}", number in any::<i64>(), own in ".{0,30}") {
        let claims = serde_json::json!({"t": text, "n": number}).to_string();
        let mapping = Mapping::new(&[rule("x", "t"), rule("y", "n")], &[]).unwrap();
        let own = serde_json::json!({"x": own, "z": own}).to_string();
        let meta = mapping.meta(Bytes::from(own), &claims);
        let meta: serde_json::Value = serde_json::from_slice(&meta).unwrap();
        prop_assert_eq!(meta["x"].as_str(), Some(text.as_str()));
        prop_assert_eq!(meta["y"].as_i64(), Some(number));
        prop_assert!(meta["z"].is_string());
    }
}
