//! TLS of one listener or of the calls to one address.

use crate::tree::options;
use crate::values::Secret;

options! {
    /// Certificates and what is demanded of the other side. A PEM may stand here as text, as base64
    /// of the text, or as the path of a file.
    pub struct Tls {
        /// Uses these settings.
        enabled: bool;
        /// Own certificate: PEM.
        cert_pem: String;
        /// Key of the own certificate: PEM.
        key_pem: Secret;
        /// Authorities that a server's certificate may come from: PEM. Empty: those of the system.
        server_ca_pem: String;
        /// Authorities that a client's certificate must come from: PEM. Only of listeners.
        client_ca_pem: String;
        /// Takes any certificate of a server. Not for production.
        insecure_skip_verify: bool;
        /// Name that the server's certificate must have. Empty: the name in the address.
        server_name: String;
    }
}
