//! From options to a proxy.

use std::error::Error as StdError;

use gyre_config::Proxy as Options;
use gyre_runtime::Clock;
use http::Uri;

use crate::error::BuildError;
use crate::guard::{self, Guard};
use crate::messages::payload::Form;
use crate::observe::{Observer, Reports};
use crate::proxy::notify::Misses;
use crate::proxy::{Proxy, Wire};
use crate::wire::connector::{Connecting, LinkLocal, check_literal};
use crate::wire::grpc::Grpc;
use crate::wire::headers::Headers;
use crate::wire::http::Http;
use crate::wire::signature::Signer;

/// What carries the requests of an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Protocol {
    Http,
    Grpc,
}

impl Protocol {
    /// Of an endpoint: all that do not begin like an address of the Web are over gRPC.
    fn of(endpoint: &str) -> Self {
        if endpoint.starts_with("http://") || endpoint.starts_with("https://") {
            Self::Http
        } else {
            Self::Grpc
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

/// A backend under its name: `default`, or that of one of `proxies`. `path` is where its options
/// stand.
pub(crate) fn proxy(
    (name, path): (&str, &str),
    options: &Options,
    reports: &Reports,
    clock: &Clock,
) -> Result<Proxy, BuildError> {
    let bad = |option: &str, source: Box<dyn StdError + Send + Sync>| BuildError::Option {
        path: format!("{path}.{option}"),
        source,
    };
    let link_local = if options.allow_link_local {
        LinkLocal::Allowed
    } else {
        LinkLocal::Refused
    };
    let protocol = Protocol::of(&options.endpoint);
    let addresses = std::iter::once(&options.endpoint).chain(&options.endpoints);
    let mut endpoints = Vec::new();
    for (address, option) in
        addresses.zip(std::iter::once("endpoint").chain(std::iter::repeat("endpoints")))
    {
        let endpoint =
            uri(address, protocol, options).map_err(|error| bad(option, error.into()))?;
        check_literal(&endpoint, link_local).map_err(|error| bad(option, error.into()))?;
        endpoints.push(endpoint);
    }
    let timeout = guard::timeout(options);
    let connecting = Connecting {
        link_local,
        // Another address must have its chance within the deadline.
        timeout: if endpoints.len() > 1 {
            timeout / 2
        } else {
            timeout
        },
    };
    let (wire, headers) = match protocol {
        Protocol::Http => {
            let tls = gyre_fetch::tls_client_config(&options.http.tls);
            let tls = tls.map_err(|error| bad("http.tls", error.into()))?;
            let headers = Headers::http(options, login(&options.endpoint));
            let headers = headers.map_err(|error| bad("http.static_headers", error.into()))?;
            (Wire::Http(Http::new(options, tls, connecting)), headers)
        }
        Protocol::Grpc => {
            let tls = gyre_fetch::tls_client_config(&options.grpc.tls);
            let tls = tls.map_err(|error| bad("grpc.tls", error.into()))?;
            let headers = Headers::grpc(options);
            let headers = headers.map_err(|error| bad("grpc", error.into()))?;
            (Wire::Grpc(Grpc::new(options, tls, connecting)), headers)
        }
    };
    Ok(Proxy {
        name: name.into(),
        wire,
        headers,
        signer: Signer::new(options.http.signature_key.expose()),
        form: Form {
            is_binary: options.binary_encoding,
            has_meta: options.include_connection_meta,
        },
        guard: Guard::new(options, endpoints),
        observer: Observer::new(reports, protocol.as_str(), name),
        cache_misses: Misses::default(),
        clock: clock.clone(),
    })
}

/// An endpoint as a client of HTTP wants it.
fn uri(address: &str, protocol: Protocol, options: &Options) -> Result<Uri, http::Error> {
    if protocol == Protocol::Http {
        let Some(login) = login(address) else {
            return Ok(address.parse::<Uri>()?);
        };
        return Ok(address
            .replacen(&format!("{login}@"), "", 1)
            .parse::<Uri>()?);
    }
    let scheme = if options.grpc.tls.enabled {
        "https"
    } else {
        "http"
    };
    let authority = address.strip_prefix("grpc://").unwrap_or(address);
    Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query("/")
        .build()
}

/// The name and password that an address over HTTP holds, as they are written there.
fn login(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(login, _)| login)
}
