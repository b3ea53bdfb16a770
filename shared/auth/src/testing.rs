//! Keys and key sets for tests.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gyre_config::tls::Tls;
use parking_lot::Mutex;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::error::FetchError;
use crate::outside::{FetchKeys, Fetching, Outside};

/// A key of Ed25519 and its id.
pub(crate) struct Signer {
    id: String,
    pair: Ed25519KeyPair,
}

impl Signer {
    pub(crate) fn new(id: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self {
            id: id.to_owned(),
            pair: Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap(),
        }
    }

    pub(crate) fn jwk(&self) -> serde_json::Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        serde_json::json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.id, "x": x})
    }

    pub(crate) fn sign(&self, claims: &serde_json::Value) -> String {
        let header = serde_json::json!({"alg": "EdDSA", "kid": self.id}).to_string();
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// Key sets by their addresses, which answer at once; the empty address stands for all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(Arc<Mutex<BTreeMap<String, String>>>);

impl Keys {
    pub(crate) fn of(signers: &[&Signer]) -> Self {
        Self::default().at("", signers)
    }

    pub(crate) fn at(self, url: &str, signers: &[&Signer]) -> Self {
        let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
        let set = serde_json::json!({ "keys": keys }).to_string();
        self.0.lock().insert(url.to_owned(), set);
        self
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.0.lock().insert(path.to_owned(), text.to_owned());
        self
    }
}

impl FetchKeys for Keys {
    fn fetch(&self, url: &str, _bytes_max: usize) -> Fetching {
        let sets = self.0.lock();
        let found = sets.get(url).or_else(|| sets.get("")).cloned();
        Box::pin(async {
            found
                .map(String::into_bytes)
                .ok_or_else(|| FetchError::new("nobody there"))
        })
    }
}

impl Outside for Keys {
    fn read(&self, path: &Path) -> io::Result<String> {
        let files = self.0.lock();
        let found = path.to_str().and_then(|path| files.get(path)).cloned();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn fetcher(&self, _tls: &Tls) -> Result<Arc<dyn FetchKeys>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(self.clone()))
    }
}
