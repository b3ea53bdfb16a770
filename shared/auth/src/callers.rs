use std::fmt;
use std::sync::Arc;

use gyre_types::UnixSeconds;
use serde::Deserialize;

use crate::compact::Compact;
use crate::error::{Reason, TokenError};
use crate::expectations::Audience;
use crate::json::NumericDate;
use crate::keys::{self, CALLER_TTL_SECS, KeySet, Patience};
use crate::outside::FetchKeys;

/// How far a caller's clock may be from ours. Unit: seconds.
const SKEW_SECS: i64 = 30;

/// What tokens of the server API's callers must say. Empty: anything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CallerRules {
    /// URL of the key set.
    pub endpoint: String,
    /// What `aud` must contain.
    pub audience: String,
    /// What `iss` must be.
    pub issuer: String,
    /// What `scope` must contain.
    pub scope: String,
}

/// Verifies bearer tokens of the server API's callers. Made once, shared by all calls.
pub struct CallerVerifier {
    rules: CallerRules,
    keys: Arc<KeySet>,
}

impl CallerVerifier {
    /// Makes a verifier that takes its keys from a key set.
    #[must_use]
    pub fn new(rules: CallerRules, fetcher: Arc<dyn FetchKeys>) -> Self {
        Self {
            keys: KeySet::new(rules.endpoint.clone(), CALLER_TTL_SECS, fetcher),
            rules,
        }
    }

    /// Verifies a token. One without an expiry is refused: it could not be taken back.
    ///
    /// # Errors
    ///
    /// See [`TokenError`]. [`TokenError::Pending`]: wait, then [`Self::verify_settled`].
    pub fn verify(&self, token: &str, now: UnixSeconds) -> Result<(), TokenError> {
        self.check(token, now, Patience::MayFetch)
    }

    /// Verifies a token after the fetch that [`TokenError::Pending`] brought has ended.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`], but never [`TokenError::Pending`].
    pub fn verify_settled(&self, token: &str, now: UnixSeconds) -> Result<(), TokenError> {
        self.check(token, now, Patience::Settled)
    }

    fn check(&self, token: &str, now: UnixSeconds, patience: Patience) -> Result<(), TokenError> {
        let token = Compact::new(token)?;
        keys::check_by_set(&token, |id| Ok(self.keys.find(id, now, patience)))?;
        let json = token.claims()?;
        let claims: Claims = serde_json::from_str(&json).map_err(Reason::Claims)?;
        let expiry = claims.exp.ok_or(Reason::NoExpiry)?.seconds();
        if expiry.0.saturating_add(SKEW_SECS) <= now.0 {
            return Err(TokenError::Expired);
        }
        let start = claims.nbf.map(NumericDate::seconds);
        if start.is_some_and(|start| now.0 < start.0.saturating_sub(SKEW_SECS)) {
            return Err(TokenError::Expired);
        }
        Ok(self.rules.check(&claims)?)
    }
}

impl fmt::Debug for CallerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerVerifier")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl CallerRules {
    fn check(&self, claims: &Claims) -> Result<(), Reason> {
        let named = claims.aud.iter().flat_map(Audience::all);
        if !self.audience.is_empty() && !named.into_iter().any(|one| one == self.audience) {
            return Err(Reason::Audience);
        }
        if !self.issuer.is_empty() && claims.iss.as_deref() != Some(self.issuer.as_str()) {
            return Err(Reason::Issuer);
        }
        // A list of scopes in one text has spaces between them.
        let scopes = claims.scope.iter().flat_map(Audience::all);
        let mut scopes = scopes.flat_map(str::split_ascii_whitespace);
        if !self.scope.is_empty() && !scopes.any(|one| one == self.scope) {
            return Err(Reason::Scope);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    aud: Option<Audience>,
    iss: Option<String>,
    scope: Option<Audience>,
}

#[cfg(test)]
mod tests;
