use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// An address of the block for documentation: nobody is there, and nothing is sent.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// What others are told to call: what is configured, or the address that a listener is bound to. One
/// that is bound to all addresses is called at the one that this machine would use towards others.
#[must_use]
pub fn advertised(configured: &str, bound: SocketAddr) -> String {
    if !configured.is_empty() {
        return configured.to_owned();
    }
    let ip = if bound.ip().is_unspecified() {
        outgoing().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    } else {
        bound.ip()
    };
    SocketAddr::new(ip, bound.port()).to_string()
}

/// The address that packets of this machine to others would come from.
fn outgoing() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_is_told() {
        let bound = SocketAddr::from(([10, 0, 0, 7], 8100));
        assert_eq!(
            advertised("gateway-0.gateways:8100", bound),
            "gateway-0.gateways:8100"
        );
        assert_eq!(advertised("", bound), "10.0.0.7:8100");
    }

    #[test]
    fn everywhere_is_no_address_to_call() {
        let told = advertised("", SocketAddr::from(([0, 0, 0, 0], 8100)));
        let told: SocketAddr = told.parse().unwrap();
        assert!(!told.ip().is_unspecified());
        assert_eq!(told.port(), 8100);
    }
}
