use std::collections::HashSet;

use gyre_config::Proxy as Options;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of the W3C trace context.
const TRACE: [HeaderName; 2] = [
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// What a connection brought along that backends may be shown. [`Forwarded`] makes it.
///
/// Only what some proxy of the configuration asks for is kept: most connections have an empty one.
#[derive(Clone, Debug, Default)]
pub struct ClientContext {
    /// Headers of the HTTP request that the connection came with.
    pub headers: HeaderMap,
    /// Headers that the client itself sent in its connect command.
    pub emulated_headers: HeaderMap,
    /// Metadata of the gRPC call that the connection came with. Used where there are no headers.
    pub metadata: HeaderMap,
    /// `traceparent` and `tracestate` of the request that the connection came with.
    pub trace: HeaderMap,
}

impl ClientContext {
    /// Whether it brought along nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let maps = [
            &self.headers,
            &self.emulated_headers,
            &self.metadata,
            &self.trace,
        ];
        maps.into_iter().all(HeaderMap::is_empty)
    }
}

/// Which headers and metadata any proxy of the configuration asks for, in small letters.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Forwarded {
    headers: HashSet<HeaderName>,
    emulated_headers: HashSet<HeaderName>,
    metadata: HashSet<HeaderName>,
}

impl Forwarded {
    /// What a connection over HTTP brings along, by the headers of its request.
    #[must_use]
    pub fn of_request(&self, headers: &HeaderMap) -> ClientContext {
        ClientContext {
            headers: select(&self.headers, headers),
            trace: select(&TRACE, headers),
            ..ClientContext::default()
        }
    }

    /// What a connection over gRPC brings along, by the metadata of its call.
    #[must_use]
    pub fn of_call(&self, metadata: &HeaderMap) -> ClientContext {
        ClientContext {
            metadata: select(&self.metadata, metadata),
            trace: select(&TRACE, metadata),
            ..ClientContext::default()
        }
    }

    /// The headers of a connect command that are kept; put them into
    /// [`emulated_headers`](ClientContext::emulated_headers).
    pub fn emulated<'a>(&self, headers: impl Iterator<Item = (&'a str, &'a str)>) -> HeaderMap {
        let mut kept = HeaderMap::new();
        for (name, value) in headers {
            let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_bytes(value.as_bytes()),
            ) else {
                continue;
            };
            if self.emulated_headers.contains(&name) {
                kept.append(name, value);
            }
        }
        kept
    }

    pub(crate) fn add(&mut self, options: &Options) {
        self.headers.extend(names(&options.http_headers));
        self.emulated_headers
            .extend(names(&options.emulated_headers));
        self.metadata.extend(names(&options.grpc_metadata));
    }
}

/// Headers that belong to one connection or describe one body: passed on, they would break another.
const NEVER: [HeaderName; 10] = [
    HeaderName::from_static("connection"),
    HeaderName::from_static("content-encoding"),
    HeaderName::from_static("content-length"),
    HeaderName::from_static("content-type"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("host"),
    HeaderName::from_static("te"),
    HeaderName::from_static("trailer"),
    HeaderName::from_static("transfer-encoding"),
    HeaderName::from_static("upgrade"),
];

/// Names as they are compared; what cannot be a name is none, as configuration has said already.
pub(crate) fn names(given: &[String]) -> impl Iterator<Item = HeaderName> {
    given
        .iter()
        .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
        .filter(|name| !NEVER.contains(name))
}

/// All values of these headers.
pub(crate) fn select<'a>(
    names: impl IntoIterator<Item = &'a HeaderName>,
    headers: &HeaderMap,
) -> HeaderMap {
    let mut selected = HeaderMap::new();
    for name in names {
        for value in headers.get_all(name) {
            selected.append(name, value.clone());
        }
    }
    selected
}
