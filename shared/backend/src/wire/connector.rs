//! How connections are made: names resolved, addresses looked at, TLS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

/// Whether link-local addresses may be called. Option `allow_link_local`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LinkLocal {
    /// They may.
    Allowed,
    /// They may not.
    Refused,
}

/// Makes connections to backends.
pub(crate) type Connector = HttpsConnector<HttpConnector<Resolver>>;

/// Which versions of HTTP a connection may speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Versions {
    /// Version 1.1, or 2 where TLS agrees on it.
    Any,
    /// Version 2.
    Two,
}

/// How connections are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connecting {
    /// Whether link-local addresses may be called.
    pub(crate) link_local: LinkLocal,
    /// Longest wait for a connection, over all addresses that a name has.
    pub(crate) timeout: Duration,
}

/// A connector with these settings of TLS.
pub(crate) fn connector(
    tls: rustls::ClientConfig,
    versions: Versions,
    connecting: Connecting,
) -> Connector {
    let link_local = connecting.link_local;
    let mut tcp = HttpConnector::new_with_resolver(Resolver { link_local });
    tcp.set_connect_timeout(Some(connecting.timeout));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    match versions {
        Versions::Any => builder.enable_all_versions().wrap_connector(tcp),
        Versions::Two => builder.enable_http2().wrap_connector(tcp),
    }
}

/// Resolves names, and leaves out addresses that may not be called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolver {
    link_local: LinkLocal,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let link_local = self.link_local;
        Box::pin(async move {
            // The port is put in later.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let mut found: Vec<SocketAddr> = found.collect();
            if link_local == LinkLocal::Refused {
                found.retain(|address| !is_refused(address.ip()));
            }
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, Refused));
            }
            Ok(found.into_iter())
        })
    }
}

/// Why a backend's address is not called.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("link-local addresses are called only with option allow_link_local")]
pub(crate) struct Refused;

/// Refuses an endpoint whose host is written as an address that may not be called.
///
/// Such a host is not resolved, so this has to be asked when the proxy is built.
pub(crate) fn check_literal(endpoint: &Uri, link_local: LinkLocal) -> Result<(), Refused> {
    let host = endpoint.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_fine = link_local == LinkLocal::Allowed
        || host.parse::<IpAddr>().map_or(true, |ip| !is_refused(ip));
    if is_fine { Ok(()) } else { Err(Refused) }
}

/// Where clouds tell machines their secrets, besides link-local addresses.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

fn is_refused(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    is_link_local || METADATA.contains(&ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_tell_secrets_are_refused() {
        let refused = [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
        ];
        for ip in refused {
            assert!(is_refused(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "100.100.100.201"] {
            assert!(!is_refused(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_host_written_as_an_address_is_looked_at_too() {
        let check = |uri: &str, link_local| check_literal(&uri.parse().unwrap(), link_local);
        for uri in ["http://169.254.169.254/latest", "http://[fe80::1]:80/"] {
            assert_eq!(check(uri, LinkLocal::Refused), Err(Refused), "{uri}");
            assert_eq!(check(uri, LinkLocal::Allowed), Ok(()), "{uri}");
        }
        assert_eq!(check("http://example.com/", LinkLocal::Refused), Ok(()));
    }

    #[tokio::test]
    async fn a_name_is_looked_at_after_it_is_resolved() {
        let resolve = |name: &str| {
            let mut resolver = Resolver {
                link_local: LinkLocal::Refused,
            };
            resolver.call(name.parse().unwrap())
        };
        assert!(resolve("localhost").await.is_ok());
        let error = resolve("169.254.169.254").await.unwrap_err();
        assert!(error.to_string().contains("allow_link_local"), "{error}");
    }
}
