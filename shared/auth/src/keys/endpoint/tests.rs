use proptest::prelude::*;

use super::*;
use crate::outside::Nothing;

fn options(endpoint: &str, issuer_regex: &str, audience_regex: &str) -> Token {
    Token {
        jwks_public_endpoint: endpoint.into(),
        issuer_regex: issuer_regex.into(),
        audience_regex: audience_regex.into(),
        ..Token::default()
    }
}

fn template(options: &Token) -> Result<Box<Template>, String> {
    match Endpoint::new(options, 3600, Arc::new(Nothing)) {
        Ok(Endpoint::Template(template)) => Ok(template),
        Ok(Endpoint::Fixed(_)) => Err("fixed".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn one(text: &str) -> Audience {
    Audience::One(text.to_owned())
}

#[test]
fn groups_fill_placeholders() {
    let options = options(
        "https://{{ host }}.example/{{realm}}/jwks?x={{host}}",
        r"^https://(?P<host>eu|us-1)\.example$",
        "^(?<realm>app|web)-[0-9]+$",
    );
    let template = template(&options).unwrap();
    let audience = Audience::Several(vec!["other".into(), "web-7".into()]);
    assert_eq!(
        template
            .url(Some("https://us-1.example"), Some(&audience))
            .unwrap(),
        "https://us-1.example/web/jwks?x=us-1"
    );
    for (issuer, audience) in [
        (None, "web-7"),
        (Some("https://asia.example"), "web-7"),
        (Some("https://eu.example"), "web"),
        (Some("https://eu.example.evil"), "web-7"),
    ] {
        assert!(
            template.url(issuer, Some(&one(audience))).is_err(),
            "{issuer:?} {audience}"
        );
    }
    assert!(template.url(Some("https://eu.example"), None).is_err());
}

#[test]
fn a_text_counts_as_it_is_listed() {
    // the flag lets the issuer be written in any case; the address must not follow
    let listed = template(&options("https://{{a}}.example", "(?i)^(?P<a>eu|us)$", "")).unwrap();
    assert_eq!(listed.url(Some("eu"), None).unwrap(), "https://eu.example");
    assert!(matches!(
        listed.url(Some("EU"), None),
        Err(Reason::Endpoint)
    ));
    // a group that takes no part
    let absent = template(&options("https://k.example/{{a}}", "^x(?P<a>eu)?$", "")).unwrap();
    assert!(matches!(absent.url(Some("x"), None), Err(Reason::Endpoint)));
}

#[test]
fn groups_must_list_their_texts() {
    let url = "https://{{a}}.example/jwks";
    for listing in [
        "(?P<a>eu)",
        "(?P<a>eu|us)",
        "x((?<a>e|u))+|y",
        r"(?P<a>a\.b|c)",
    ] {
        assert!(template(&options(url, listing, "")).is_ok(), "{listing}");
        assert!(template(&options(url, "", listing)).is_ok(), "{listing}");
    }
    for open in [
        "(?P<a>.*)",
        "(?P<a>[a-z]+)",
        "(?P<a>eu|.)",
        r"(?P<a>\w|x)",
        "(?P<a>eu*)",
        "(?P<a>)",
        "(?P<a>eu|(us|x))",
    ] {
        let refused = template(&options(url, open, "")).map(|_| ()).unwrap_err();
        assert!(refused.contains("may match any text"), "{open}: {refused}");
        let skipped = Token {
            insecure_skip_jwks_endpoint_safety_check: true,
            ..options(url, open, "")
        };
        assert!(template(&skipped).is_ok(), "{open}");
    }
    for (url, pattern) in [
        (url, ""),
        (url, "(?P<b>x)"),
        (url, "(x|y)"),
        ("https://{{a.example", "(?P<a>x)"),
        (url, "(?P<a>x"),
    ] {
        assert!(
            template(&options(url, pattern, "")).is_err(),
            "{url} {pattern}"
        );
    }
    assert_eq!(
        template(&options("https://x.example", "", ""))
            .map(|_| ())
            .unwrap_err(),
        "fixed"
    );
}

#[test]
fn addresses_are_limited_in_number() {
    let any = Token {
        insecure_skip_jwks_endpoint_safety_check: true,
        ..options("https://{{a}}.example", "^(?P<a>.*)$", "")
    };
    let template = template(&any).unwrap();
    for number in 0..10_000 {
        let url = template.url(Some(&format!("t{number}")), None).unwrap();
        assert!(template.set(url).is_some());
        assert!(template.sets.lock().len() <= SETS_MAX);
    }
}

proptest! {
    /// Without the check, too, a text can only ever stand in its place: no other host by `/`, `@`,
    /// `:`, `#` or `?`, and no way up the path.
    #[test]
    fn a_text_cannot_leave_its_place(text in ".{0,80}") {
        let any = Token {
            insecure_skip_jwks_endpoint_safety_check: true,
            ..options("https://keys.example/{{a}}/jwks", "(?s)^(?P<a>.*)$", "")
        };
        match template(&any).unwrap().url(Some(&text), None) {
            Ok(url) => {
                let inner = url.strip_prefix("https://keys.example/").unwrap().strip_suffix("/jwks").unwrap();
                prop_assert_eq!(inner, text.as_str());
                prop_assert!(!inner.contains(['/', '@', ':', '#', '?', '%', '\\']) && inner != "..");
            }
            Err(error) => prop_assert!(matches!(error, Reason::Endpoint)),
        }
    }

    /// With it, only what is listed gets through.
    #[test]
    fn only_what_is_listed_gets_through(text in "(eu|us|EU|eu2|.{0,10})") {
        let template = template(&options("https://{{a}}.example", "(?P<a>eu|us)", "")).unwrap();
        if let Ok(url) = template.url(Some(&text), None) {
            prop_assert!(url == "https://eu.example" || url == "https://us.example");
        }
    }
}
