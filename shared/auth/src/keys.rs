//! Where the keys come from that a signature is held against.

mod algorithm;
mod endpoint;
mod jwk;
mod material;
mod pem;
mod providers;
mod remote;

use gyre_config::Secret;
use gyre_config::client::Token;
use gyre_config::tls::Tls;
use gyre_types::UnixSeconds;
use serde::Deserialize;

use self::endpoint::Endpoint;
use self::material::Key;
use self::providers::Providers;
use crate::compact::Compact;
use crate::error::{Reason, SetupError, TokenError};
use crate::expectations::Audience;
use crate::mapping::Mapping;
use crate::outside::Outside;

pub(crate) use self::algorithm::Algorithm;
pub use self::pem::pem_text;
pub use self::remote::KeyFetch;
pub(crate) use self::remote::{CALLER_TTL_SECS, Found, KeySet, Patience};

/// A source of keys.
pub(crate) enum KeySource {
    /// The options name them.
    Fixed(FixedKeys),
    /// A key set, wherever it is.
    Endpoint(Endpoint),
    /// Key sets of several issuers.
    Providers(Providers),
    /// None: claims are believed as they come.
    Unchecked,
}

impl KeySource {
    /// The source that the options name. A key set replaces all other keys, so that a secret that
    /// was forgotten in the options opens nothing.
    ///
    /// # Errors
    ///
    /// A key or an endpoint is wrong.
    pub(crate) fn new(options: &Token, outside: &dyn Outside) -> Result<Self, SetupError> {
        let has_endpoint = !options.jwks_public_endpoint.is_empty();
        if options.jwks.enabled {
            if has_endpoint {
                return Err(SetupError::TwoSources);
            }
            return Providers::new(&options.jwks, outside).map(Self::Providers);
        }
        if has_endpoint {
            let fetcher = providers::fetcher("jwks_public_endpoint", &Tls::default(), outside)?;
            return Endpoint::new(options, remote::CLIENT_TTL_SECS, fetcher).map(Self::Endpoint);
        }
        FixedKeys::new(options, outside).map(Self::Fixed)
    }

    /// Checks the signature. Returns what the keys' owner wants of the claims, where there are several.
    ///
    /// # Errors
    ///
    /// The algorithm is unknown or has no key, no key confirms the signature, or keys are not here.
    pub(crate) fn check(
        &self,
        token: &Compact<'_>,
        now: UnixSeconds,
        patience: Patience,
    ) -> Result<Option<&Mapping>, TokenError> {
        match self {
            Self::Unchecked => Ok(None),
            Self::Fixed(keys) => {
                let algorithm = token.header()?.algorithm;
                confirm(token, algorithm, keys.candidates(algorithm, now))?;
                Ok(None)
            }
            Self::Endpoint(endpoint) => {
                let claims = token.claims()?;
                let origin = Origin::read(&claims)?;
                check_by_set(token, |id| {
                    let audience = origin.aud.as_ref();
                    endpoint.find(id, origin.iss.as_deref(), audience, now, patience)
                })?;
                Ok(None)
            }
            Self::Providers(providers) => {
                let claims = token.claims()?;
                let origin = Origin::read(&claims)?;
                let provider = providers.of(origin.iss.as_deref(), origin.aud.as_ref())?;
                check_by_set(token, |id| Ok(provider.keys.find(id, now, patience)))?;
                Ok(Some(&provider.mapping))
            }
        }
    }
}

/// Holds a token against the key of a set that its header names.
///
/// # Errors
///
/// As [`KeySource::check`].
pub(crate) fn check_by_set(
    token: &Compact<'_>,
    find: impl FnOnce(&str) -> Result<Found, Reason>,
) -> Result<(), TokenError> {
    let header = token.header()?;
    let algorithm = header.algorithm;
    // A set has public keys only: a shared secret never counts beside it, nor costs a fetch.
    if algorithm.is_secret() {
        return Err(no_key(algorithm).into());
    }
    let id = header.key_id.filter(|id| !id.is_empty());
    let id = id.ok_or(Reason::NoKeyId)?;
    jwk::check_id(&id).map_err(|_| Reason::Malformed { part: "key id" })?;
    match find(&id)? {
        Found::Key(keys) => Ok(confirm(
            token,
            algorithm,
            remote::key(&keys, &id, algorithm).into_iter(),
        )?),
        Found::Unknown => Err(Reason::UnknownKeyId.into()),
        Found::Unavailable => Err(TokenError::Unavailable),
        Found::Wait(fetch) => Err(TokenError::Pending(fetch)),
    }
}

/// Whether one of the keys confirms the token's signature.
fn confirm<'a>(
    token: &Compact<'_>,
    algorithm: Algorithm,
    candidates: impl Iterator<Item = &'a Key>,
) -> Result<(), Reason> {
    let signature = token.signature()?;
    let mut candidates = candidates.peekable();
    if candidates.peek().is_none() {
        return Err(no_key(algorithm));
    }
    if candidates.any(|key| key.confirms(algorithm, token.signed.as_bytes(), &signature)) {
        return Ok(());
    }
    Err(Reason::Signature)
}

fn no_key(algorithm: Algorithm) -> Reason {
    Reason::NoKey {
        name: algorithm.to_string(),
    }
}

/// Claims that say whose keys count. Nobody has signed them yet.
#[derive(Deserialize)]
struct Origin {
    iss: Option<String>,
    aud: Option<Audience>,
}

impl Origin {
    fn read(json: &str) -> Result<Self, Reason> {
        serde_json::from_str(json).map_err(Reason::Claims)
    }
}

/// Keys that are known from the start.
#[derive(Default)]
pub(crate) struct FixedKeys {
    secret: Option<Key>,
    previous: Option<Previous>,
    rsa: Option<Key>,
    ecdsa: Option<Key>,
}

/// A secret from before a rotation.
struct Previous {
    secret: Key,
    /// Last second at which it counts; `None`: no end.
    valid_until: Option<UnixSeconds>,
}

impl FixedKeys {
    fn new(options: &Token, outside: &dyn Outside) -> Result<Self, SetupError> {
        let valid_until = options.hmac_previous_secret_key_valid_until;
        Ok(Self {
            secret: secret(&options.hmac_secret_key),
            previous: secret(&options.hmac_previous_secret_key).map(|secret| Previous {
                secret,
                valid_until: (valid_until > 0).then_some(UnixSeconds(valid_until)),
            }),
            rsa: pem::rsa("rsa_public_key", &options.rsa_public_key, outside)?,
            ecdsa: pem::ecdsa("ecdsa_public_key", &options.ecdsa_public_key, outside)?,
        })
    }

    /// The keys that may have made a signature with this algorithm, the likeliest first.
    fn candidates(&self, algorithm: Algorithm, now: UnixSeconds) -> impl Iterator<Item = &Key> {
        let previous = self
            .previous
            .as_ref()
            .filter(|previous| previous.valid_until.is_none_or(|until| now <= until))
            .map(|previous| &previous.secret);
        self.secret
            .iter()
            .chain(previous)
            .chain(&self.rsa)
            .chain(&self.ecdsa)
            .filter(move |key| key.fits(algorithm))
    }
}

/// An empty secret is no secret: anybody could sign with it.
fn secret(secret: &Secret) -> Option<Key> {
    (!secret.is_empty()).then(|| Key::secret(secret.expose().as_bytes()))
}

#[cfg(test)]
mod tests;
