//! The HTTP side of a connection: a request for an upgrade in, the answer out. No I/O.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Version};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use thiserror::Error;

use super::extension::{self, Agreed, Compression};
use super::origin::Origins;

/// What a key is hashed with. Source: RFC 6455, 1.3.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request for an upgrade.
#[derive(Clone, Copy, Debug)]
pub struct Upgrade<'a> {
    /// Has to be GET over HTTP/1.1, CONNECT over HTTP/2.
    pub method: &'a Method,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// What follows the `?` of the target; empty without one.
    pub query: &'a str,
}

/// The formats that a client can ask for by subprotocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subprotocol {
    /// `centrifuge-json`.
    Json,
    /// `centrifuge-protobuf`.
    Protobuf,
}

impl Subprotocol {
    /// Its name in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "centrifuge-json",
            Self::Protobuf => "centrifuge-protobuf",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Json, Self::Protobuf]
            .into_iter()
            .find(|known| known.name() == name)
    }
}

/// Who keeps the connection alive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keepalive {
    /// The client protocol's own pings.
    Application,
    /// WebSocket pings, for clients that only speak WebSocket (`cf_ws_frame_ping_pong=true`).
    Frames,
}

/// An upgrade that is granted, and what was agreed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// `None` over HTTP/2, where nothing is upgraded.
    accept_key: Option<HeaderValue>,
    agreed: Agreed,
    /// What the answer names; `None` when the client named none that we know.
    pub subprotocol: Option<Subprotocol>,
    /// The format to speak: by subprotocol, by `format` or `cf_protocol` in the query, or JSON.
    pub format: Subprotocol,
    /// Who keeps the connection alive.
    pub keepalive: Keepalive,
}

impl Accepted {
    /// Whether messages may be compressed.
    #[must_use]
    pub const fn compression(&self) -> Compression {
        self.agreed.compression()
    }

    /// The answer, which the first frame follows.
    #[must_use]
    pub fn response(&self) -> Response<()> {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        if let Some(key) = &self.accept_key {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(SEC_WEBSOCKET_ACCEPT, key.clone());
        }
        if let Some(chosen) = self.subprotocol {
            let name = HeaderValue::from_static(chosen.name());
            headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
        }
        if let Some(agreed) = self.agreed.header_value() {
            let agreed = HeaderValue::from_static(agreed);
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, agreed);
        }
        *response.status_mut() = match self.accept_key {
            Some(_) => StatusCode::SWITCHING_PROTOCOLS,
            None => StatusCode::OK,
        };
        response
    }
}

/// Why an upgrade is refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// It is no valid request for an upgrade.
    #[error("not a WebSocket upgrade: {0}")]
    Invalid(&'static str),
    /// The method is not GET, or over HTTP/2 not CONNECT.
    #[error("method is not one of a WebSocket")]
    Method,
    /// The origin is not allowed.
    #[error("origin is not allowed")]
    Origin,
    /// The connection under it cannot be taken over.
    #[error("connection cannot be upgraded")]
    Internal,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer. The body is the status's text.
    #[must_use]
    pub fn response(self) -> Response<String> {
        let mut response = crate::http::plain(self.status());
        let version = HeaderValue::from_static("13");
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_VERSION, version);
        response
    }
}

impl Upgrade<'_> {
    /// Decides about the request. `compression` is what the endpoint is configured for.
    ///
    /// # Errors
    ///
    /// The first reason to refuse it, in the order in which the reference looks for them.
    pub fn accept(&self, origins: &Origins, compression: Compression) -> Result<Accepted, Refusal> {
        let is_upgrade = self.version < Version::HTTP_2;
        if is_upgrade {
            self.check_upgrade()?;
        } else if self.method != Method::CONNECT {
            return Err(Refusal::Method);
        }
        if !has_token(self.headers, SEC_WEBSOCKET_VERSION, "13") {
            return Err(Refusal::Invalid("version is not 13"));
        }
        if !origins.allows(self.headers) {
            return Err(Refusal::Origin);
        }
        let accept_key = is_upgrade.then(|| self.accept_key()).transpose()?;
        let subprotocol =
            tokens(self.headers, SEC_WEBSOCKET_PROTOCOL).find_map(Subprotocol::from_name);
        Ok(Accepted {
            accept_key,
            agreed: match compression {
                Compression::Off => Agreed::None,
                Compression::Deflate => extension::negotiate(self.headers),
            },
            subprotocol,
            format: self.format(subprotocol),
            keepalive: if self.asks("cf_ws_frame_ping_pong", "true") {
                Keepalive::Frames
            } else {
                Keepalive::Application
            },
        })
    }

    fn check_upgrade(&self) -> Result<(), Refusal> {
        if !has_token(self.headers, CONNECTION, "upgrade") {
            return Err(Refusal::Invalid("no `Connection: Upgrade`"));
        }
        if !has_token(self.headers, UPGRADE, "websocket") {
            return Err(Refusal::Invalid("no `Upgrade: websocket`"));
        }
        if self.method != Method::GET {
            return Err(Refusal::Method);
        }
        if self.version < Version::HTTP_11 {
            return Err(Refusal::Invalid("HTTP older than 1.1"));
        }
        Ok(())
    }

    fn accept_key(&self) -> Result<HeaderValue, Refusal> {
        let key = self.headers.get(SEC_WEBSOCKET_KEY);
        let key = key.map_or(&[][..], |key| key.as_bytes());
        if !is_key(key) {
            return Err(Refusal::Invalid("key is not the Base64 form of 16 bytes"));
        }
        // Base64 is visible ASCII.
        HeaderValue::try_from(accept_key(key)).map_err(|_invalid| Refusal::Internal)
    }

    fn format(&self, subprotocol: Option<Subprotocol>) -> Subprotocol {
        let by_query = self.asks("format", "protobuf") || self.asks("cf_protocol", "protobuf");
        if by_query || subprotocol == Some(Subprotocol::Protobuf) {
            Subprotocol::Protobuf
        } else {
            Subprotocol::Json
        }
    }

    /// Whether the first parameter called `name` is `value`. Neither needs escaping in a query.
    fn asks(&self, name: &str, value: &str) -> bool {
        let mut pairs = self
            .query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs
            .find(|pair| pair.0 == name)
            .is_some_and(|pair| pair.1 == value)
    }
}

fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
}

fn has_token(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

/// Whether `key` has the form of 16 bytes in Base64. Unused bits of the last digit are not looked at:
/// there are clients that make a key up out of random letters.
fn is_key(key: &[u8]) -> bool {
    key.len() == 24
        && key.strip_suffix(b"==").is_some_and(|digits| {
            digits
                .iter()
                .all(|digit| digit.is_ascii_alphanumeric() || b"+/".contains(digit))
        })
}

fn accept_key(key: &[u8]) -> String {
    let mut hash = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(KEY_SUFFIX);
    STANDARD.encode(hash.finish())
}

#[cfg(test)]
mod tests;
