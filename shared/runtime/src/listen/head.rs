use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, request};

/// Longest request head. Unit: bytes.
///
/// 16 KiB, as hyper's own limit for HTTP/2: cookies and tokens fit, a flood of headers does not.
pub(super) const BYTES_MAX: usize = 16 * 1024;

/// Most headers in a request head. 100, as hyper.
const HEADERS_MAX: usize = 100;

/// What every HTTP/2 connection begins with.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The request target.
    pub uri: Uri,
    /// HTTP/1.0, HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// The headers, in lower case.
    pub headers: HeaderMap,
}

/// What the bytes read so far are.
#[derive(Debug)]
pub(super) enum Parsed {
    /// The beginning of a head, or of HTTP/2.
    Partial,
    /// A head, and its length. Unit: bytes.
    Http1(Box<Head>, usize),
    /// HTTP/2 with prior knowledge.
    Http2,
    /// Not HTTP.
    Malformed,
    /// More headers than we take.
    TooLarge,
}

impl Head {
    /// Takes the head out of a request.
    pub(super) fn take(parts: &mut request::Parts) -> Self {
        Self {
            method: std::mem::take(&mut parts.method),
            uri: std::mem::take(&mut parts.uri),
            version: parts.version,
            headers: std::mem::take(&mut parts.headers),
        }
    }

    /// Puts it back.
    pub(super) fn put_back(self, parts: &mut request::Parts) {
        let Self {
            method,
            uri,
            version,
            headers,
        } = self;
        (parts.method, parts.uri) = (method, uri);
        (parts.version, parts.headers) = (version, headers);
    }

    /// The path of the target.
    #[must_use]
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query of the target without the question mark; empty if there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// A header's value, or `None` if it is missing or not visible ASCII.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Reads what a connection begins with.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    if bytes.starts_with(HTTP2_PREFACE) {
        return Parsed::Http2;
    }
    if HTTP2_PREFACE.starts_with(bytes) {
        return Parsed::Partial;
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => match convert(&request) {
            Some(head) => Parsed::Http1(Box::new(head), len),
            None => Parsed::Malformed,
        },
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => Parsed::TooLarge,
        Err(_) => Parsed::Malformed,
    }
}

fn convert(request: &httparse::Request<'_, '_>) -> Option<Head> {
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for header in request.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(Head {
        method: Method::from_bytes(request.method?.as_bytes()).ok()?,
        uri: target(request.path?)?,
        version: match request.version? {
            0 => Version::HTTP_10,
            _ => Version::HTTP_11,
        },
        headers,
    })
}

fn target(text: &str) -> Option<Uri> {
    if text.starts_with('/') {
        // A path may begin with two slashes, which a whole URI would read as a host.
        return Some(text.parse::<PathAndQuery>().ok()?.into());
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UPGRADE: &[u8] = b"GET /connection/websocket?format=protobuf HTTP/1.1\r\nHost: x\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    fn head(bytes: &[u8]) -> (Box<Head>, usize) {
        let parsed = parse(bytes);
        let Parsed::Http1(head, len) = parsed else {
            panic!("{parsed:?}")
        };
        (head, len)
    }

    #[test]
    fn a_head_is_read_and_measured() {
        let mut bytes = UPGRADE.to_vec();
        bytes.extend_from_slice(b"\x81\x80abcd");
        let (head, len) = head(&bytes);
        assert_eq!(len, UPGRADE.len());
        assert_eq!(head.path(), "/connection/websocket");
        assert_eq!(head.query(), "format=protobuf");
        assert_eq!(head.header(&http::header::UPGRADE), Some("websocket"));
    }

    #[test]
    fn every_beginning_of_a_head_is_partial() {
        for len in 0..UPGRADE.len() {
            assert!(matches!(parse(&UPGRADE[..len]), Parsed::Partial), "{len}");
        }
    }

    #[test]
    fn the_preface_is_recognised_only_whole() {
        for len in 0..HTTP2_PREFACE.len() {
            assert!(
                matches!(parse(&HTTP2_PREFACE[..len]), Parsed::Partial),
                "{len}"
            );
        }
        assert!(matches!(parse(HTTP2_PREFACE), Parsed::Http2));
        let almost = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r";
        assert!(matches!(parse(almost), Parsed::Malformed));
    }

    #[test]
    fn a_path_with_two_slashes_stays_a_path() {
        assert_eq!(
            head(b"GET //api/publish HTTP/1.1\r\n\r\n").0.path(),
            "//api/publish"
        );
        assert_eq!(
            head(b"GET http://h/api?x HTTP/1.0\r\n\r\n").0.path(),
            "/api"
        );
    }

    #[test]
    fn what_is_not_http_is_told_apart() {
        for bad in [
            &b"\x16\x03\x01\x02\x00\x01"[..],
            b"GET / HTTP/3.0\r\n\r\n",
            b"GET / HTTP/1.1\r\nna me: x\r\n\r\n",
            b"GET \xff HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(parse(bad), Parsed::Malformed), "{bad:?}");
        }
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "a: b\r\n".repeat(HEADERS_MAX + 1)
        );
        assert!(matches!(parse(many.as_bytes()), Parsed::TooLarge));
        let most = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX));
        assert_eq!(head(most.as_bytes()).0.headers.len(), HEADERS_MAX);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            drop(parse(&bytes));
        }

        #[test]
        fn no_change_of_a_head_makes_it_panic(at in 0..UPGRADE.len(), byte in any::<u8>()) {
            let mut bytes = UPGRADE.to_vec();
            bytes[at] = byte;
            drop(parse(&bytes));
        }
    }
}
