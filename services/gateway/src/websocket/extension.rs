//! What is agreed about permessage-deflate (RFC 7692).
//!
//! We only speak it without context takeover in both directions: no compressor and no window per
//! connection, and a compressed message is the same for every receiver. For the same reason the window
//! is always the full 15 bits: an offer that *requires* us to use a smaller one
//! (`server_max_window_bits` below 15) is declined, and the client's next offer, or no compression,
//! is used instead. What a client says about its own window needs no answer: we read any.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

/// Whether messages of a connection may be compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compression {
    /// No frame is compressed.
    Off,
    /// permessage-deflate, each message on its own.
    Deflate,
}

/// The extension and its parameters, as they go into the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Agreed {
    /// Nothing.
    None,
    /// Both without context takeover.
    Deflate,
    /// The same, for an offer that named the full window, which has to be confirmed.
    DeflateFullWindow,
}

impl Agreed {
    pub(super) const fn header_value(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Deflate => {
                Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
            }
            Self::DeflateFullWindow => Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=15",
            ),
        }
    }

    pub(super) const fn compression(self) -> Compression {
        match self {
            Self::None => Compression::Off,
            Self::Deflate | Self::DeflateFullWindow => Compression::Deflate,
        }
    }
}

/// The first offer in `headers` that we can keep to.
pub(super) fn negotiate(headers: &HeaderMap) -> Agreed {
    let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| split(list, ','))
        .find_map(accept)
        .unwrap_or(Agreed::None)
}

fn accept(offer: &str) -> Option<Agreed> {
    let mut parts = split(offer, ';');
    if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut agreed = Agreed::Deflate;
    let mut seen = 0_u8;
    for parameter in parts {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(unquote(value.trim())?)),
            None => (parameter, None),
        };
        let bits = value.as_deref().map(window_bits);
        let bit = match (name, bits) {
            ("server_no_context_takeover", None) => 1,
            ("client_no_context_takeover", None) => 2,
            ("client_max_window_bits", None | Some(Some(8..=15))) => 4,
            ("server_max_window_bits", Some(Some(15))) => {
                agreed = Agreed::DeflateFullWindow;
                8
            }
            // Unknown, malformed, or a window that we do not have.
            _ => return None,
        };
        if seen & bit != 0 {
            return None;
        }
        seen |= bit;
    }
    Some(agreed)
}

/// A decimal number of one or two digits without leading zero.
fn window_bits(value: &str) -> Option<u8> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    is_number.then(|| value.parse().ok()).flatten()
}

/// The elements of a list, trimmed; separators in quotes do not count.
fn split(list: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    list.split(move |c| {
        let ends = c == separator && !is_quoted;
        if c == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        ends
    })
    .map(str::trim)
}

fn unquote(value: &str) -> Option<Cow<'_, str>> {
    let Some(quoted) = value.strip_prefix('"') else {
        return Some(Cow::Borrowed(value));
    };
    let inner = quoted.strip_suffix('"')?;
    Some(if inner.contains('\\') {
        Cow::Owned(inner.replace('\\', ""))
    } else {
        Cow::Borrowed(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(values: &[&'static str]) -> Agreed {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, value.parse().unwrap());
        }
        negotiate(&headers)
    }

    #[test]
    fn what_browsers_offer() {
        assert_eq!(
            offer(&["permessage-deflate; client_max_window_bits"]),
            Agreed::Deflate
        );
        assert_eq!(offer(&["permessage-deflate"]), Agreed::Deflate);
        assert_eq!(offer(&["x-webkit-deflate-frame"]), Agreed::None);
        assert_eq!(offer(&[]), Agreed::None);
    }

    #[test]
    fn parameters() {
        for (parameters, expected) in [
            (
                "server_no_context_takeover; client_no_context_takeover",
                Agreed::Deflate,
            ),
            ("client_max_window_bits=9", Agreed::Deflate),
            ("client_max_window_bits=\"15\"", Agreed::Deflate),
            ("server_max_window_bits=15", Agreed::DeflateFullWindow),
            ("server_max_window_bits=\"1\\5\"", Agreed::DeflateFullWindow),
            ("server_max_window_bits=14", Agreed::None),
            ("server_max_window_bits", Agreed::None),
            ("server_max_window_bits=015", Agreed::None),
            ("client_max_window_bits=7", Agreed::None),
            ("client_max_window_bits=16", Agreed::None),
            ("client_max_window_bits=", Agreed::None),
            ("client_max_window_bits=\"9", Agreed::None),
            ("server_no_context_takeover=1", Agreed::None),
            (
                "server_no_context_takeover; server_no_context_takeover",
                Agreed::None,
            ),
            ("mystery", Agreed::None),
            ("", Agreed::None),
        ] {
            let list = format!("permessage-deflate; {parameters}");
            assert_eq!(
                offer(&[Box::leak(list.into_boxed_str())]),
                expected,
                "{parameters}"
            );
        }
    }

    #[test]
    fn the_first_offer_that_we_can_keep_to() {
        let second = "permessage-deflate; server_max_window_bits=9, permessage-deflate";
        assert_eq!(offer(&[second]), Agreed::Deflate);
        assert_eq!(offer(&["foo; x=\"a, permessage-deflate\""]), Agreed::None);
        assert_eq!(
            offer(&["foo; x=\"\\\",\"", "PerMessage-Deflate"]),
            Agreed::Deflate
        );
    }
}
