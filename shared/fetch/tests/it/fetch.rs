//! Fetching over real sockets: what is taken, and what is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::{Server, Site};
use gyre_auth::FetchKeys;
use gyre_config::Secret;
use gyre_config::tls::Tls;
use gyre_fetch::Client;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

const BYTES_MAX: usize = 1000;

async fn get(client: &Client, url: &str) -> Result<String, String> {
    let got = client.fetch(url, BYTES_MAX).await;
    got.map(|body| String::from_utf8(body).unwrap())
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn bodies_have_a_limit_and_statuses_count() {
    let site = Arc::new(Site::default());
    let server = Server::start(&site).await;
    let client = Client::new(&Tls::default()).unwrap();
    let url = |path: &str| format!("http://{}{path}", server.address);
    site.put("/ok", &"x".repeat(BYTES_MAX));
    site.put("/long", &"x".repeat(BYTES_MAX + 1));
    site.answer("/broken", (500, Vec::new(), "{}".into()));
    assert_eq!(get(&client, &url("/ok")).await.unwrap().len(), BYTES_MAX);
    assert!(
        get(&client, &url("/long"))
            .await
            .unwrap_err()
            .contains("too long")
    );
    assert!(
        get(&client, &url("/broken"))
            .await
            .unwrap_err()
            .contains("500")
    );
    assert!(
        get(&client, &url("/absent"))
            .await
            .unwrap_err()
            .contains("404")
    );
    assert!(get(&client, "not a url").await.is_err());
    assert!(get(&client, "file:///etc/passwd").await.is_err());
}

#[tokio::test]
async fn redirects_stay_at_home() {
    let (site, elsewhere) = (Arc::new(Site::default()), Arc::new(Site::default()));
    let (server, other) = (Server::start(&site).await, Server::start(&elsewhere).await);
    let client = Client::new(&Tls::default()).unwrap();
    let url = |path: &str| format!("http://{}{path}", server.address);
    let to = |location: String| (302, vec![("location", location)], String::new());
    site.put("/keys", "keys");
    elsewhere.put("/keys", "stolen");
    site.answer("/near", to("/keys".into()));
    site.answer("/away", to(format!("http://{}/keys", other.address)));
    site.answer(
        "/name",
        to(format!("http://localhost:{}/keys", server.address.port())),
    );
    site.answer("/round", to("/round".into()));
    assert_eq!(get(&client, &url("/near")).await.unwrap(), "keys");
    assert!(get(&client, &url("/away")).await.is_err());
    assert_eq!(elsewhere.asked(), 0);
    assert!(get(&client, &url("/name")).await.is_err());
    let before = site.asked();
    assert!(get(&client, &url("/round")).await.is_err());
    assert_eq!(site.asked() - before, 4);
}

#[tokio::test]
async fn who_does_not_answer_is_left_after_a_second() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let client = Client::new(&Tls::default()).unwrap();
    let start = Instant::now();
    assert!(get(&client, &url).await.is_err());
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(900) && took < Duration::from_secs(10),
        "{took:?}"
    );
}

/// An authority, and a certificate of it for a name.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn acceptor(&self, name: &str, clients: Option<&Self>) -> TlsAcceptor {
        let (certificate, key) = self.certify(name);
        let builder =
            ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.issuer.der().clone()).unwrap();
                let provider = Arc::new(crypto::ring::default_provider());
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder.with_single_cert(vec![certificate.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

fn trusting(authority: &Authority) -> Tls {
    Tls {
        enabled: true,
        server_ca_pem: authority.pem(),
        ..Tls::default()
    }
}

#[tokio::test]
async fn certificates_are_verified() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let site = Arc::new(Site::default());
    site.put("/", "keys");
    let server = Server::start_tls(&site, ours.acceptor("localhost", None)).await;
    let named = Server::start_tls(&site, ours.acceptor("keys.internal", None)).await;
    let url = |server: &Server| format!("https://localhost:{}/", server.address.port());
    let fetch = async |tls: &Tls, server: &Server| {
        get(&Client::new(tls).unwrap(), &url(server)).await.is_ok()
    };
    assert!(fetch(&trusting(&ours), &server).await);
    assert!(!fetch(&trusting(&theirs), &server).await);
    assert!(
        !fetch(&Tls::default(), &server).await,
        "the system knows no such authority"
    );
    assert!(!fetch(&trusting(&ours), &named).await, "another name");
    let renamed = Tls {
        server_name: "keys.internal".into(),
        ..trusting(&ours)
    };
    assert!(fetch(&renamed, &named).await);
    assert!(!fetch(&renamed, &server).await);
    let anybody = Tls {
        insecure_skip_verify: true,
        ..trusting(&theirs)
    };
    assert!(fetch(&anybody, &server).await);
    let off = Tls {
        enabled: false,
        ..anybody
    };
    assert!(!fetch(&off, &server).await);
}

#[tokio::test]
async fn we_show_our_own_certificate() {
    let (ours, clients) = (Authority::new(), Authority::new());
    let site = Arc::new(Site::default());
    site.put("/", "keys");
    let server = Server::start_tls(&site, ours.acceptor("localhost", Some(&clients))).await;
    let url = format!("https://localhost:{}/", server.address.port());
    let (certificate, key) = clients.certify("gyre");
    let shown = Tls {
        cert_pem: certificate.pem(),
        key_pem: Secret::new(&key.serialize_pem()),
        ..trusting(&ours)
    };
    assert!(get(&Client::new(&shown).unwrap(), &url).await.is_ok());
    assert!(
        get(&Client::new(&trusting(&ours)).unwrap(), &url)
            .await
            .is_err()
    );
    let half = Tls {
        key_pem: Secret::default(),
        ..shown
    };
    assert!(Client::new(&half).is_err());
}
