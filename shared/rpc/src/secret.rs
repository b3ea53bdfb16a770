use std::fmt;

use ring::hmac;
use ring::rand::SystemRandom;

/// The system has no randomness.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system has no randomness")]
pub struct NoRandomness;

/// A secret that callers have to know, held as its tag: comparing tags takes the same time wherever two
/// secrets differ.
#[derive(Clone)]
pub struct SecretTag {
    random: hmac::Key,
    tag: hmac::Tag,
}

impl SecretTag {
    /// The tag of a secret.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`].
    pub fn new(secret: &[u8]) -> Result<Self, NoRandomness> {
        let random = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let random = random.map_err(|_unspecified| NoRandomness)?;
        let tag = hmac::sign(&random, secret);
        Ok(Self { random, tag })
    }

    /// Whether this is the secret.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        hmac::verify(&self.random, given, self.tag.as_ref()).is_ok()
    }
}

impl fmt::Debug for SecretTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
