//! Signatures of requests over HTTP, by which a backend knows that they are ours and new.

use std::fmt;

use gyre_types::UnixSeconds;
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::hmac;

use crate::messages::event::Event;

/// The event's name.
pub(crate) const EVENT: HeaderName = HeaderName::from_static("x-gyre-event");
/// When the request was made. Unit: Unix seconds.
pub(crate) const TIMESTAMP: HeaderName = HeaderName::from_static("x-gyre-timestamp");
/// `v1=` and HMAC-SHA256, in hexadecimal, of the timestamp, a dot, the event, a dot and the body.
pub(crate) const SIGNATURE: HeaderName = HeaderName::from_static("x-gyre-signature");

/// Signs requests.
pub(crate) struct Signer {
    key: hmac::Key,
}

impl Signer {
    /// `None` without a key.
    pub(crate) fn new(key: &str) -> Option<Self> {
        (!key.is_empty()).then(|| Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()),
        })
    }

    /// Puts the signature of a request into its headers, over whatever stood there.
    pub(crate) fn sign(
        &self,
        event: Event,
        now: UnixSeconds,
        body: &[u8],
        headers: &mut HeaderMap,
    ) {
        let timestamp = now.0.to_string();
        let mut signed = hmac::Context::with_key(&self.key);
        for part in [timestamp.as_bytes(), b".", event.as_str().as_bytes(), b"."] {
            signed.update(part);
        }
        signed.update(body);
        let mut signature = "v1=".to_owned();
        for byte in signed.sign().as_ref() {
            for digit in [byte >> 4, byte & 0xf] {
                signature.extend(char::from_digit(digit.into(), 16));
            }
        }
        headers.insert(EVENT, HeaderValue::from_static(event.as_str()));
        for (name, text) in [(TIMESTAMP, timestamp), (SIGNATURE, signature)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python: `hmac.new(b"key", b"1700000000.rpc.{}", "sha256").hexdigest()`.
    const OTHERS: &str = "v1=184dfc28cd86791918bc05fc35e28c249b7653df7eba84575eb7b438892d53bd";

    #[test]
    fn others_compute_the_same() {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, HeaderValue::from_static("forged"));
        let signer = Signer::new("key").unwrap();
        signer.sign(Event::Rpc, UnixSeconds(1_700_000_000), b"{}", &mut headers);
        assert_eq!(headers[SIGNATURE], OTHERS);
        assert_eq!(headers[TIMESTAMP], "1700000000");
        assert_eq!(headers[EVENT], "rpc");
        assert!(Signer::new("").is_none());
    }
}
