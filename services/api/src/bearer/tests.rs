use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gyre_auth::{FetchKeys, Fetching};
use gyre_config::tls::Tls;
use gyre_config::{Channel, Client, Rpc, Secret};
use gyre_policy::Policy;
use gyre_types::UnixMillis;
use http::{Request, Response};
use prometheus::IntCounter;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use tonic::Status;
use tonic::body::Body;
use tower::{Service as _, ServiceExt as _, service_fn};

use super::*;
use crate::grpc::guard::{Doors, Guard};
use crate::keys::Keys;
use crate::live::Live;

const NOW: i64 = 1_700_000_000;

/// The set of one key, and the key.
#[derive(Debug)]
struct Issuer {
    pair: Ed25519KeyPair,
}

impl Issuer {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
        Self { pair }
    }

    fn token(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "EdDSA", "kid": "k"});
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn bearer(&self) -> Bearer {
        let options = CallerJwks {
            enabled: true,
            endpoint: "https://keys.example".into(),
            scope: "api".into(),
            ..CallerJwks::default()
        };
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x});
        let set = Set(json!({ "keys": [key] }).to_string());
        let clock = Clock::fixed(UnixMillis(NOW * 1000));
        Bearer::new(&options, &set, &clock).unwrap().unwrap()
    }
}

#[derive(Clone, Debug)]
struct Set(String);

impl FetchKeys for Set {
    fn fetch(&self, _url: &str, _bytes_max: usize) -> Fetching {
        let set = self.0.clone().into_bytes();
        Box::pin(async { Ok(set) })
    }
}

impl Outside for Set {
    fn read(&self, _path: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn fetcher(&self, _tls: &Tls) -> Result<Arc<dyn FetchKeys>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(self.clone()))
    }
}

fn headers(authorization: &str) -> HeaderMap {
    let value = authorization.parse().unwrap();
    HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])
}

#[tokio::test]
async fn a_token_stands_in_for_the_key() {
    let issuer = Issuer::new();
    let good = issuer.token(&json!({"exp": NOW + 60, "scope": "api"}));
    let late = issuer.token(&json!({"exp": NOW - 60, "scope": "api"}));
    let other = issuer.token(&json!({"exp": NOW + 60, "scope": "other"}));
    let stranger = Issuer::new().token(&json!({"exp": NOW + 60, "scope": "api"}));
    for (authorization, passes) in [
        (format!("Bearer {good}"), true),
        (format!("bearer  {good} "), true),
        (format!("apikey {good}"), false),
        (format!("Bearer{good}"), false),
        (good.clone(), false),
        (format!("Bearer {late}"), false),
        (format!("Bearer {other}"), false),
        (format!("Bearer {stranger}"), false),
        ("Bearer ".to_owned(), false),
        (String::new(), false),
    ] {
        let bearer = issuer.bearer();
        let given = headers(&authorization);
        // by a set that is fetched first, and by one that is here
        assert_eq!(
            admit(Some(&bearer), &given).await,
            passes,
            "{authorization}"
        );
        assert_eq!(
            admit(Some(&bearer), &given).await,
            passes,
            "{authorization}"
        );
        assert!(!admit(None, &given).await);
    }
    assert!(!admit(Some(&issuer.bearer()), &HeaderMap::new()).await);
}

fn policy() -> Policy {
    Policy::new(&Channel::default(), &Client::default(), &Rpc::default()).unwrap()
}

#[tokio::test]
async fn grpc_takes_the_key_or_a_token() {
    let issuer = Issuer::new();
    let good = issuer.token(&json!({"exp": NOW + 60, "scope": "api"}));
    let bad = issuer.token(&json!({"exp": NOW + 60}));
    for key in ["a-key", ""] {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let inner = service_fn(move |_: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok::<_, Infallible>(Response::new(Body::empty())) }
        });
        let live = Live {
            policy: Arc::new(policy()),
            http_keys: Keys::Closed,
            grpc_keys: Keys::new(&Secret::new(key), false).unwrap(),
        };
        let doors = Doors {
            live: Arc::new(ArcSwap::from_pointee(live)),
            bearer: Some(issuer.bearer()),
        };
        let refused = IntCounter::new("refused", "refused").unwrap();
        let mut guard = Guard::new(inner, doors, refused.clone());
        let mut passed = 0;
        for (authorization, passes) in [
            (format!("Bearer {bad}"), false),
            (format!("Bearer {good}"), true),
            (format!("Bearer {good}"), true),
            ("apikey a-key".to_owned(), !key.is_empty()),
            ("apikey other".to_owned(), false),
        ] {
            let mut request = Request::new(Body::empty());
            *request.headers_mut() = headers(&authorization);
            let answer = guard.ready().await.unwrap().call(request).await.unwrap();
            let is_refused = answer
                .headers()
                .get(Status::GRPC_STATUS)
                .is_some_and(|code| code == "16");
            assert_eq!(is_refused, !passes, "{authorization}");
            passed += u32::from(passes);
        }
        assert_eq!(calls.load(Ordering::Relaxed), passed);
        assert_eq!(refused.get(), u64::from(5 - passed));
    }
}

#[test]
fn tokens_need_an_endpoint() {
    let clock = Clock::fixed(UnixMillis(0));
    let set = Set(String::new());
    let new = |options: &CallerJwks| Bearer::new(options, &set, &clock);
    let enabled = CallerJwks {
        enabled: true,
        ..CallerJwks::default()
    };
    assert!(matches!(
        new(&enabled),
        Err(BuildError::JwksWithoutEndpoint)
    ));
    assert!(new(&CallerJwks::default()).unwrap().is_none());
}
