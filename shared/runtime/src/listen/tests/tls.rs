//! The same through TLS.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::tls::{Source, Tls};

/// A certificate for `localhost`, and its key: PEM.
struct Certificate {
    cert: String,
    key: String,
}

impl Certificate {
    fn make() -> Result<Self, rcgen::Error> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        Ok(Self {
            cert: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        })
    }

    fn source(&self) -> Source {
        Source {
            cert_pem: self.cert.clone(),
            key_pem: self.key.clone(),
            client_ca_pem: String::new(),
        }
    }
}

/// A client that trusts `server`, and shows `own` if there is one.
async fn connect(
    bench: &Bench,
    server: &Certificate,
    own: Option<&Certificate>,
    protocols: &[&str],
) -> Result<TlsStream<TcpStream>, Box<dyn StdError>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.cert.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => builder.with_client_auth_cert(
            vec![CertificateDer::from_pem_slice(own.cert.as_bytes())?],
            PrivateKeyDer::from_pem_slice(own.key.as_bytes())?,
        )?,
    };
    config.alpn_protocols = protocols
        .iter()
        .map(|one| one.as_bytes().to_vec())
        .collect();
    let stream = bench.connect().await?;
    let name = ServerName::try_from("localhost")?;
    Ok(TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?)
}

#[tokio::test]
async fn requests_and_claimed_connections_go_through_tls() -> Outcome {
    let certificate = Certificate::make()?;
    let mut bench = Bench::with(Some(Tls::new(certificate.source())?))?;
    let both = connect(&bench, &certificate, None, &["http/1.1", "h2"]).await?;
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut client = connect(&bench, &certificate, None, &["http/1.1"]).await?;
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    client.write_all(HELLO).await?;
    let mut answer = [0; 15];
    client.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"HTTP/1.1 200 OK");

    let mut client = connect(&bench, &certificate, None, &[]).await?;
    client.write_all(GRAB).await?;
    let mut taken = bench.take().await?;
    assert!(matches!(taken.stream, Stream::Tls(_)));
    taken.stream.write_all(b"yours").await?;
    taken.stream.shutdown().await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    assert_eq!((answer.as_str(), &taken.rest[..]), ("yours", &b"frame"[..]));
    Ok(())
}

#[tokio::test]
async fn grpc_goes_through_tls() -> Outcome {
    let certificate = Certificate::make()?;
    let bench = Bench::with(Some(Tls::new(certificate.source())?))?;
    let client = connect(&bench, &certificate, None, &["h2"]).await?;
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(client);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
    bench.parts.tasks.spawn("client", OnExit::Ignore, async {
        drop(connection.await);
    });
    let call = Request::post("https://x/svc/call").header("content-type", "application/grpc");
    let response = sender
        .send_request(call.body(Empty::<Bytes>::new())?)
        .await?;
    assert_eq!(response.collect().await?.to_bytes(), "grpc");
    Ok(())
}

#[tokio::test]
async fn what_is_not_tls_is_refused() -> Outcome {
    let certificate = Certificate::make()?;
    let bench = Bench::with(Some(Tls::new(certificate.source())?))?;
    let mut client = bench.connect().await?;
    client.write_all(HELLO).await?;
    let mut answer = Vec::new();
    // An alert, or a reset.
    drop(client.read_to_end(&mut answer).await);
    assert!(!answer.starts_with(b"HTTP/"));
    assert!(bench.counted("gyre_listener_refused_total{reason=\"tls\"} 1"));
    Ok(())
}

#[tokio::test]
async fn clients_show_a_certificate_of_the_authority() -> Outcome {
    let (certificate, client, stranger) = (
        Certificate::make()?,
        Certificate::make()?,
        Certificate::make()?,
    );
    let mut source = certificate.source();
    source.client_ca_pem = client.cert.clone();
    let bench = Bench::with(Some(Tls::new(source)?))?;
    let ask = async |own: Option<&Certificate>| -> Result<String, Box<dyn StdError>> {
        let mut stream = connect(&bench, &certificate, own, &[]).await?;
        stream.write_all(HELLO).await?;
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    assert_eq!(ask(Some(&client)).await?, "HTTP/1.1 200 OK");
    assert!(ask(None).await.is_err());
    assert!(ask(Some(&stranger)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_new_certificate_holds_for_new_connections() -> Outcome {
    let (first, second) = (Certificate::make()?, Certificate::make()?);
    let path = std::env::temp_dir().join(format!("gyre-listen-{}.pem", std::process::id()));
    // One file may hold both.
    let write = |one: &Certificate| std::fs::write(&path, format!("{}{}", one.cert, one.key));
    write(&first)?;
    let tls = Tls::new(Source {
        cert_pem: path.display().to_string(),
        key_pem: path.display().to_string(),
        client_ca_pem: String::new(),
    })?;
    let bench = Bench::with(Some(tls.clone()))?;
    let mut old = connect(&bench, &first, None, &[]).await?;
    write(&second)?;
    assert!(tls.prepare()?.commit());
    std::fs::remove_file(&path)?;
    assert!(connect(&bench, &first, None, &[]).await.is_err());
    connect(&bench, &second, None, &[]).await?;
    old.write_all(HELLO).await?;
    let mut answer = [0; 15];
    old.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    Ok(())
}
