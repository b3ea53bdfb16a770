//! Bearer tokens of callers: shown in place of the key.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use gyre_auth::{CallerRules, CallerVerifier, Outside, TokenError};
use gyre_config::api::CallerJwks;
use gyre_runtime::Clock;
use http::HeaderMap;

use crate::service::BuildError;

/// Verifies bearer tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    verifier: Arc<CallerVerifier>,
    clock: Clock,
}

/// Whether a token lets a call pass.
pub(crate) enum Admission {
    /// It is known.
    Now(bool),
    /// The token's key has to be fetched first.
    Later(BoxFuture<'static, bool>),
}

impl Bearer {
    /// A verifier as configured; `None`: bearer tokens are not accepted.
    ///
    /// # Errors
    ///
    /// There is no endpoint, or TLS cannot be set up.
    pub(crate) fn new(
        options: &CallerJwks,
        outside: &dyn Outside,
        clock: &Clock,
    ) -> Result<Option<Self>, BuildError> {
        if !options.enabled {
            return Ok(None);
        }
        if options.endpoint.is_empty() {
            return Err(BuildError::JwksWithoutEndpoint);
        }
        let fetcher = outside.fetcher(&options.tls).map_err(BuildError::JwksTls)?;
        let rules = CallerRules {
            endpoint: options.endpoint.clone(),
            audience: options.audience.clone(),
            issuer: options.issuer.clone(),
            scope: options.scope.clone(),
        };
        Ok(Some(Self {
            verifier: Arc::new(CallerVerifier::new(rules, fetcher)),
            clock: clock.clone(),
        }))
    }

    /// Whether a call with these headers may pass.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Admission {
        let Some(token) = token(headers) else {
            return Admission::Now(false);
        };
        match self.verifier.verify(token, self.clock.now().unix_seconds()) {
            Err(TokenError::Pending(fetch)) => {
                let (bearer, token) = (self.clone(), token.to_owned());
                Admission::Later(Box::pin(async move {
                    fetch.await;
                    let now = bearer.clock.now().unix_seconds();
                    is_good(&bearer.verifier.verify_settled(&token, now))
                }))
            }
            verdict => Admission::Now(is_good(&verdict)),
        }
    }
}

/// Whether a call without the key may pass: by its token, where tokens are accepted.
///
/// # Cancel safety
///
/// Cancel safe.
pub(crate) async fn admit(bearer: Option<&Bearer>, headers: &HeaderMap) -> bool {
    match bearer.map(|bearer| bearer.admit(headers)) {
        None => false,
        Some(Admission::Now(admitted)) => admitted,
        Some(Admission::Later(later)) => later.await,
    }
}

/// The reason goes to the log; the caller learns nothing.
fn is_good(verdict: &Result<(), TokenError>) -> bool {
    if let Err(error) = verdict {
        tracing::debug!(
            error = error as &(dyn std::error::Error + 'static),
            "bearer token of a caller refused"
        );
    }
    verdict.is_ok()
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests;
