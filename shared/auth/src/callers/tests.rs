use super::*;
use crate::testing::{Keys, Signer};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn verify(rules: &CallerRules, claims: &serde_json::Value) -> Result<(), String> {
    let signer = Signer::new("k");
    let keys = Keys::of(&[&signer]);
    let verifier = CallerVerifier::new(rules.clone(), Arc::new(keys));
    let token = signer.sign(claims);
    let verdict = match verifier.verify(&token, NOW) {
        Err(TokenError::Pending(fetch)) => {
            futures_util::FutureExt::now_or_never(fetch).unwrap();
            verifier.verify_settled(&token, NOW)
        }
        verdict => verdict,
    };
    verdict.map_err(|error| match error {
        TokenError::Invalid { reason } => reason.to_string(),
        other @ (TokenError::Expired | TokenError::Pending(_) | TokenError::Unavailable) => {
            other.to_string()
        }
    })
}

#[test]
fn a_caller_must_say_what_is_asked_for() {
    let any = CallerRules::default();
    let strict = CallerRules {
        audience: "api".into(),
        issuer: "us".into(),
        scope: "push".into(),
        ..CallerRules::default()
    };
    let later = NOW.0 + 60;
    let claims = |aud: &str, iss: &str, scope: &str| {
        serde_json::from_str::<serde_json::Value>(&format!(
            r#"{{"exp":{later},"aud":{aud},"iss":{iss},"scope":{scope}}}"#
        ))
        .unwrap()
    };
    let good = claims(r#""api""#, r#""us""#, r#""push""#);
    assert_eq!(verify(&any, &serde_json::json!({"exp": later})), Ok(()));
    assert_eq!(verify(&any, &good), Ok(()));
    assert_eq!(verify(&strict, &good), Ok(()));
    for (aud, iss, scope, verdict) in [
        (r#"["x","api"]"#, r#""us""#, r#""pull push""#, Ok(())),
        (r#""api""#, r#""us""#, r#"["pull","push"]"#, Ok(())),
        (
            r#""apis""#,
            r#""us""#,
            r#""push""#,
            Err("audience does not match"),
        ),
        (
            "null",
            r#""us""#,
            r#""push""#,
            Err("audience does not match"),
        ),
        (
            r#""api""#,
            r#""them""#,
            r#""push""#,
            Err("issuer does not match"),
        ),
        (
            r#""api""#,
            "null",
            r#""push""#,
            Err("issuer does not match"),
        ),
        (
            r#""api""#,
            r#""us""#,
            r#""pushy pull""#,
            Err("scope does not match"),
        ),
        (r#""api""#, r#""us""#, "null", Err("scope does not match")),
    ] {
        let verdict = verdict.map_err(str::to_owned);
        assert_eq!(
            verify(&strict, &claims(aud, iss, scope)),
            verdict,
            "{aud} {iss} {scope}"
        );
    }
}

#[test]
fn clocks_may_differ_by_half_a_minute() {
    let any = CallerRules::default();
    let late = Err("token is out of its time".to_owned());
    for (claims, verdict) in [
        (serde_json::json!({"exp": NOW.0 - SKEW_SECS + 1}), Ok(())),
        (serde_json::json!({"exp": NOW.0 - SKEW_SECS}), late.clone()),
        (
            serde_json::json!({"exp": NOW.0 + 9, "nbf": NOW.0 + SKEW_SECS}),
            Ok(()),
        ),
        (
            serde_json::json!({"exp": NOW.0 + 9, "nbf": NOW.0 + SKEW_SECS + 1}),
            late.clone(),
        ),
        (serde_json::json!({"exp": i64::MIN}), late),
        (
            serde_json::json!({"exp": i64::MAX, "nbf": i64::MIN}),
            Ok(()),
        ),
        (serde_json::json!({}), Err("token never expires".to_owned())),
    ] {
        assert_eq!(verify(&any, &claims), verdict, "{claims}");
    }
}

#[test]
fn strangers_and_secrets_are_refused() {
    let (known, stranger) = (Signer::new("k"), Signer::new("k"));
    let verifier = CallerVerifier::new(CallerRules::default(), Arc::new(Keys::of(&[&known])));
    let claims = serde_json::json!({"exp": NOW.0 + 60});
    let Err(TokenError::Pending(fetch)) = verifier.verify(&known.sign(&claims), NOW) else {
        panic!("no fetch");
    };
    futures_util::FutureExt::now_or_never(fetch).unwrap();
    assert!(verifier.verify(&known.sign(&claims), NOW).is_ok());
    let secret = crate::sign_hmac(crate::HmacAlgorithm::Hs256, b"k", &claims).unwrap();
    for token in [
        stranger.sign(&claims),
        secret,
        String::new(),
        "a.b.c".to_owned(),
    ] {
        let verdict = verifier.verify(&token, NOW);
        assert!(
            matches!(verdict, Err(TokenError::Invalid { .. })),
            "{token}: {verdict:?}"
        );
    }
}
