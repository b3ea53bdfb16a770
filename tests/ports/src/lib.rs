//! Ports for the servers that tests start.

#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that systems give to outgoing connections (Linux: from 32768), one of which could take a port
/// between our look and the server's start. Even the question whether the server is there yet could: a connection
/// whose own port is the one it asks for connects to itself. Not below 20000: the conformance
/// runners count theirs from 18100.
const PORTS: Range<u32> = 20_000..32_000;

/// A port of loopback that nobody listens on, another one each time; processes begin at different places.
///
/// # Errors
///
/// A port cannot be tried for another reason than that it is taken.
pub fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(1_009);
    loop {
        let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + number % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_free) => return Ok(port),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_lie_below_those_of_outgoing_connections() -> io::Result<()> {
        let ports = (0..50)
            .map(|_| free_port())
            .collect::<io::Result<Vec<_>>>()?;
        let different = ports.iter().collect::<std::collections::HashSet<_>>();
        assert_eq!(different.len(), ports.len());
        assert!(ports.iter().all(|port| PORTS.contains(&u32::from(*port))));
        Ok(())
    }

    #[test]
    fn a_port_that_is_taken_is_not_given() -> io::Result<()> {
        let taken = free_port()?;
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, taken))?;
        for _ in PORTS {
            assert_ne!(free_port()?, taken);
        }
        Ok(())
    }
}
