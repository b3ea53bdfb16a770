//! JSON web key sets.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::material::Key;
use crate::error::{FetchError, KeyIdTooLong};
use crate::keys::Algorithm;

/// Longest key id. Unit: bytes. Ids are hashes or names; longer ones only fill memory.
pub(crate) const KEY_ID_BYTES_MAX: usize = 256;
/// Keys that one set may bring. Large providers have a dozen; what comes after is not looked at.
const KEYS_MAX: usize = 128;
/// Largest key set. Unit: bytes. 128 keys with certificate chains are below it.
pub(crate) const SET_BYTES_MAX: usize = 512 * 1024;
/// Modulus of an RSA key. Unit: bytes. 2048 to 8192 bits.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Keys by their ids.
pub(crate) type Keys = BTreeMap<String, Jwk>;

/// A key of a set.
pub(crate) struct Jwk {
    pub(crate) key: Key,
    /// The only algorithm that it is for, where the set says so.
    algorithm: Option<String>,
}

impl Jwk {
    /// Whether the key may have made a signature with this algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        let only = self.algorithm.as_ref();
        self.key.fits(algorithm) && only.is_none_or(|only| only == algorithm.name())
    }
}

/// Checks a key id's length.
///
/// # Errors
///
/// It is longer than any that a set may have.
pub(crate) const fn check_id(id: &str) -> Result<(), KeyIdTooLong> {
    if id.len() > KEY_ID_BYTES_MAX {
        return Err(KeyIdTooLong);
    }
    Ok(())
}

/// Reads a key set. Keys that are not ours to use (other kinds, other purposes, broken, without an
/// id) are passed over: one of them must not take the others away.
///
/// # Errors
///
/// The text is no key set, too long, or has no key that we can use.
pub(crate) fn read(json: &[u8]) -> Result<Keys, FetchError> {
    if json.len() > SET_BYTES_MAX {
        return Err(FetchError::new("the key set is too long"));
    }
    let set: Set<'_> = serde_json::from_slice(json)
        .map_err(|_| FetchError::new("the answer is not a JSON web key set"))?;
    let mut keys = Keys::new();
    for raw in set.keys.into_iter().take(KEYS_MAX) {
        let Some((id, key)) = serde_json::from_str(raw.get()).ok().and_then(usable) else {
            continue;
        };
        // Of two with one id the first counts, as with everybody who looks for one.
        keys.entry(id).or_insert(key);
    }
    if keys.is_empty() {
        return Err(FetchError::new("the key set has no key for signatures"));
    }
    Ok(keys)
}

#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Fields {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

fn usable(fields: Fields) -> Option<(String, Jwk)> {
    let is_for_signatures = fields.purpose.as_deref().is_none_or(|it| it == "sig")
        && fields
            .key_ops
            .as_ref()
            .is_none_or(|all| all.iter().any(|one| one == "verify"));
    if !is_for_signatures {
        return None;
    }
    let key = match (fields.kty.as_str(), fields.crv.as_deref()) {
        ("RSA", _) => rsa(&fields)?,
        ("EC", Some("P-256")) => Key::P256(point(&fields, 32)?),
        ("EC", Some("P-384")) => Key::P384(point(&fields, 48)?),
        ("EC", Some("P-521")) => Key::p521(&point(&fields, 66)?)?,
        ("OKP", Some("Ed25519")) => Key::Ed25519(of_length(fields.x.as_deref(), 32)?),
        _ => return None,
    };
    let id = fields.kid.filter(|id| check_id(id).is_ok())?;
    let algorithm = fields.alg;
    Some((id, Jwk { key, algorithm }))
}

fn rsa(fields: &Fields) -> Option<Key> {
    let n = decode(fields.n.as_deref())?;
    // Some write the sign's zero out.
    let first = n.iter().position(|byte| *byte != 0)?;
    let n = n.get(first..)?.to_vec();
    let e = decode(fields.e.as_deref())?;
    RSA_MODULUS_BYTES
        .contains(&n.len())
        .then_some(Key::Rsa { n, e })
}

fn point(fields: &Fields, bytes: usize) -> Option<Vec<u8>> {
    let mut point = vec![4];
    point.extend(of_length(fields.x.as_deref(), bytes)?);
    point.extend(of_length(fields.y.as_deref(), bytes)?);
    Some(point)
}

fn of_length(text: Option<&str>, bytes: usize) -> Option<Vec<u8>> {
    decode(text).filter(|decoded| decoded.len() == bytes)
}

fn decode(text: Option<&str>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?.trim_end_matches('=')).ok()
}
