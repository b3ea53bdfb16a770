//! Token verification: claims become grants.
//!
//! A [`Verifier`] is made once from configuration and then answers from memory: it does no I/O, reads no
//! clock and takes no lock. What a token may do is not decided here; `policy` and the session do
//! that with the claims.
//!
//! What a newcomer would get wrong: the signature is checked before anything that the claims say,
//! and [`TokenError::Expired`] is only ever said of a token whose signature held. A client is told to
//! fetch a new token on `Expired` alone, so nobody can make it loop by forging one.
//!
//! Formats (algorithm names, key files, key sets) are the crate `jsonwebtoken`'s; the arithmetic is
//! `ring`'s. The former's process-wide provider is not used.

#![forbid(unsafe_code)]

mod claims;
mod compact;
mod error;
mod expectations;
mod json;
mod keys;
mod sign;
mod user_claim;
mod verifier;

pub use claims::{Capability, ConnectionClaims, Override, SubscriptionClaims, TokenSubscription};
pub use error::{Reason, SetupError, TokenError};
pub use sign::{HmacAlgorithm, SignError, sign_hmac};
pub use verifier::Verifier;
