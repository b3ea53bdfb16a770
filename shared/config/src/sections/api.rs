//! `http_api` and `grpc_api`: the server API.

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
        /// Asks for no key. Not for production.
        insecure: bool;
        /// Serves descriptions of the API to tools that ask for them.
        reflection: bool;
        /// Longest request message. Unit: bytes. 0: 4 MiB.
        max_receive_message_size: ByteSize;
        /// How errors are told.
        error_mode: ErrorMode = ErrorMode::Application;
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
