use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gyre_config::Secret;
use gyre_config::client::SubscriptionToken;
use gyre_types::{Fault, Kind};
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::{HmacAlgorithm, Nothing, Override, TokenSubscription, sign_hmac};

const SECRET: &str = "token-secret";
const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// `{"sub":"42","exp":2000000000,"iat":1700000000,"jti":"t-1","info":{"name":"Ann","n":[1,2]},
/// "meta":{"role":"x"},"channels":["news","#42"]}`, signed by PyJWT 2.15 with [`SECRET`].
const FOREIGN: [&str; 3] = [
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJqdGkiOiJ0LTEiLCJpbmZvIjp7Im5hbWUiOiJBbm4iLCJuIjpbMSwyXX0sIm1ldGEiOnsicm9sZSI6IngifSwiY2hhbm5lbHMiOlsibmV3cyIsIiM0MiJdfQ.UtvIN7qLJck-Jg8UA3I1btKMWOjCuHNZY67pZDGHB6I",
    "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJqdGkiOiJ0LTEiLCJpbmZvIjp7Im5hbWUiOiJBbm4iLCJuIjpbMSwyXX0sIm1ldGEiOnsicm9sZSI6IngifSwiY2hhbm5lbHMiOlsibmV3cyIsIiM0MiJdfQ.EVgOK6uw0hyw4zR8sHGFPvuPy473e0S-AnPA5CQilSdImIBN3ZLMNn77wNW2Y1ti",
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMCwiaWF0IjoxNzAwMDAwMDAwLCJqdGkiOiJ0LTEiLCJpbmZvIjp7Im5hbWUiOiJBbm4iLCJuIjpbMSwyXX0sIm1ldGEiOnsicm9sZSI6IngifSwiY2hhbm5lbHMiOlsibmV3cyIsIiM0MiJdfQ.dezFsfQ5v1dpkSr8ccPXm_3F_VzC4eDVDuLtVTbVOUAriikkTumpSV45FooD8TY0VNtgq5VLJIE0Cp87TS-vrA",
];

/// `{"sub":"42","channel":"room:1","client":"c-1","b64info":"AQID","data":{"d":1},
/// "override":{"presence":{"value":true},"force_recovery":{"value":false}},"exp":2000000000}`.
const FOREIGN_SUBSCRIPTION: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiIsImNoYW5uZWwiOiJyb29tOjEiLCJjbGllbnQiOiJjLTEiLCJiNjRpbmZvIjoiQVFJRCIsImRhdGEiOnsiZCI6MX0sIm92ZXJyaWRlIjp7InByZXNlbmNlIjp7InZhbHVlIjp0cnVlfSwiZm9yY2VfcmVjb3ZlcnkiOnsidmFsdWUiOmZhbHNlfX0sImV4cCI6MjAwMDAwMDAwMH0.9H9Z41CYE6UYpMa-hbgqCZOoOdWEehNV08cUvPSJY_w";

/// `{"alg":"RS256","typ":"JWT"}` over `{"sub":"42"}`, with three bytes for a signature.
const RSA: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI0MiJ9.c2ln";

