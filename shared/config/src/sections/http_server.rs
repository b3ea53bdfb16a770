//! `http_server`: where HTTP is served.

use super::tls::Tls;
use crate::tree::options;

options! {
    /// Where clients connect, and where what is not for clients is served.
    pub struct HttpServer {
        /// Address to listen on: an IP address or a host name. Empty: all interfaces.
        address: String;
        /// Port for clients. Range: 1 to 65535.
        port: u16 = 8000;
        /// Address for what is not meant for clients. Empty: `http_server.address`.
        internal_address: String;
        /// Port for what is not meant for clients: server API, health and metrics move there.
        /// Range: 1 to 65535. Empty: they are served on `http_server.port`.
        internal_port: Option<u16>;
        /// TLS of both ports.
        tls: Tls;
        /// Uses `http_server.tls` on the port for clients only.
        tls_external: bool;
        /// TLS of the internal port, in place of `http_server.tls`.
        internal_tls: Tls;
        /// Certificates from an ACME authority, in place of those of `http_server.tls`.
        tls_autocert: TlsAutocert;
        /// HTTP/3 on the port for clients.
        http3: Http3;
        /// Serves HTTP/2 without TLS on the port for clients, to those who know it beforehand. Always so
        /// here; known for compatibility.
        h2c_external: bool;
        /// Tells clients over HTTP/2 that they may open WebSockets there (RFC 8441). A WebSocket that has
        /// such a connection for itself takes ten times the memory of one over HTTP/1.1.
        external_http2_extended_connect: bool;
    }
}

options! {
    /// HTTP/3: UDP on the same port. It serves `webtransport` and nothing else.
    pub struct Http3 {
        /// Serves HTTP/3. Needs `http_server.tls`.
        enabled: bool;
    }
}

options! {
    /// Certificates that an ACME authority gives and renews.
    pub struct TlsAutocert {
        /// Asks for a certificate, and speaks TLS with it wherever `http_server.tls` would.
        enabled: bool;
        /// Names that the certificate is for. At least one.
        host_whitelist: Vec<String>;
        /// Directory that account and certificate are kept in. Empty: each start asks for a new
        /// certificate, which authorities limit.
        cache_dir: String;
        /// Address of a person, for the authority. Empty: none.
        email: String;
        /// Name that clients mean who name none. The certificate is shown to all; known for
        /// compatibility.
        server_name: String;
        /// Proves by HTTP, on `http_addr`, that the names are ours; the alternative is TLS on port 443.
        http: bool;
        /// Where proof by HTTP is served: host and port, or `:` and a port. Everything else there is
        /// sent to HTTPS.
        http_addr: String = ":80".to_owned();
        /// Directory of the authority: a URL. Empty: Let's Encrypt.
        directory_url: String;
        /// Authorities that vouch for the directory itself: PEM. Empty: those that browsers know.
        directory_ca_pem: String;
    }
}
