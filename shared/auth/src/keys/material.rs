use p521::ecdsa::signature::Verifier as _;
use ring::{hmac, signature};

use crate::keys::Algorithm;

/// A key that confirms signatures. Each kind knows its own algorithms and is deaf to all others, so
/// that a token's header can never choose how a key is used.
#[derive(Clone)]
pub(crate) enum Key {
    /// A shared secret, ready for each digest.
    Secret(Box<[(Algorithm, hmac::Key); 3]>),
    /// An RSA key as a PEM has it: `RSAPublicKey` in DER.
    RsaDer(Vec<u8>),
    /// An RSA key as a key set has it: modulus and exponent, big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// A point of the curve P-256, not compressed.
    P256(Vec<u8>),
    /// A point of the curve P-384, not compressed.
    P384(Vec<u8>),
    /// A point of the curve P-521.
    P521(Box<p521::ecdsa::VerifyingKey>),
    /// A key of Ed25519.
    Ed25519(Vec<u8>),
}

impl Key {
    /// A shared secret.
    pub(crate) fn secret(secret: &[u8]) -> Self {
        Self::Secret(Box::new(
            [
                (Algorithm::HS256, hmac::HMAC_SHA256),
                (Algorithm::HS384, hmac::HMAC_SHA384),
                (Algorithm::HS512, hmac::HMAC_SHA512),
            ]
            .map(|(name, digest)| (name, hmac::Key::new(digest, secret))),
        ))
    }

    /// A point of the curve P-521, not compressed; `None` if it is not on the curve.
    pub(crate) fn p521(point: &[u8]) -> Option<Self> {
        let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
        Some(Self::P521(Box::new(key)))
    }

    /// Whether the key can have made a signature with this algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Secret(by_name) => by_name.iter().any(|(name, _)| *name == algorithm),
            Self::RsaDer(_) | Self::Rsa { .. } => rsa(algorithm).is_some(),
            Self::P256(_) => algorithm == Algorithm::ES256,
            Self::P384(_) => algorithm == Algorithm::ES384,
            Self::P521(_) => algorithm == Algorithm::ES512,
            Self::Ed25519(_) => algorithm == Algorithm::EdDSA,
        }
    }

    /// Whether the key confirms the signature. With an algorithm that does not fit it never does.
    pub(crate) fn confirms(&self, algorithm: Algorithm, signed: &[u8], made: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let by = |with: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(with, key)
                .verify(signed, made)
                .is_ok()
        };
        match self {
            Self::Secret(by_name) => by_name
                .iter()
                .filter(|(name, _)| *name == algorithm)
                // compares in constant time
                .any(|(_, key)| hmac::verify(key, signed, made).is_ok()),
            Self::RsaDer(der) => rsa(algorithm).is_some_and(|parameters| by(parameters, der)),
            Self::Rsa { n, e } => rsa(algorithm).is_some_and(|parameters| {
                signature::RsaPublicKeyComponents { n, e }
                    .verify(parameters, signed, made)
                    .is_ok()
            }),
            Self::P256(point) => by(&signature::ECDSA_P256_SHA256_FIXED, point),
            Self::P384(point) => by(&signature::ECDSA_P384_SHA384_FIXED, point),
            Self::P521(key) => p521::ecdsa::Signature::from_slice(made)
                .is_ok_and(|made| key.verify(signed, &made).is_ok()),
            Self::Ed25519(key) => by(&signature::ED25519, key),
        }
    }
}

/// How an RSA key verifies, where the algorithm is one of RSA.
fn rsa(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    [
        (Algorithm::RS256, &signature::RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::RS384, &signature::RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::RS512, &signature::RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::PS256, &signature::RSA_PSS_2048_8192_SHA256),
        (Algorithm::PS384, &signature::RSA_PSS_2048_8192_SHA384),
        (Algorithm::PS512, &signature::RSA_PSS_2048_8192_SHA512),
    ]
    .into_iter()
    .find_map(|(name, parameters)| (name == algorithm).then_some(parameters))
}
