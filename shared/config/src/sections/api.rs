//! `http_api` and `grpc_api`: the server API.

use super::tls::Tls;
use crate::tree::options;
use crate::values::{ByteSize, Secret, keyword};

options! {
    /// Server API over HTTP.
    pub struct HttpApi {
        /// Switches the API off.
        disabled: bool;
        /// Path that the methods stand below.
        handler_prefix: String = "/api".to_owned();
        /// Key that callers must send. Empty: every call is refused, unless `insecure`.
        key: Secret;
        /// Lets callers show a bearer token in place of the key.
        jwks: CallerJwks;
        /// How errors are told.
        error_mode: ErrorMode = ErrorMode::Application;
        /// Serves the API on the port for clients even if there is an internal port.
        external: bool;
        /// Asks for no key. Not for production.
        insecure: bool;
    }
}

options! {
    /// Server API over gRPC.
    pub struct GrpcApi {
        /// Serves the API.
        enabled: bool;
        /// Address to listen on: an IP address or a host name. Empty: all interfaces.
        address: String;
        /// Port. Range: 1 to 65535.
        port: u16 = 10_000;
        /// Key that callers must send. Empty: every call is refused, unless `insecure`.
        key: Secret;
        /// Lets callers show a bearer token in place of the key.
        jwks: CallerJwks;
        /// Asks for no key. Not for production.
        insecure: bool;
        /// TLS of the port.
        tls: Tls;
        /// Serves descriptions of the API to tools that ask for them.
        reflection: bool;
        /// Longest request message. Unit: bytes. 0: 4 MiB.
        max_receive_message_size: ByteSize;
        /// How errors are told.
        error_mode: ErrorMode = ErrorMode::Application;
    }
}

options! {
    /// How bearer tokens of callers are verified: `authorization: Bearer` and a token that is signed
    /// with RSA, ECDSA or Ed25519 and expires.
    pub struct CallerJwks {
        /// Accepts such tokens.
        enabled: bool;
        /// URL of the key set.
        endpoint: String;
        /// Audience that tokens must have. Empty: any.
        audience: String;
        /// Issuer that tokens must have. Empty: any.
        issuer: String;
        /// Scope that tokens must have. Empty: any.
        scope: String;
        /// TLS of the calls to the endpoint.
        tls: Tls;
    }
}

keyword! {
    /// How the server API tells errors.
    pub enum ErrorMode = Application {
        /// In the body, beside a transport status of success.
        Application = "",
        /// As an HTTP or gRPC status.
        Transport = "transport"
    }
}
