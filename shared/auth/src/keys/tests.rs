use futures_util::FutureExt as _;
use gyre_config::client::{ClaimRule, Client, Jwks, JwksProvider, SubscriptionToken};

use super::*;
use crate::testing::{Keys, Signer};
use crate::{ConnectionClaims, Verifier};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn provider(name: &str, issuer: &str, audience: &str) -> JwksProvider {
    JwksProvider {
        name: name.into(),
        enabled: true,
        endpoint: format!("https://{name}.example"),
        issuer: issuer.into(),
        audience: audience.into(),
        ..JwksProvider::default()
    }
}

fn options(providers: &[JwksProvider]) -> Client {
    Client {
        token: Token {
            jwks: Jwks {
                enabled: true,
                providers: providers.to_vec(),
            },
            hmac_secret_key: Secret::new("forgotten"),
            ..Token::default()
        },
        ..Client::default()
    }
}

fn connect(verifier: &Verifier, token: &str) -> Result<ConnectionClaims, TokenError> {
    match verifier.verify_connection(token, NOW) {
        Err(TokenError::Pending(fetch)) => {
            fetch.now_or_never().unwrap();
            verifier.verify_connection_settled(token, NOW)
        }
        verdict => verdict,
    }
}

fn refused(verifier: &Verifier, token: &str) -> String {
    match connect(verifier, token) {
        Err(TokenError::Invalid { reason }) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_goes_to_the_provider_of_its_issuer_and_audience() {
    // The ids are the same on purpose: whose key it is, the issuer decides.
    let [one, web, mobile, off] = [(); 4].map(|()| Signer::new("k"));
    let keys = Keys::default()
        .at("https://one.example", &[&one])
        .at("https://web.example", &[&web])
        .at("https://mobile.example", &[&mobile])
        .at("https://off.example", &[&off]);
    let rule = |key: &str, value: &str| ClaimRule {
        key: key.into(),
        value: value.into(),
    };
    let mapped = JwksProvider {
        meta_from_claim: vec![rule("role", "realm.role")],
        labels_from_claim: vec![rule("level", "level")],
        ..provider("mobile", "two", "m")
    };
    let disabled = JwksProvider {
        enabled: false,
        ..provider("off", "off", "")
    };
    let providers = [
        provider("one", "one", ""),
        provider("web", "two", "w"),
        mapped,
        disabled,
    ];
    let mut options = options(&providers);
    // not inherited by providers
    options.token.meta_from_claim = vec![rule("never", "sub")];
    let verifier = Verifier::new(&options, &keys).unwrap();
    let claims = |iss: &str, aud: serde_json::Value| serde_json::json!({"sub": "42", "iss": iss, "aud": aud, "level": 5, "realm": {"role": "x"}});

    let plain = connect(&verifier, &one.sign(&claims("one", "any".into()))).unwrap();
    assert_eq!((plain.user.as_str(), &plain.meta[..]), ("42", &b""[..]));
    assert!(connect(&verifier, &one.sign(&serde_json::json!({"iss": "one"}))).is_ok());
    let plain = connect(
        &verifier,
        &web.sign(&claims("two", serde_json::json!(["x", "w"]))),
    )
    .unwrap();
    assert!(plain.meta.is_empty() && plain.labels.is_empty());
    let rich = connect(&verifier, &mobile.sign(&claims("two", "m".into()))).unwrap();
    assert_eq!(&rich.meta[..], br#"{"role":"x"}"#);
    assert_eq!(rich.labels["level"], "5");

    for (signer, issuer, audience, reason) in [
        (&web, "one", "w", "signature does not match"),
        (&one, "two", "w", "signature does not match"),
        (&mobile, "two", "w", "signature does not match"),
        (&mobile, "two", "x", "audience does not match"),
        (&one, "three", "", "issuer does not match"),
        (&one, "", "", "issuer does not match"),
        (&off, "off", "", "issuer does not match"),
    ] {
        let token = signer.sign(&claims(issuer, audience.into()));
        assert_eq!(refused(&verifier, &token), reason, "{issuer} {audience}");
    }
    let no_audience = mobile.sign(&serde_json::json!({"iss": "two"}));
    assert_eq!(refused(&verifier, &no_audience), "audience does not match");
    // a secret that was left in the options opens nothing
    let secret = crate::sign_hmac(
        crate::HmacAlgorithm::Hs256,
        b"forgotten",
        &claims("one", "".into()),
    );
    assert!(refused(&verifier, &secret.unwrap()).starts_with("no key is configured"));
}

#[test]
fn providers_that_cannot_be_told_apart_are_refused() {
    let said = |providers: &[JwksProvider]| {
        Verifier::new(&options(providers), &Keys::default())
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert_eq!(
        said(&[
            provider("one", "i", "a"),
            provider("two", "i", "b"),
            provider("three", "j", "")
        ]),
        ""
    );
    for (providers, problem) in [
        (vec![provider("a", "i", "")], "needs a name"),
        (vec![provider("a-b", "i", "")], "needs a name"),
        (
            vec![provider("aa", "i", ""), provider("aa", "j", "")],
            "has the name of another",
        ),
        (vec![provider("aa", "", "")], "needs an issuer"),
        (
            vec![JwksProvider {
                endpoint: String::new(),
                ..provider("aa", "i", "")
            }],
            "needs an endpoint",
        ),
        (
            vec![provider("aa", "i", "x"), provider("bb", "i", "x")],
            "has issuer and audience of another",
        ),
        (
            vec![provider("aa", "i", "x"), provider("bb", "i", "")],
            "needs an audience",
        ),
    ] {
        assert!(
            said(&providers).contains(problem),
            "{problem}: {}",
            said(&providers)
        );
    }
    let mut both = options(&[provider("aa", "i", "")]);
    both.token.jwks_public_endpoint = "https://x.example".into();
    assert!(matches!(
        Verifier::new(&both, &Keys::default()),
        Err(SetupError::TwoSources)
    ));
}

#[test]
fn subscription_tokens_have_their_own_providers_and_no_meta() {
    let (own, other) = (Signer::new("k"), Signer::new("k"));
    let keys = Keys::default()
        .at("https://subs.example", &[&own])
        .at("https://main.example", &[&other]);
    let mut options = options(&[provider("main", "main", "")]);
    options.subscription_token = SubscriptionToken {
        enabled: true,
        token: Token {
            jwks: Jwks {
                enabled: true,
                providers: vec![provider("subs", "subs", "")],
            },
            ..Token::default()
        },
    };
    let verifier = Verifier::new(&options, &keys).unwrap();
    let subscribe = |signer: &Signer, issuer: &str| {
        let token = signer.sign(&serde_json::json!({"sub": "42", "channel": "c", "iss": issuer}));
        match verifier.verify_subscription(&token, NOW) {
            Err(TokenError::Pending(fetch)) => {
                fetch.now_or_never().unwrap();
                verifier.verify_subscription_settled(&token, NOW)
            }
            verdict => verdict,
        }
        .is_ok()
    };
    assert!(subscribe(&own, "subs"));
    assert!(!subscribe(&other, "main"));
    assert!(!subscribe(&other, "subs"));

    let rule = vec![ClaimRule {
        key: "a".into(),
        value: "b".into(),
    }];
    options
        .subscription_token
        .token
        .labels_from_claim
        .clone_from(&rule);
    let said = Verifier::new(&options, &keys).unwrap_err().to_string();
    assert_eq!(
        said,
        "option labels_from_claim is for connections' tokens only"
    );
    options.subscription_token.token.labels_from_claim.clear();
    options.subscription_token.token.jwks.providers[0].meta_from_claim = rule;
    assert!(Verifier::new(&options, &keys).is_err());
}

#[test]
fn a_dead_endpoint_refuses_nobody_for_good() {
    let signer = Signer::new("k");
    let keys = Keys::default();
    let verifier = Verifier::new(&options(&[provider("one", "one", "")]), &keys).unwrap();
    let token = signer.sign(&serde_json::json!({"iss": "one"}));
    assert!(matches!(
        connect(&verifier, &token),
        Err(TokenError::Unavailable)
    ));
    let _ = keys.at("https://one.example", &[&signer]);
    assert!(matches!(
        connect(&verifier, &token),
        Err(TokenError::Unavailable)
    ));
    let later = UnixSeconds(NOW.0 + 60);
    let Err(TokenError::Pending(fetch)) = verifier.verify_connection(&token, later) else {
        panic!("no fetch");
    };
    fetch.now_or_never().unwrap();
    assert!(verifier.verify_connection_settled(&token, later).is_ok());
    // the key is here: nothing to wait for
    assert!(verifier.verify_connection(&token, later).is_ok());
}

#[test]
fn a_static_key_is_text_or_base64_or_a_file_and_nothing_else() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../../tests/tokens/vectors.json")).unwrap();
    let of =
        |source: &str, option: &str| vectors["keys"][source][option].as_str().unwrap().to_owned();
    let (rsa, ecdsa) = (of("rsa", "rsa_public_key"), of("p256", "ecdsa_public_key"));
    let new = |rsa: &str, ecdsa: &str, files: &Keys| {
        let options = Token {
            rsa_public_key: rsa.into(),
            ecdsa_public_key: ecdsa.into(),
            ..Token::default()
        };
        FixedKeys::new(&options, files)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let none = Keys::default();
    assert_eq!(new(&rsa, &ecdsa, &none), Ok(()));
    assert_eq!(
        new(&rsa.replace('\n', "\\n"), &format!(" {ecdsa}\n"), &none),
        Ok(())
    );
    let file = Keys::default().file("/keys/rsa.pem", &rsa);
    assert_eq!(new("/keys/rsa.pem", "", &file), Ok(()));
    for (rsa, ecdsa, problem) in [
        (
            "/keys/none.pem",
            "",
            "rsa_public_key is no PEM, and no file",
        ),
        (ecdsa.as_str(), "", "expected a public key of RSA"),
        ("", rsa.as_str(), "expected a public key of ECDSA"),
        (
            "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----",
            "",
            "expected PEM with a public key",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----",
            "",
            "expected a public key of RSA",
        ),
    ] {
        let said = new(rsa, ecdsa, &none).unwrap_err();
        assert!(said.contains(problem), "{said}");
    }
    // 1024 bits
    let short = "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCpYhoAS7XMTxdW4FNihR7SCeOm\ne+LFv+/ScWusU0YgHYV+9U6NSdEfL2/9hetG1SRS9jfR0y4OZ9wwdDiirSR9LqKg\nIyDfYZ2qWgPzE8xGARWnqrl3iRg9i/81l5fVy7dreWbG3wVnxKRC8JgsS9J8WWv1\nUH6KrHmbVX5AFc9HIQIDAQAB\n-----END PUBLIC KEY-----";
    assert!(new(short, "", &none).unwrap_err().contains("2048 bits"));
}
