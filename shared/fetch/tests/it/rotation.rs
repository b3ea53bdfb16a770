//! Keys that are rotated at an endpoint that dies and comes back, over real sockets.

use std::sync::Arc;

use crate::common::{Server, Site};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gyre_auth::{TokenError, Verifier};
use gyre_config::client::{Client, Token};
use gyre_fetch::World;
use gyre_types::UnixSeconds;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

/// A key of Ed25519 and its id.
struct Signer {
    id: &'static str,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Self { id, pair }
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.id, "x": x})
    }

    fn sign_as(&self, id: &str) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            part(json!({"alg": "EdDSA", "kid": id})),
            part(json!({"sub": "42"}))
        );
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn token(&self) -> String {
        self.sign_as(self.id)
    }
}

fn publish(site: &Site, signers: &[&Signer]) {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    site.put("/jwks", &json!({ "keys": keys }).to_string());
}

async fn verify(verifier: &Verifier, token: &str, second: i64) -> &'static str {
    let now = UnixSeconds(1_800_000_000 + second);
    let verdict = match verifier.verify_connection(token, now) {
        Err(TokenError::Pending(fetch)) => {
            fetch.await;
            verifier.verify_connection_settled(token, now)
        }
        verdict => verdict,
    };
    match verdict {
        Ok(_) => "accepted",
        Err(TokenError::Unavailable) => "unavailable",
        Err(_) => "refused",
    }
}

fn verifier(server: &Server) -> Verifier {
    let client = Client {
        token: Token {
            jwks_public_endpoint: format!("http://{}/jwks", server.address),
            ..Token::default()
        },
        ..Client::default()
    };
    Verifier::new(&client, &World).unwrap()
}

#[tokio::test]
async fn keys_rotate_and_the_endpoint_dies_and_returns() {
    let (old, new, newest) = (
        Signer::new("old"),
        Signer::new("new"),
        Signer::new("newest"),
    );
    let site = Arc::new(Site::default());
    publish(&site, &[&old]);
    let server = Server::start(&site).await;
    let verifier = verifier(&server);
    assert_eq!(verify(&verifier, &old.token(), 0).await, "accepted");
    assert_eq!(verify(&verifier, &new.token(), 0).await, "refused");
    assert_eq!(site.asked(), 2);

    // the new key appears, then the old one goes
    publish(&site, &[&old, &new]);
    assert_eq!(verify(&verifier, &new.token(), 60).await, "accepted");
    assert_eq!(site.asked(), 3);
    assert_eq!(verify(&verifier, &old.token(), 60).await, "accepted");
    publish(&site, &[&new]);
    assert_eq!(verify(&verifier, &old.token(), 3000).await, "accepted");
    assert_eq!(site.asked(), 3);
    assert_eq!(verify(&verifier, &old.token(), 3700).await, "refused");
    assert_eq!(verify(&verifier, &new.token(), 3700).await, "accepted");
    assert_eq!(site.asked(), 4);

    // nobody answers: what is known counts, what is not is told to come again
    let address = server.address;
    server.kill().await;
    for second in [8000, 20_000, 40_000] {
        assert_eq!(
            verify(&verifier, &new.token(), second).await,
            "accepted",
            "{second}"
        );
        assert_eq!(
            verify(&verifier, &newest.token(), second).await,
            "unavailable",
            "{second}"
        );
    }
    assert_eq!(
        verify(&verifier, &new.token(), 100_000).await,
        "unavailable"
    );

    publish(&site, &[&newest]);
    let server = Server::restart(address, &site).await;
    assert_eq!(
        verify(&verifier, &newest.token(), 100_100).await,
        "accepted"
    );
    assert_eq!(verify(&verifier, &new.token(), 100_100).await, "refused");
    drop(server);
}

#[tokio::test]
async fn random_key_ids_cannot_flood_the_endpoint() {
    let (known, stranger) = (Signer::new("known"), Signer::new("stranger"));
    let site = Arc::new(Site::default());
    publish(&site, &[&known]);
    let server = Server::start(&site).await;
    let verifier = verifier(&server);
    for number in 0..2000 {
        let token = stranger.sign_as(&format!("id-{number}"));
        assert_ne!(verify(&verifier, &token, number / 100).await, "accepted");
        assert_eq!(
            verify(&verifier, &known.token(), number / 100).await,
            "accepted"
        );
    }
    // four at once, and one more per ten of the twenty seconds
    assert!(site.asked() <= 6, "{}", site.asked());
}

#[tokio::test]
async fn a_storm_of_clients_is_one_fetch() {
    let known = Signer::new("known");
    let site = Arc::new(Site::default());
    publish(&site, &[&known]);
    let server = Server::start(&site).await;
    let verifier = verifier(&server);
    let token = known.token();
    let now = UnixSeconds(1_800_000_000);
    let fetches: Vec<_> = (0..1000)
        .map(|_| match verifier.verify_connection(&token, now) {
            Err(TokenError::Pending(fetch)) => fetch,
            other => panic!("{other:?}"),
        })
        .collect();
    for fetch in fetches {
        fetch.await;
        assert!(verifier.verify_connection_settled(&token, now).is_ok());
    }
    assert_eq!(site.asked(), 1);
}
