use std::io;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use gyre_config::tls::Tls;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// An option is neither a PEM nor a file that can be read.
    #[error("option {option} is no PEM, and no file of that name can be read")]
    File {
        /// Name of the option.
        option: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An option's PEM has nothing of what it must have.
    #[error("option {option} has no usable certificate or key")]
    Pem {
        /// Name of the option.
        option: &'static str,
    },
    /// `cert_pem` and `key_pem` go together.
    #[error("cert_pem and key_pem go together")]
    Pair,
    /// `server_name` is no name.
    #[error("option server_name")]
    ServerName(#[from] InvalidDnsNameError),
    /// The TLS library refuses what is configured.
    #[error("TLS settings do not go together")]
    Refused(#[from] rustls::Error),
    /// No authority can be trusted.
    #[error("no certificate authorities")]
    Authorities(#[from] rustls::server::VerifierBuilderError),
    /// The HTTP client cannot be made.
    #[error("the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// What a client of ours does about TLS. Settings that are not enabled leave the system's
/// authorities in charge.
///
/// # Errors
///
/// [`TlsError`].
pub fn config(tls: &Tls) -> Result<ClientConfig, TlsError> {
    let off = Tls::default();
    let tls = if tls.enabled { tls } else { &off };
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match verifier(tls, &provider)? {
        Some(verifier) => builder
            .dangerous()
            .with_custom_certificate_verifier(verifier),
        // Without a single authority this trusts nobody, which is right, and lets HTTP be.
        None => builder.with_root_certificates(roots(tls)?),
    };
    match (tls.cert_pem.is_empty(), tls.key_pem.is_empty()) {
        (true, true) => Ok(builder.with_no_client_auth()),
        (false, false) => {
            let certificates = certificates("cert_pem", &tls.cert_pem)?;
            let pem = text("key_pem", tls.key_pem.expose())?;
            let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
                .map_err(|_| TlsError::Pem { option: "key_pem" })?;
            Ok(builder.with_client_auth_cert(certificates, key)?)
        }
        (true, false) | (false, true) => Err(TlsError::Pair),
    }
}

/// What decides about servers' certificates, where it is not the usual.
fn verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ServerCertVerifier>>, TlsError> {
    if tls.insecure_skip_verify {
        tracing::warn!("tls.insecure_skip_verify: any certificate of a server is taken");
        let provider = Arc::clone(provider);
        return Ok(Some(Arc::new(Anybody { provider })));
    }
    if tls.server_name.is_empty() {
        return Ok(None);
    }
    let name = ServerName::try_from(tls.server_name.clone())?;
    let roots = roots(tls)?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider)).build()?;
    Ok(Some(Arc::new(Named { name, verifier })))
}

/// Authorities of the system. Reading them is slow, and all clients trust the same.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (_, broken) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(certificates = roots.len(), broken, "system's authorities");
    Arc::new(roots)
});

fn roots(tls: &Tls) -> Result<Arc<RootCertStore>, TlsError> {
    if tls.server_ca_pem.is_empty() {
        return Ok(Arc::clone(&SYSTEM));
    }
    let mut roots = RootCertStore::empty();
    for certificate in certificates("server_ca_pem", &tls.server_ca_pem)? {
        roots.add(certificate)?;
    }
    Ok(Arc::new(roots))
}

fn certificates(
    option: &'static str,
    given: &str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = text(option, given)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.ok()
        .filter(|all| !all.is_empty())
        .ok_or(TlsError::Pem { option })
}

fn text(option: &'static str, given: &str) -> Result<String, TlsError> {
    gyre_auth::pem_text(given, |path: &Path| std::fs::read_to_string(path))
        .map_err(|source| TlsError::File { option, source })
}

/// Verifies as another does, but for one name, whatever the address says.
#[derive(Debug)]
struct Named {
    name: ServerName<'static>,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier
            .verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Takes every certificate. The handshake must still be made with its key.
#[derive(Debug)]
struct Anybody {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
