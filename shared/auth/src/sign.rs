use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Serialize;

/// How a shared secret signs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HmacAlgorithm {
    /// HMAC with SHA-256.
    #[default]
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl HmacAlgorithm {
    /// Name in a token's header.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    fn digest(self) -> hmac::Algorithm {
        match self {
            Self::Hs256 => hmac::HMAC_SHA256,
            Self::Hs384 => hmac::HMAC_SHA384,
            Self::Hs512 => hmac::HMAC_SHA512,
        }
    }
}

/// Why claims cannot be signed: they have no JSON form.
#[derive(Debug, thiserror::Error)]
#[error("claims cannot be written as JSON")]
pub struct SignError(#[from] serde_json::Error);

/// Makes a token of the claims: for the command line and for tests.
///
/// # Errors
///
/// [`SignError`]: the claims have no JSON form.
pub fn sign_hmac(
    algorithm: HmacAlgorithm,
    secret: &[u8],
    claims: &impl Serialize,
) -> Result<String, SignError> {
    let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, algorithm.name());
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut token);
    let key = hmac::Key::new(algorithm.digest(), secret);
    let signature = hmac::sign(&key, token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
