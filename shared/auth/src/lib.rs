//! Token verification: claims become grants.
//!
//! A [`Verifier`] is made once from configuration and then answers from memory: it does no I/O and reads
//! no clock. Files and key sets are read by an [`Outside`] that it is given. What a token may do is not
//! decided here; `policy` and the session do that with the claims.
//!
//! | module | what |
//! |---|---|
//! | `verifier` | connection and subscription tokens of clients |
//! | `callers` | bearer tokens of the server API's callers |
//! | `keys` | where keys come from: options, key sets, several issuers; what may confirm a signature |
//! | `compact`, `json`, `claims` | the token's form, the claims as they stand there, and as we give them |
//! | `mapping` | claims that configuration picks |
//!
//! A key that has to be fetched first makes [`TokenError::Pending`]; whoever waits for it carries the fetch
//! on, and then verifies again. All that wait for one key set share one fetch.
//!
//! What a newcomer would get wrong: the signature is checked before anything that the claims say,
//! and [`TokenError::Expired`] is only ever said of a token whose signature held. A client is told to
//! fetch a new token on `Expired` alone, so nobody can make it loop by forging one.
//!
//! The form of key files is the crate `jsonwebtoken`'s; the arithmetic is `ring`'s, and `p521`'s for the curve
//! that `ring` does not have. The first one's process-wide provider is not used.

#![forbid(unsafe_code)]

mod callers;
mod claims;
mod compact;
mod error;
mod expectations;
mod json;
mod keys;
mod mapping;
mod outside;
mod sign;
#[cfg(test)]
mod testing;
mod verifier;

pub use callers::{CallerRules, CallerVerifier};
pub use claims::{Capability, ConnectionClaims, Override, SubscriptionClaims, TokenSubscription};
pub use error::{FetchError, KeyProblem, Reason, SetupError, TokenError};
pub use keys::{KeyFetch, pem_text};
pub use outside::{FetchKeys, Fetching, Nothing, Outside};
pub use sign::{HmacAlgorithm, SignError, sign_hmac};
pub use verifier::Verifier;
