//! Who may call.

use std::borrow::Cow;

use gyre_config::Secret;
use gyre_rpc::{NoRandomness, SecretTag};
use http::HeaderMap;
use percent_encoding::percent_decode_str;

/// What callers have to show.
#[derive(Debug)]
pub(crate) enum Keys {
    /// Nothing: everybody may call.
    Open,
    /// Nobody may call: no key is configured.
    Closed,
    /// This key.
    Key(Box<SecretTag>),
}

impl Keys {
    /// Keys as configured.
    ///
    /// # Errors
    ///
    /// The system has no randomness.
    pub(crate) fn new(key: &Secret, insecure: bool) -> Result<Self, NoRandomness> {
        Ok(match (insecure, key.is_empty()) {
            (true, _) => Self::Open,
            (false, true) => Self::Closed,
            (false, false) => Self::Key(Box::new(SecretTag::new(key.expose().as_bytes())?)),
        })
    }

    /// Whether an HTTP request may pass.
    ///
    /// `X-API-Key`, if it is not empty, hides `Authorization`; the query counts after both.
    pub(crate) fn admit_http(&self, headers: &HeaderMap, query: Option<&str>) -> bool {
        match self {
            Self::Open => true,
            Self::Closed => false,
            Self::Key(key) => {
                from_headers(headers).is_some_and(|given| key.is(given))
                    || from_query(query).is_some_and(|given| key.is(given.as_bytes()))
            }
        }
    }

    /// Whether a gRPC call may pass: the first `authorization` is `apikey <key>`, byte by byte.
    pub(crate) fn admit_grpc(&self, metadata: &HeaderMap) -> bool {
        match self {
            Self::Open => true,
            Self::Closed => false,
            Self::Key(key) => metadata
                .get(http::header::AUTHORIZATION)
                .and_then(|value| value.as_bytes().strip_prefix(b"apikey "))
                .is_some_and(|given| key.is(given)),
        }
    }
}

fn from_headers(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-api-key")
        && !key.is_empty()
    {
        return Some(key.as_bytes());
    }
    let mut words = headers
        .get(http::header::AUTHORIZATION)?
        .as_bytes()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let scheme = words.next()?;
    let key = words.next()?;
    (scheme.eq_ignore_ascii_case(b"apikey") && words.next().is_none()).then_some(key)
}

fn from_query(query: Option<&str>) -> Option<Cow<'_, str>> {
    let given = query?
        .split('&')
        .find_map(|pair| pair.strip_prefix("api_key="))?;
    let spaced = if given.contains('+') {
        Cow::Owned(given.replace('+', " "))
    } else {
        Cow::Borrowed(given)
    };
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?.into_owned();
    (!decoded.is_empty()).then_some(Cow::Owned(decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a-key";

    /// Headers that are given.
    type Given = &'static [(&'static str, &'static str)];

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn http_order_of_places() {
        let keys = Keys::new(&Secret::new(KEY), false).unwrap();
        let table: &[(Given, Option<&str>, bool)] = &[
            (&[], None, false),
            (&[("x-api-key", KEY)], None, true),
            (&[("x-api-key", "A-KEY")], None, false),
            (&[("x-api-key", "a-ke")], None, false),
            (&[("x-api-key", "a-key2")], None, false),
            (
                &[("x-api-key", "wrong"), ("authorization", "apikey a-key")],
                None,
                false,
            ),
            (
                &[("x-api-key", ""), ("authorization", "apikey a-key")],
                None,
                true,
            ),
            (&[("x-api-key", "wrong")], Some("api_key=a-key"), true),
            (&[("authorization", "APIKEY a-key")], None, true),
            (&[("authorization", "  apikey    a-key ")], None, true),
            (&[("authorization", "apikey a-key more")], None, false),
            (&[("authorization", "Bearer a-key")], None, false),
            (&[("authorization", "a-key")], None, false),
            (&[("authorization", "apikey")], None, false),
            (
                &[("authorization", "apikey wrong")],
                Some("x=1&api_key=a%2Dkey&y"),
                true,
            ),
            (&[], Some("api_key=wrong"), false),
            (&[], Some("api_key="), false),
            (&[], Some("xapi_key=a-key"), false),
        ];
        for (given, query, passes) in table {
            assert_eq!(
                keys.admit_http(&headers(given), *query),
                *passes,
                "{given:?} {query:?}"
            );
        }
    }

    #[test]
    fn grpc_is_exact_and_the_first_value_counts() {
        let keys = Keys::new(&Secret::new(KEY), false).unwrap();
        let table: &[(Given, bool)] = &[
            (&[], false),
            (&[("authorization", "apikey a-key")], true),
            (&[("authorization", "Apikey a-key")], false),
            (&[("authorization", "apikey  a-key")], false),
            (&[("authorization", "a-key")], false),
            (
                &[
                    ("authorization", "apikey wrong"),
                    ("authorization", "apikey a-key"),
                ],
                false,
            ),
            (
                &[
                    ("authorization", "apikey a-key"),
                    ("authorization", "apikey wrong"),
                ],
                true,
            ),
            (&[("x-api-key", KEY)], false),
        ];
        for (given, passes) in table {
            assert_eq!(keys.admit_grpc(&headers(given)), *passes, "{given:?}");
        }
    }

    #[test]
    fn without_a_key_nobody_passes_but_with_consent() {
        let closed = Keys::new(&Secret::default(), false).unwrap();
        let open = Keys::new(&Secret::new(KEY), true).unwrap();
        for given in [
            headers(&[]),
            headers(&[("x-api-key", "")]),
            headers(&[("x-api-key", "x")]),
        ] {
            assert!(!closed.admit_http(&given, Some("api_key=")));
            assert!(!closed.admit_grpc(&given));
            assert!(open.admit_http(&given, None));
            assert!(open.admit_grpc(&given));
        }
    }

    #[test]
    fn the_key_is_not_printed() {
        let keys = Keys::new(&Secret::new(KEY), false).unwrap();
        assert!(!format!("{keys:?}").contains(KEY));
    }
}
