use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use super::Error;

/// Connections that may wait to be accepted. Unit: connections.
///
/// 4096, the kernel's own default limit: clients that come back after a deploy must not be refused.
const BACKLOG: i32 = 4096;

/// A socket that is bound and listens, but accepts nobody.
#[derive(Debug)]
pub(super) struct Bound {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Bound {
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands the socket to the runtime.
    pub(super) fn listen(self) -> io::Result<TcpListener> {
        TcpListener::from_std(self.socket)
    }
}

/// Binds and listens. All of this machine's IPv4 addresses mean all of its addresses.
pub(super) fn bind(address: SocketAddr) -> Result<Bound, Error> {
    let opened = if address.ip() == Ipv4Addr::UNSPECIFIED {
        let everywhere = (Ipv6Addr::UNSPECIFIED, address.port()).into();
        // A port that is taken is taken; any other reason means that there is no IPv6 here.
        open(everywhere).or_else(|error| {
            if error.kind() == ErrorKind::AddrInUse {
                Err(error)
            } else {
                open(address)
            }
        })
    } else {
        open(address)
    };
    opened.map_err(|source| Error::Bind { address, source })
}

/// Binds a UDP socket, for HTTP/3. Takes an address as the listeners give it.
///
/// # Errors
///
/// [`Error::Bind`].
pub fn bind_udp(address: SocketAddr) -> Result<std::net::UdpSocket, Error> {
    let open = || {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(std::net::UdpSocket::from(socket))
    };
    open().map_err(|source| Error::Bind { address, source })
}

fn open(address: SocketAddr) -> io::Result<Bound> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = std::net::TcpListener::from(socket);
    Ok(Bound {
        address: socket.local_addr()?,
        socket,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_taken_is_named() {
        let first = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let error = bind(first.address()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot listen on {}", first.address())
        );
    }

    #[test]
    fn everywhere_means_every_family() {
        let everywhere = bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
        let port = everywhere.address().port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        if let Ok(other) = bind((Ipv6Addr::LOCALHOST, 0).into()) {
            drop(other);
            std::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        }
    }
}
