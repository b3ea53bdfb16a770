//! Tokens of other libraries, good and bad, by every source of keys.
//!
//! `tests/tokens/generate.py` makes them.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]
#![expect(unused_crate_dependencies, reason = "those of the library's own tests")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt as _;
use gyre_auth::{ConnectionClaims, FetchKeys, Fetching, Outside, TokenError, Verifier};
use gyre_config::Secret;
use gyre_config::client::{Client, Token};
use gyre_config::tls::Tls;
use gyre_types::UnixSeconds;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct File {
    now: i64,
    keys: BTreeMap<String, Source>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(default)]
    hmac_secret_key: String,
    #[serde(default)]
    rsa_public_key: String,
    #[serde(default)]
    ecdsa_public_key: String,
    jwks: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    by: String,
    token: String,
    expect: BTreeMap<String, String>,
}

/// A key set that answers at once.
#[derive(Clone, Debug)]
struct AtOnce(String);

impl FetchKeys for AtOnce {
    fn fetch(&self, _url: &str, _bytes_max: usize) -> Fetching {
        let answer = self.0.clone().into_bytes();
        Box::pin(async { Ok(answer) })
    }
}

impl Outside for AtOnce {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn fetcher(&self, _tls: &Tls) -> Result<Arc<dyn FetchKeys>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(self.clone()))
    }
}

#[test]
fn every_token_is_judged_as_it_must_be() {
    let file: File =
        serde_json::from_str(include_str!("../../../tests/tokens/vectors.json")).unwrap();
    let now = UnixSeconds(file.now);
    let mut accepted = 0;
    for Vector {
        name,
        by,
        token,
        expect,
    } in &file.vectors
    {
        for (source, expected) in expect {
            let verdict = match verify(&verifier(&file.keys[source]), token, now) {
                Ok(claims) => claims.user.as_str().to_owned(),
                Err(TokenError::Expired) => "expired".to_owned(),
                Err(TokenError::Invalid { .. }) => "invalid".to_owned(),
                Err(other) => panic!("{name} by {by}, {source}: {other:?}"),
            };
            assert_eq!(verdict, *expected, "{name} by {by}, keys of {source}");
            accepted += usize::from(verdict == "42");
        }
    }
    // Both libraries, every algorithm: 3 of HMAC, 6 of RSA, 2 of ECDSA, EdDSA, in all their places.
    assert!(accepted >= 2 * (3 * 2 + 6 * 5 + 3 + 2 + 1), "{accepted}");
}

fn verifier(source: &Source) -> Verifier {
    let mut client = Client {
        token: Token {
            hmac_secret_key: Secret::new(&source.hmac_secret_key),
            rsa_public_key: source.rsa_public_key.clone(),
            ecdsa_public_key: source.ecdsa_public_key.clone(),
            ..Token::default()
        },
        ..Client::default()
    };
    let set = source.jwks.as_ref().map(|set| set.get().to_owned());
    if set.is_some() {
        client.token.jwks_public_endpoint = "https://keys.example/jwks".into();
    }
    Verifier::new(&client, &AtOnce(set.unwrap_or_default())).unwrap()
}

fn verify(
    verifier: &Verifier,
    token: &str,
    now: UnixSeconds,
) -> Result<ConnectionClaims, TokenError> {
    match verifier.verify_connection(token, now) {
        Err(TokenError::Pending(fetch)) => {
            fetch.now_or_never().unwrap();
            verifier.verify_connection_settled(token, now)
        }
        verdict => verdict,
    }
}
