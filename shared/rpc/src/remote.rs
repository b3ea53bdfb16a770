use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::transport::Endpoint;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};

use crate::{Link, LinkError};

/// Longest wait for a connection, TLS included. One second: both ends stand in one installation.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(1);

/// How long a connection may be silent before the other side is asked whether it is there.
///
/// Five seconds: a peer that vanished without a word is noticed before most deadlines of calls.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// How long it has for the answer. Two seconds: a busy process answers within milliseconds.
const KEEP_ALIVE_WAIT_MAX: Duration = Duration::from_secs(2);

/// An address that is not `host:port`.
#[derive(Debug, thiserror::Error)]
#[error("{address:?} is not host:port")]
pub struct BadAddress {
    /// What was given.
    pub address: String,
}

/// TLS of a link.
#[derive(Clone, Debug)]
pub struct RemoteTls {
    /// What is shown and trusted.
    pub config: Arc<ClientConfig>,
    /// Name that the other side's certificate must have; `None`: the host of the address.
    pub name: Option<String>,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A link across the network to `host:port`, over TLS if there is a configuration for it.
///
/// Connects with the first call and again after a connection was lost; keeps an idle connection
/// alive, so that a peer that vanished is noticed. Every try has [`CONNECT_WAIT_MAX`].
///
/// Must be called within a tokio runtime: the connection is driven by a task of its own.
///
/// # Errors
///
/// [`BadAddress`].
pub fn remote(address: &str, tls: Option<RemoteTls>) -> Result<Link, BadAddress> {
    let bad = || BadAddress {
        address: address.to_owned(),
    };
    let target = Target::parse(address).ok_or_else(bad)?;
    // The connector speaks TLS; whatever stands above it sees a plain connection.
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|_| bad())?;
    let connector = service_fn(move |_: Uri| {
        let (target, tls) = (target.clone(), tls.clone());
        async move {
            let connected = timeout(CONNECT_WAIT_MAX, target.connect(tls)).await;
            connected.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
        }
    });
    let channel = endpoint
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_WAIT_MAX)
        .keep_alive_while_idle(true)
        .connect_with_connector_lazy(connector);
    Ok(BoxCloneSyncService::new(
        channel.map_err(|error| unanswered(&error)),
    ))
}

/// Whatever went wrong on the way: there is no answer of the other side.
fn unanswered(error: &dyn Error) -> LinkError {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told += &format!(": {error}");
        cause = error.source();
    }
    LinkError(Status::unavailable(told).into())
}

/// Host and port of an address; an IPv6 host stands in brackets, and the port is above zero.
#[must_use]
pub fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!bare.is_empty()).then_some((bare, port))
}

#[derive(Clone, Debug)]
struct Target {
    host: String,
    port: u16,
}

impl Target {
    fn parse(address: &str) -> Option<Self> {
        let (host, port) = host_and_port(address)?;
        Some(Self {
            host: host.to_owned(),
            port,
        })
    }

    async fn connect(self, tls: Option<RemoteTls>) -> io::Result<TokioIo<Box<dyn Io>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Io> = match tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = tls.name.unwrap_or(self.host);
                let name = ServerName::try_from(name).map_err(io::Error::other)?;
                let connector = TlsConnector::from(tls.config);
                Box::new(connector.connect(name, stream).await?)
            }
        };
        Ok(TokioIo::new(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (address, host) in [
            ("10.0.0.1:8100", "10.0.0.1"),
            ("[::1]:8100", "::1"),
            ("gateway.default.svc:8100", "gateway.default.svc"),
        ] {
            assert_eq!(host_and_port(address), Some((host, 8100)));
        }
        for address in ["", "gateway", ":8100", "gateway:", "gateway:0", "gateway:x"] {
            assert_eq!(host_and_port(address), None, "{address}");
        }
    }
}
