use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::secret::{NoRandomness, SecretTag};
use crate::{Link, LinkError};

/// What stands before the key in the header `authorization`.
const SCHEME: &str = "gyre-link ";

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system has no randomness.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// Keys travel in a header, which takes visible ASCII only.
    #[error("a key has characters that a header cannot carry")]
    Characters,
}

/// The key that the processes of one installation share.
#[derive(Clone)]
pub struct LinkKey {
    header: HeaderValue,
    tag: Arc<SecretTag>,
}

impl LinkKey {
    /// A key as configured.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn new(key: &str) -> Result<Self, KeyError> {
        let tag = Arc::new(SecretTag::new(key.as_bytes())?);
        let mut header = HeaderValue::try_from(format!("{SCHEME}{key}"))
            .map_err(|_invalid| KeyError::Characters)?;
        header.set_sensitive(true);
        Ok(Self { header, tag })
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        given
            .and_then(|given| given.strip_prefix(SCHEME.as_bytes()))
            .is_some_and(|given| self.tag.is(given))
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The link with the key in each call.
#[must_use]
pub fn with_key(link: Link, key: &LinkKey) -> Link {
    BoxCloneSyncService::new(Keyed {
        link,
        header: key.header.clone(),
    })
}

#[derive(Clone)]
struct Keyed {
    link: Link,
    header: HeaderValue,
}

impl Service<Request<Body>> for Keyed {
    type Response = Response<Body>;
    type Error = LinkError;
    type Future = <Link as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.link.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.header.clone());
        self.link.call(request)
    }
}

/// A service that answers only those who have the key, if there is one.
#[derive(Clone, Debug)]
pub struct Locked<S> {
    inner: S,
    key: Option<LinkKey>,
}

impl<S> Locked<S> {
    /// Puts a service behind the key; without a key everybody passes.
    pub const fn new(inner: S, key: Option<LinkKey>) -> Self {
        Self { inner, key }
    }
}

impl<S: NamedService> NamedService for Locked<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Locked<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Body>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_admitted = match &self.key {
            None => true,
            Some(key) => key.is_in(request.headers()),
        };
        if is_admitted {
            return Either::Right(self.inner.call(request));
        }
        tracing::warn!(
            path = request.uri().path(),
            "an internal call without the key"
        );
        let refusal = Status::unauthenticated("links.key is not the same here and there");
        Either::Left(ready(Ok(refusal.into_http())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_is_taken() {
        let key = LinkKey::new("secret").unwrap();
        let mut headers = HeaderMap::new();
        assert!(!key.is_in(&headers));
        for (text, is_it) in [
            ("gyre-link secret", true),
            ("gyre-link secreT", false),
            ("gyre-link ", false),
            ("secret", false),
        ] {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(text));
            assert_eq!(key.is_in(&headers), is_it, "{text}");
        }
        assert_eq!(format!("{key:?}"), "***");
    }

    #[test]
    fn a_key_of_two_lines_is_none() {
        assert!(matches!(LinkKey::new("a\nb"), Err(KeyError::Characters)));
    }
}
