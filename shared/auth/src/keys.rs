use gyre_config::Secret;
use gyre_config::client::Token;
use gyre_types::UnixSeconds;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use ring::hmac;

use crate::compact::Compact;
use crate::error::Reason;

/// Where the keys come from that a signature is held against.
pub(crate) enum KeySource {
    /// The options name them.
    Fixed(FixedKeys),
    /// Nowhere: claims are believed as they come.
    Unchecked,
}

impl KeySource {
    /// Checks the signature.
    ///
    /// # Errors
    ///
    /// The algorithm is unknown or has no key, or no key confirms the signature.
    pub(crate) fn check(&self, token: &Compact<'_>, now: UnixSeconds) -> Result<(), Reason> {
        let keys = match self {
            Self::Fixed(keys) => keys,
            Self::Unchecked => return Ok(()),
        };
        let algorithm = token.algorithm()?;
        let signature = token.signature()?;
        let mut candidates = keys.candidates(algorithm, now).peekable();
        if candidates.peek().is_none() {
            return Err(Reason::NoKey {
                name: format!("{algorithm:?}"),
            });
        }
        if candidates.any(|key| confirms(algorithm, key, token.signed.as_bytes(), &signature)) {
            return Ok(());
        }
        Err(Reason::Signature)
    }
}

/// Keys that are known from the start.
#[derive(Default)]
pub(crate) struct FixedKeys {
    secret: Option<DecodingKey>,
    previous: Option<Previous>,
}

/// A secret from before a rotation.
struct Previous {
    secret: DecodingKey,
    /// Last second at which it counts; `None`: no end.
    valid_until: Option<UnixSeconds>,
}

impl FixedKeys {
    /// A key set at an address replaces all of these, so that a secret that was forgotten in the
    /// options opens nothing.
    pub(crate) fn new(options: &Token) -> Self {
        if !options.jwks_public_endpoint.is_empty() {
            return Self::default();
        }
        let valid_until = options.hmac_previous_secret_key_valid_until;
        Self {
            secret: secret(&options.hmac_secret_key),
            previous: secret(&options.hmac_previous_secret_key).map(|secret| Previous {
                secret,
                valid_until: (valid_until > 0).then_some(UnixSeconds(valid_until)),
            }),
        }
    }

    /// The keys that may have made a signature with this algorithm, the likeliest first.
    fn candidates(
        &self,
        algorithm: Algorithm,
        now: UnixSeconds,
    ) -> impl Iterator<Item = &DecodingKey> {
        let previous = self
            .previous
            .as_ref()
            .filter(|previous| previous.valid_until.is_none_or(|until| now <= until))
            .map(|previous| &previous.secret);
        self.secret
            .iter()
            .chain(previous)
            .filter(move |key| key.family() == algorithm.family())
    }
}

/// An empty secret is no secret: anybody could sign with it.
fn secret(secret: &Secret) -> Option<DecodingKey> {
    (!secret.is_empty()).then(|| DecodingKey::from_secret(secret.expose().as_bytes()))
}

/// Whether the key confirms the signature. A key of another family never does.
fn confirms(algorithm: Algorithm, key: &DecodingKey, signed: &[u8], signature: &[u8]) -> bool {
    if key.family() != AlgorithmFamily::Hmac {
        return false;
    }
    let (Some(digest), Ok(secret)) = (hmac_digest(algorithm), key.try_get_as_bytes()) else {
        return false;
    };
    // compares in constant time
    hmac::verify(&hmac::Key::new(digest, secret), signed, signature).is_ok()
}

/// The digest of an HMAC algorithm.
fn hmac_digest(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    [
        (Algorithm::HS256, hmac::HMAC_SHA256),
        (Algorithm::HS384, hmac::HMAC_SHA384),
        (Algorithm::HS512, hmac::HMAC_SHA512),
    ]
    .into_iter()
    .find_map(|(name, digest)| (name == algorithm).then_some(digest))
}
