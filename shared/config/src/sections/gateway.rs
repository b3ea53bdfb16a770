//! `gateway` and `links`: how the processes of one installation find each other.

use super::tls::Tls;
use crate::tree::options;
use crate::values::Secret;

options! {
    /// A gateway, as other processes see it.
    pub struct Gateway {
        /// The internal gRPC service of the gateway.
        rpc: GatewayRpc;
    }
}

options! {
    /// Where a gateway takes commands from the API and from other gateways.
    pub struct GatewayRpc {
        /// Address to listen on: an IP address or a host name. Empty: all interfaces.
        address: String;
        /// Port of the internal gRPC service. Range: 1 to 65535.
        port: u16 = 8100;
        /// Host and port that others are told to call. Empty: found out from the listener.
        advertise: String;
        /// TLS of the port. With `client_ca_pem`, callers show a certificate and need no key.
        tls: Tls;
    }
}

options! {
    /// How a process reaches the others. All empty when everything runs in one process.
    pub struct Links {
        /// Gateways: `host:port` each, or the one word `registry`: those that the engine knows. A name
        /// stands for all of its addresses. Empty: the registry where processes run apart, nobody
        /// else in `gyre` unless its engine is shared and there is a key or a certificate.
        gateways: Vec<String>;
        /// Push service: `host:port` each.
        push: Vec<String>;
        /// Analytics service: `host:port` each.
        analytics: Vec<String>;
        /// Key that internal calls carry; the same in all processes.
        key: Secret;
        /// TLS of the calls.
        tls: Tls;
        /// Lets `gyre-gateway` and `gyre-api` run on an engine that does not reach other processes:
        /// commands reach all connections, publications none. For tests of commands.
        without_bus: bool;
    }
}