#[test]
fn tokens_of_another_library_are_read() {
    let verifier = verifier(&options());
    for token in FOREIGN {
        let claims = verifier.verify_connection(token, NOW).unwrap();
        assert_eq!(claims.user.as_str(), "42");
        assert_eq!(claims.expire_at, Some(UnixSeconds(2_000_000_000)));
        assert_eq!(claims.issued_at, Some(UnixSeconds(1_700_000_000)));
        assert_eq!(claims.token_id, "t-1");
        assert_eq!(&claims.info[..], br#"{"name":"Ann","n":[1,2]}"#);
        assert_eq!(&claims.meta[..], br#"{"role":"x"}"#);
        assert!(claims.subs.keys().eq(["#42", "news"]));
    }
    let claims = verifier
        .verify_subscription(FOREIGN_SUBSCRIPTION, NOW)
        .unwrap();
    let expected = SubscriptionClaims {
        user: UserId::new("42"),
        channel: "room:1".into(),
        client: "c-1".into(),
        expire_at: Some(UnixSeconds(2_000_000_000)),
        subscription: TokenSubscription {
            info: vec![1, 2, 3].into(),
            data: r#"{"d":1}"#.into(),
            over: Override {
                presence: Some(true),
                force_recovery: Some(false),
                ..Override::default()
            },
        },
        ..SubscriptionClaims::default()
    };
    assert_eq!(claims, expected);
}

#[test]
fn every_hmac_algorithm_signs_and_verifies() {
    use HmacAlgorithm::{Hs256, Hs384, Hs512};
    for algorithm in [Hs256, Hs384, Hs512] {
        let claims = serde_json::json!({"sub": "42"});
        let token = sign_hmac(algorithm, SECRET.as_bytes(), &claims).unwrap();
        assert_eq!(connect(&options(), &token).unwrap().user.as_str(), "42");
        let forged = sign_hmac(algorithm, b"other", &claims).unwrap();
        assert!(is_reason(connect(&options(), &forged), |reason| {
            matches!(reason, Reason::Signature)
        }));
    }
}

#[test]
fn the_header_cannot_choose_a_weaker_check() {
    let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"42"}"#);
    let with_header = |header: &str, signature: &str| {
        let token = format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(header));
        let Err(TokenError::Invalid { reason }) = connect(&options(), &token) else {
            panic!("accepted: {header}");
        };
        reason.to_string()
    };
    for name in ["none", "None", "NONE", "nOnE", "HS1", "hs256", ""] {
        let header = format!(r#"{{"alg":"{name}"}}"#);
        assert_eq!(
            with_header(&header, ""),
            format!("algorithm {name} is not supported")
        );
    }
    // an empty signature, and the right one under another name
    assert_eq!(
        with_header(r#"{"alg":"HS256"}"#, ""),
        "signature does not match"
    );
    let (signed, signature) = FOREIGN[0].rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS512","typ":"JWT"}"#);
    let renamed = format!("{header}.{claims}.{signature}");
    assert!(is_reason(connect(&options(), &renamed), |reason| {
        matches!(reason, Reason::Signature)
    }));
    // what must be understood is not
    let critical = with_header(r#"{"alg":"HS256","crit":["exp"]}"#, "");
    assert_eq!(critical, "header has critical extensions");
    let long = with_header(&format!(r#"{{"alg":"{}"}}"#, "é".repeat(99)), "");
    assert_eq!(
        long,
        format!("algorithm {} is not supported", "é".repeat(32))
    );
}

#[test]
fn an_algorithm_without_a_key_is_named() {
    let no_key = |options: &Token, token: &str, algorithm: &str| {
        assert!(
            is_reason(connect(options, token), |reason| {
                matches!(reason, Reason::NoKey { name } if name == algorithm)
            }),
            "{algorithm}"
        );
    };
    no_key(&options(), RSA, "RS256");
    no_key(&Token::default(), FOREIGN[0], "HS256");
    // signed with the empty text, which is no secret
    let empty = sign_hmac(HmacAlgorithm::Hs256, b"", &serde_json::json!({})).unwrap();
    no_key(&Token::default(), &empty, "HS256");
    // a key set replaces the secrets
    let key_set = Token {
        jwks_public_endpoint: "https://keys.example/jwks".into(),
        ..options()
    };
    no_key(&key_set, FOREIGN[0], "HS256");
}

#[test]
fn a_previous_secret_counts_until_its_time() {
    let at = |valid_until, hmac_secret_key: &str| Token {
        hmac_secret_key: Secret::new(hmac_secret_key),
        hmac_previous_secret_key: Secret::new(SECRET),
        hmac_previous_secret_key_valid_until: valid_until,
        ..Token::default()
    };
    for current in ["new", ""] {
        assert!(connect(&at(0, current), FOREIGN[0]).is_ok(), "no end");
        assert!(
            connect(&at(NOW.0, current), FOREIGN[0]).is_ok(),
            "last second"
        );
        assert!(
            connect(&at(NOW.0 - 1, current), FOREIGN[0]).is_err(),
            "over"
        );
    }
    let current = sign_hmac(HmacAlgorithm::Hs256, b"new", &serde_json::json!({})).unwrap();
    assert!(connect(&at(1, "new"), &current).is_ok());
}

#[test]
fn a_skipped_signature_leaves_the_other_rules() {
    let skip = Client {
        token: Token {
            issuer: "us".into(),
            ..Token::default()
        },
        insecure_skip_token_signature_verify: true,
        ..Client::default()
    };
    let skip = Verifier::new(&skip, &Nothing).unwrap();
    let connect = |token: &str| skip.verify_connection(token, NOW);
    let unsigned = |claims: &str| format!("e30.{}.", URL_SAFE_NO_PAD.encode(claims));
    let accepted = connect(&unsigned(r#"{"sub":"42","iss":"us"}"#)).unwrap();
    assert_eq!(accepted.user.as_str(), "42");
    assert!(is_reason(connect(&unsigned(r#"{"sub":"42"}"#)), |reason| {
        matches!(reason, Reason::Issuer)
    }));
    let expired = unsigned(r#"{"iss":"us","exp":1}"#);
    assert!(matches!(connect(&expired), Err(TokenError::Expired)));
}

#[test]
fn time_is_checked_to_the_second_and_after_the_signature() {
    let now = NOW.0;
    for (claims, is_valid) in [
        (format!(r#"{{"exp":{}}}"#, now + 1), true),
        (format!(r#"{{"exp":{now}}}"#), false),
        (format!(r#"{{"exp":{}}}"#, now - 1), false),
        (format!(r#"{{"exp":{}.9}}"#, now + 1), true),
        (format!(r#"{{"exp":{now}.9}}"#), false),
        (r#"{"exp":0}"#.into(), false),
        (r#"{"exp":-5}"#.into(), false),
        (r#"{"exp":1e300}"#.into(), true),
        (r#"{"exp":18446744073709551615}"#.into(), true),
        (r#"{"exp":null}"#.into(), true),
        (format!(r#"{{"nbf":{now}}}"#), true),
        (format!(r#"{{"nbf":{}}}"#, now + 1), false),
        (format!(r#"{{"exp":{},"nbf":{}}}"#, now + 9, now - 9), true),
    ] {
        match connect(&options(), &signed(&claims)) {
            Ok(_) => assert!(is_valid, "{claims}"),
            Err(TokenError::Expired) => assert!(!is_valid, "{claims}"),
            Err(error) => panic!("{claims}: {error}"),
        }
    }
    let expired = serde_json::json!({"exp": 1});
    let forged = sign_hmac(HmacAlgorithm::Hs256, b"other", &expired).unwrap();
    assert!(is_reason(connect(&options(), &forged), |reason| {
        matches!(reason, Reason::Signature)
    }));
}

#[test]
fn expire_at_alone_decides_where_it_is_given() {
    for (claims, expected) in [
        (r#"{}"#, None),
        (r#"{"exp":1900000000}"#, Some(1_900_000_000)),
        (
            r#"{"exp":1900000000,"expire_at":1950000000}"#,
            Some(1_950_000_000),
        ),
        (r#"{"exp":1900000000,"expire_at":5}"#, Some(5)),
        (r#"{"exp":1900000000,"expire_at":0}"#, None),
        (r#"{"exp":1900000000,"expire_at":-1}"#, None),
        (
            r#"{"exp":1900000000,"expire_at":null}"#,
            Some(1_900_000_000),
        ),
    ] {
        let connection = connect(&options(), &signed(claims)).unwrap();
        assert_eq!(connection.expire_at, expected.map(UnixSeconds), "{claims}");
        let claims = claims
            .replacen('{', r#"{"channel":"c","#, 1)
            .replace(",}", "}");
        let subscription = subscribe(&options(), &signed(&claims)).unwrap();
        assert_eq!(
            subscription.expire_at,
            expected.map(UnixSeconds),
            "{claims}"
        );
    }
}

#[test]
fn audience_and_issuer_must_fit() {
    let exact = Token {
        audience: "suite".into(),
        issuer: "us".into(),
        ..options()
    };
    let pattern = Token {
        audience_regex: "^su".into(),
        issuer_regex: "s$".into(),
        ..options()
    };
    for expectations in [&exact, &pattern] {
        for (claims, fits) in [
            (r#"{"aud":"suite","iss":"us"}"#, true),
            (r#"{"aud":["other","suite"],"iss":"us"}"#, true),
            (r#"{"aud":["other"],"iss":"us"}"#, false),
            (r#"{"aud":[],"iss":"us"}"#, false),
            (r#"{"aud":"other","iss":"us"}"#, false),
            (r#"{"aud":"suite","iss":"them"}"#, false),
            (r#"{"aud":"suite"}"#, false),
            (r#"{"iss":"us"}"#, false),
            (r#"{"aud":null,"iss":"us"}"#, false),
        ] {
            let result = connect(expectations, &signed(claims));
            assert_eq!(result.is_ok(), fits, "{claims}");
            assert!(connect(&options(), &signed(claims)).is_ok(), "{claims}");
        }
    }
    // a token for somebody else is invalid, not expired
    let stale = signed(r#"{"aud":"other","exp":1}"#);
    assert!(is_reason(connect(&exact, &stale), |reason| matches!(
        reason,
        Reason::Audience
    )));
}

#[test]
fn the_user_comes_from_the_configured_claim() {
    let custom = Token {
        user_id_claim: "uid".into(),
        ..options()
    };
    let user = |options: &Token, claims: &str| {
        let claims = connect(options, &signed(claims));
        claims.map(|claims| claims.user.as_str().to_owned()).ok()
    };
    assert_eq!(user(&options(), "{}").as_deref(), Some(""));
    assert_eq!(user(&options(), r#"{"sub":null}"#).as_deref(), Some(""));
    assert_eq!(
        user(&options(), r#"{"sub":"a\"é","uid":"b"}"#).as_deref(),
        Some("a\"é")
    );
    assert_eq!(
        user(&options(), r#"{"sub":42}"#),
        None,
        "the standard makes sub a text"
    );
    assert_eq!(
        user(&custom, r#"{"sub":"a","uid":"b"}"#).as_deref(),
        Some("b")
    );
    assert_eq!(user(&custom, r#"{"sub":"a"}"#).as_deref(), Some(""));
    assert_eq!(
        user(&custom, r#"{"sub":1,"uid":42}"#).as_deref(),
        Some("42")
    );
    assert_eq!(user(&custom, r#"{"uid":[]}"#), None);
}

#[test]
fn each_kind_of_token_serves_its_own_purpose() {
    let bound = signed(r#"{"sub":"42","channel":"c"}"#);
    assert!(is_reason(connect(&options(), &bound), |reason| {
        matches!(reason, Reason::NamesChannel)
    }));
    assert!(connect(&options(), &signed(r#"{"channel":""}"#)).is_ok());
    for claims in [
        r#"{"sub":"42"}"#,
        r#"{"channel":""}"#,
        r#"{"channel":null,"exp":1}"#,
    ] {
        assert!(
            is_reason(subscribe(&options(), &signed(claims)), |reason| {
                matches!(reason, Reason::NamesNoChannel)
            }),
            "{claims}"
        );
    }
    let expired = signed(r#"{"sub":"42","channel":"c","exp":1}"#);
    assert!(matches!(
        subscribe(&options(), &expired),
        Err(TokenError::Expired)
    ));
}

#[test]
fn subscription_tokens_may_have_options_of_their_own() {
    let own = |enabled| {
        let options = Client {
            token: Token {
                user_id_claim: "uid".into(),
                ..options()
            },
            subscription_token: SubscriptionToken {
                enabled,
                token: Token {
                    hmac_secret_key: Secret::new("sub-secret"),
                    ..Token::default()
                },
            },
            ..Client::default()
        };
        Verifier::new(&options, &Nothing).unwrap()
    };
    let verifier = own(true);
    let claims = serde_json::json!({"sub": "42", "channel": "c"});
    let token = sign_hmac(HmacAlgorithm::Hs256, b"sub-secret", &claims).unwrap();
    assert_eq!(
        verifier
            .verify_subscription(&token, NOW)
            .unwrap()
            .user
            .as_str(),
        "42"
    );
    assert!(
        verifier
            .verify_subscription(FOREIGN_SUBSCRIPTION, NOW)
            .is_err()
    );
    assert!(verifier.verify_connection(FOREIGN[0], NOW).is_ok());
    let common = own(false);
    assert!(common.verify_subscription(&token, NOW).is_err());
    assert!(
        common
            .verify_subscription(FOREIGN_SUBSCRIPTION, NOW)
            .is_ok()
    );
}

#[test]
fn payloads_are_kept_byte_for_byte() {
    let claims = r#"{ "info" : { "n":1.50,
        "z": "\u00e9" } , "meta":[ 1,2 ],
        "subs":{"a":{"info":  "i","data":{"b": 1 ,"b":2}},"b":null,"c":{"b64info":"aQ==","info":1,"b64data":"ZA=="}}}"#;
    let claims = connect(&options(), &signed(claims)).unwrap();
    assert_eq!(
        &claims.info[..],
        b"{ \"n\":1.50,\n        \"z\": \"\\u00e9\" }"
    );
    assert_eq!(&claims.meta[..], b"[ 1,2 ]");
    assert_eq!(&claims.subs["a"].info[..], br#""i""#);
    assert_eq!(&claims.subs["a"].data[..], br#"{"b": 1 ,"b":2}"#);
    assert_eq!(claims.subs["b"], TokenSubscription::default());
    assert_eq!(
        (&claims.subs["c"].info[..], &claims.subs["c"].data[..]),
        (&b"i"[..], &b"d"[..])
    );
    // an empty base64 text and null are nothing
    let claims = connect(
        &options(),
        &signed(r#"{"info":7,"b64info":"","meta":null}"#),
    )
    .unwrap();
    assert_eq!((&claims.info[..], claims.meta.len()), (&b"7"[..], 0));
    let claims = connect(&options(), &signed(r#"{"info":7,"b64info":"/+8="}"#)).unwrap();
    assert_eq!(&claims.info[..], b"\xff\xef");
}

#[test]
fn bad_base64_makes_a_token_invalid() {
    for claims in [
        r#"{"b64info":"%%%"}"#,
        r#"{"b64info":"aQ"}"#,
        r#"{"b64info":"_-8="}"#,
        r#"{"subs":{"a":{"b64info":"%"}}}"#,
        r#"{"subs":{"a":{},"b":{"b64data":"%"}}}"#,
        r#"{"channel":"c","b64info":"%"}"#,
        r#"{"channel":"c","b64data":"%"}"#,
    ] {
        let token = signed(claims);
        let error = match claims.contains("channel") {
            true => subscribe(&options(), &token).map(drop),
            false => connect(&options(), &token).map(drop),
        };
        assert!(
            is_reason(error, |reason| matches!(reason, Reason::Base64 { .. })),
            "{claims}"
        );
    }
}

#[test]
fn subs_win_over_channels() {
    let claims = r#"{"channels":["x","y","x"],"subs":{}}"#;
    let claims = connect(&options(), &signed(claims)).unwrap();
    assert!(claims.subs.keys().eq(["x", "y"]));
    let claims = r#"{"channels":["x"],"subs":{"z":{"override":{
        "presence":{"value":false},"join_leave":{"value":true},"force_push_join_leave":{},
        "force_positioning":{"value":true},"force_recovery":null}}}}"#;
    let claims = connect(&options(), &signed(claims)).unwrap();
    assert!(claims.subs.keys().eq(["z"]));
    let expected = Override {
        presence: Some(false),
        join_leave: Some(true),
        force_push_join_leave: Some(false),
        force_positioning: Some(true),
        force_recovery: None,
    };
    assert_eq!(claims.subs["z"].over, expected);
}

#[test]
fn capabilities_and_labels_are_read() {
    let claims = r#"{"caps":[{"channels":["news:*"],"match":"wildcard","allow":["sub","hst"]},{}],
        "labels":{"a":"x","n":5,"t":true,"o":{"k": [1]},"z":null}}"#;
    let claims = connect(&options(), &signed(claims)).unwrap();
    assert_eq!(claims.caps.len(), 2);
    assert_eq!(claims.caps[0].channels, ["news:*"]);
    assert_eq!(claims.caps[0].matching, "wildcard");
    assert_eq!(claims.caps[0].allow, ["sub", "hst"]);
    let labels = [
        ("a", "x"),
        ("n", "5"),
        ("o", r#"{"k": [1]}"#),
        ("t", "true"),
    ];
    assert!(
        claims
            .labels
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .eq(labels)
    );
    let token = signed(r#"{"channel":"c","allow":["pub"]}"#);
    assert_eq!(subscribe(&options(), &token).unwrap().allow, ["pub"]);
}

#[test]
fn malformed_tokens_are_invalid() {
    let token = FOREIGN[0];
    for cut in 0..token.len() {
        assert!(is_invalid(&token[..cut]), "cut at {cut}");
    }
    for text in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "invalid_token",
        "é.é.é",
        "e30.e30.",
        "W10.e30.",
        "IkhTMjU2Ig.e30.",
    ] {
        assert!(is_invalid(text), "{text}");
    }
    for extended in [
        format!("{token}="),
        format!("{token}A"),
        format!("{token}."),
        format!(" {token}"),
    ] {
        assert!(is_invalid(&extended), "{extended}");
    }
    assert!(is_invalid(&"a".repeat(1 << 20)));
    assert!(is_invalid(&".".repeat(1 << 20)));
}

#[test]
fn claims_of_wrong_types_are_invalid() {
    for claims in [
        "",
        "null",
        "[]",
        r#"["42"]"#,
        "1",
        "{",
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"exp":"1900000000"}"#,
        r#"{"exp":{}}"#,
        r#"{"exp":1e999}"#,
        r#"{"exp":NaN}"#,
        r#"{"nbf":true}"#,
        r#"{"aud":1}"#,
        r#"{"iss":[]}"#,
        r#"{"jti":1}"#,
        r#"{"channel":1}"#,
        r#"{"channels":"a"}"#,
        r#"{"channels":[1]}"#,
        r#"{"subs":[]}"#,
        r#"{"subs":{"a":1}}"#,
        r#"{"expire_at":"x"}"#,
        r#"{"subs":{"a":{"override":{"presence":true}}}}"#,
        r#"{"b64info":1}"#,
        r#"{"sub":{}}"#,
    ] {
        assert!(is_invalid(&signed(claims)), "{claims}");
    }
    let not_text = [b"{\"a\":\"".as_slice(), &[0xff, 0xfe], b"\"}"].concat();
    assert!(is_invalid(&signed_bytes(&not_text)));
}

#[test]
fn huge_claims_end_in_an_answer() {
    let deep = 100_000;
    let nested = format!(r#"{{"zzz":{}{}}}"#, "[".repeat(deep), "]".repeat(deep));
    let _either = connect(&options(), &signed(&nested));
    let info = format!(r#"{{"info":{}{}}}"#, "[".repeat(deep), "]".repeat(deep));
    let _either = connect(&options(), &signed(&info));
    let long = format!(r#"{{"sub":"{}"}}"#, "u".repeat(1 << 20));
    assert_eq!(
        connect(&options(), &signed(&long))
            .unwrap()
            .user
            .as_str()
            .len(),
        1 << 20
    );
}

#[test]
fn bad_options_are_named() {
    let broken = |token| {
        let options = Client {
            token,
            ..Client::default()
        };
        Verifier::new(&options, &Nothing).unwrap_err().to_string()
    };
    let audience = Token {
        audience_regex: "(".into(),
        ..options()
    };
    assert_eq!(
        broken(audience),
        "option audience_regex is not a regular expression"
    );
    let issuer = Token {
        issuer_regex: "[".into(),
        ..options()
    };
    assert_eq!(
        broken(issuer),
        "option issuer_regex is not a regular expression"
    );
    let user = Token {
        user_id_claim: "a..b".into(),
        ..options()
    };
    assert_eq!(
        broken(user),
        "option user_id_claim has an empty step in \"a..b\""
    );
}

#[test]
fn nothing_printed_shows_a_secret() {
    let printed = format!("{:?} {:?}", options(), verifier(&options()));
    assert!(!printed.contains(SECRET));
    let error = connect(&options(), "x").unwrap_err();
    assert_eq!(error.fault(), Kind::Caller);
}

proptest! {
    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        prop_assert!(is_invalid(&text));
    }

    #[test]
    fn any_three_parts_have_an_answer(parts in proptest::array::uniform3(any::<Vec<u8>>())) {
        let [header, claims, signature] = parts.map(|part| URL_SAFE_NO_PAD.encode(part));
        let token = format!("{header}.{claims}.{signature}");
        prop_assert!(is_invalid(&token));
    }

    #[test]
    fn any_signed_bytes_have_an_answer(claims in any::<Vec<u8>>()) {
        let _either = connect(&options(), &signed_bytes(&claims));
        let _either = subscribe(&options(), &signed_bytes(&claims));
    }

    #[test]
    fn one_changed_character_is_noticed(at in 0..FOREIGN[0].len(), other in "[A-Za-z0-9_-]") {
        let mut token = FOREIGN[0].to_owned();
        prop_assume!(token[at..=at] != other);
        token.replace_range(at..=at, &other);
        prop_assert!(is_invalid(&token));
    }
}

fn options() -> Token {
    Token {
        hmac_secret_key: Secret::new(SECRET),
        ..Token::default()
    }
}

fn verifier(options: &Token) -> Verifier {
    let options = Client {
        token: options.clone(),
        ..Client::default()
    };
    Verifier::new(&options, &Nothing).unwrap_or_else(|error| panic!("{error}"))
}

fn connect(options: &Token, token: &str) -> Result<ConnectionClaims, TokenError> {
    verifier(options).verify_connection(token, NOW)
}

fn subscribe(options: &Token, token: &str) -> Result<SubscriptionClaims, TokenError> {
    verifier(options).verify_subscription(token, NOW)
}

/// Whether both kinds of verification call the token invalid.
fn is_invalid(token: &str) -> bool {
    let is_invalid = |error| matches!(error, Some(TokenError::Invalid { .. }));
    is_invalid(connect(&options(), token).err()) && is_invalid(subscribe(&options(), token).err())
}

fn is_reason<T>(result: Result<T, TokenError>, matches: impl Fn(&Reason) -> bool) -> bool {
    matches!(result, Err(TokenError::Invalid { reason }) if matches(&reason))
}

/// The claims as they stand, signed; what is no JSON is signed all the same.
fn signed(claims: &str) -> String {
    match RawValue::from_string(claims.to_owned()) {
        Ok(raw) if raw.get() == claims => {
            sign_hmac(HmacAlgorithm::Hs256, SECRET.as_bytes(), &raw).unwrap_or_default()
        }
        _ => signed_bytes(claims.as_bytes()),
    }
}

fn signed_bytes(claims: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = ring::hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
