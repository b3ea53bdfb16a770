//! TLS to backends, and certificates of our own.

use std::sync::Arc;

use gyre_config::Secret;
use gyre_config::tls::Tls;
use gyre_proto::proxy as pb;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::backend::{Reply, Script, Server};
use crate::world::{name, proxy, rpc};

/// An authority and what it has signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate of this name, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server of this name that wants certificates of the authority from its clients.
    fn server(&self, name: &str) -> TlsAcceptor {
        let (certificate, key) = self.sign(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.pem().as_bytes()).unwrap();
        roots.add(authority).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// What a client of ours says.
    fn client(&self) -> Tls {
        let (certificate, key) = self.sign("client");
        Tls {
            enabled: true,
            cert_pem: certificate,
            key_pem: Secret::new(&key),
            server_ca_pem: self.pem(),
            ..Tls::default()
        }
    }
}

#[tokio::test]
async fn certificates_of_both_sides_are_shown_and_checked_over_http() {
    let authority = Authority::new();
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::https(&script, authority.server("localhost")).await;
    let url = format!("https://localhost:{}/", server.address.port());
    let call = async |tls: Tls| {
        let (proxy, _parts) = proxy(&url, |options| options.http.tls = tls);
        name(&rpc(&proxy).await)
    };
    assert_eq!(call(authority.client()).await, "result");
    assert_eq!(
        script.last().version,
        http::Version::HTTP_2,
        "agreed by TLS"
    );
    let stranger = Authority::new();
    let untrusted = Tls {
        server_ca_pem: stranger.pem(),
        ..authority.client()
    };
    assert_eq!(call(untrusted).await, "unreachable");
    let of_a_stranger = Tls {
        server_ca_pem: authority.pem(),
        ..stranger.client()
    };
    assert_eq!(call(of_a_stranger).await, "unreachable");
    let nothing_to_show = Tls {
        cert_pem: String::new(),
        key_pem: Secret::default(),
        ..authority.client()
    };
    assert_eq!(call(nothing_to_show).await, "unreachable");
    let other_name = Tls {
        server_name: "elsewhere".to_owned(),
        ..authority.client()
    };
    assert_eq!(call(other_name).await, "unreachable");
}

#[tokio::test]
async fn certificates_of_both_sides_are_shown_and_checked_over_grpc() {
    let authority = Authority::new();
    let script = Script::new(|_| Reply::message(&pb::RpcResponse::default()));
    let server = Server::https(&script, authority.server("backend.internal")).await;
    let endpoint = format!("grpc://localhost:{}", server.address.port());
    let call = async |server_name: &str| {
        let (proxy, _parts) = proxy(&endpoint, |options| {
            options.grpc.tls = authority.client();
            server_name.clone_into(&mut options.grpc.tls.server_name);
        });
        name(&rpc(&proxy).await)
    };
    assert_eq!(call("backend.internal").await, "result");
    assert_eq!(call("").await, "unreachable");
}

#[tokio::test]
async fn a_link_local_address_is_called_only_if_it_is_said() {
    let build = |endpoint: &str, is_allowed| {
        let mut config = gyre_config::Config::default();
        endpoint.clone_into(&mut config.rpc.proxy.endpoint);
        config.rpc.proxy.allow_link_local = is_allowed;
        gyre_backend::Backends::build(&config, &crate::world::parts(), None)
    };
    for endpoint in ["http://169.254.169.254/latest", "169.254.169.254:80"] {
        let error = build(endpoint, false).unwrap_err();
        assert_eq!(error.to_string(), "option rpc.proxy.endpoint");
        assert!(build(endpoint, true).is_ok());
    }
    // Written so that it is no address to the eye, it is resolved and refused then.
    let (proxy, _parts) = proxy("http://2852039166/", |_| {});
    let error = rpc(&proxy).await.unwrap_err();
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| {
        cause.source()
    });
    assert!(
        causes.any(|cause| cause.to_string().contains("allow_link_local")),
        "{error:?}"
    );
}
