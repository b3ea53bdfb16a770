//! TLS of listeners: certificates from files, read again when they change.
//!
//! rustls with the arithmetic of `ring`, TLS 1.2 and 1.3. What a newcomer would get wrong: a
//! connection keeps the certificate that it began with; new files hold for new connections.

mod pem;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::crypto::CryptoProvider;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::time::sleep;

use crate::Parts;
use pem::Pem;
pub use pem::PemError;

/// How often files are compared with what was read. Ten seconds: certificates are replaced days
/// before they end.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Nothing older than TLS 1.2.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// What a listener shows and demands. Each text is a PEM, base64 of a PEM, or the path of a file.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Source {
    /// Certificate, with those that it rests on.
    pub cert_pem: String,
    /// Its private key. Not to be logged.
    pub key_pem: String,
    /// Authorities of which a client must show a certificate. Empty: clients show none.
    pub client_ca_pem: String,
}

impl fmt::Debug for Source {
    /// The key stays out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("cert_pem", &self.cert_pem)
            .field("client_ca_pem", &self.client_ca_pem)
            .finish_non_exhaustive()
    }
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text is none of what it may be.
    #[error("{option}: {source}")]
    Pem {
        /// Which of the texts.
        option: &'static str,
        /// What is wrong with it.
        source: PemError,
    },
    /// Certificate and key do not belong together, or are of a kind that is not known.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// There is no authority that a client's certificate could come from.
    #[error("client_ca_pem cannot be used: {0}")]
    Authorities(#[from] rustls::server::VerifierBuilderError),
}

/// The TLS of one listener. Cheap to clone; clones change together.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None`: certificates come from elsewhere.
    source: Option<Source>,
    state: Mutex<State>,
}

struct State {
    /// What was read last, and is in use.
    texts: Option<Texts>,
    config: Arc<ServerConfig>,
    /// What was read last and could not be used: told once.
    refused: Option<Texts>,
}

/// The PEMs behind a [`Source`].
#[derive(Clone, Eq, PartialEq)]
struct Texts {
    cert: Pem,
    key: Pem,
    client_ca: Option<Pem>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("source", &self.shared.source)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads everything once.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn new(source: Source) -> Result<Self, Error> {
        let texts = Texts::read(&source)?;
        let config = Arc::new(texts.config()?);
        Ok(Self::of(Some(source), Some(texts), config))
    }

    /// TLS whose certificates something else chooses and renews. `protocol` is one that it needs beside
    /// those of HTTP.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`].
    pub fn chosen_by(
        resolver: Arc<dyn ResolvesServerCert>,
        protocol: &[u8],
    ) -> Result<Self, Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(VERSIONS)?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = protocols();
        config.alpn_protocols.push(protocol.to_vec());
        Ok(Self::of(None, None, Arc::new(config)))
    }

    fn of(source: Option<Source>, texts: Option<Texts>, config: Arc<ServerConfig>) -> Self {
        let state = Mutex::new(State {
            texts,
            config,
            refused: None,
        });
        Self {
            shared: Arc::new(Shared { source, state }),
        }
    }

    /// Reads everything again, and leaves it to [`Prepared::commit`] to use it.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn prepare(&self) -> Result<Prepared, Error> {
        match &self.shared.source {
            Some(source) => self.prepared(Texts::read(source)?),
            None => Ok(Prepared {
                tls: self.clone(),
                news: None,
            }),
        }
    }

    fn prepared(&self, texts: Texts) -> Result<Prepared, Error> {
        let tls = self.clone();
        if Some(&texts) == self.shared.state.lock().texts.as_ref() {
            return Ok(Prepared { tls, news: None });
        }
        match texts.config() {
            Ok(config) => Ok(Prepared {
                tls,
                news: Some((texts, config)),
            }),
            Err(error) => {
                self.shared.state.lock().refused = Some(texts);
                Err(error)
            }
        }
    }

    /// Looks at the files until the process drains; whatever changed is read.
    pub fn watch(&self, parts: &Parts) {
        if self.shared.source.is_none() {
            return;
        }
        let tls = self.clone();
        parts.tasks.spawn_background("certificates", async move {
            loop {
                sleep(LOOK_INTERVAL).await;
                tls.look();
            }
        });
    }

    fn look(&self) {
        let Some(source) = &self.shared.source else {
            return;
        };
        let is_told = |texts: &Texts| self.shared.state.lock().refused.as_ref() == Some(texts);
        // Half-written files are read whole the next time.
        let Ok(texts) = Texts::read(source) else {
            return;
        };
        if is_told(&texts) {
            return;
        }
        match self.prepared(texts).map(Prepared::commit) {
            Ok(true) => tracing::info!("certificates changed and were read again"),
            Ok(false) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "certificates changed and cannot be used");
            }
        }
    }

    /// What new connections are served with; another value once certificates have changed.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.shared.state.lock().config)
    }
}

/// What was read again and can be used.
#[must_use]
pub struct Prepared {
    tls: Tls,
    news: Option<(Texts, ServerConfig)>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared")
            .field("has_news", &self.news.is_some())
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// Uses it for new connections; true if something had changed.
    pub fn commit(self) -> bool {
        let Some((texts, config)) = self.news else {
            return false;
        };
        let mut state = self.tls.shared.state.lock();
        state.config = Arc::new(config);
        state.texts = Some(texts);
        state.refused = None;
        true
    }
}

impl Texts {
    fn read(source: &Source) -> Result<Self, Error> {
        let read =
            |option, text: &str| Pem::read(text).map_err(|source| Error::Pem { option, source });
        let client_ca = &source.client_ca_pem;
        Ok(Self {
            cert: read("cert_pem", &source.cert_pem)?,
            key: read("key_pem", &source.key_pem)?,
            client_ca: match client_ca.is_empty() {
                true => None,
                false => Some(read("client_ca_pem", client_ca)?),
            },
        })
    }

    fn config(&self) -> Result<ServerConfig, Error> {
        let named = |option| move |source| Error::Pem { option, source };
        let certificates = self.cert.certificates().map_err(named("cert_pem"))?;
        let key = self.key.private_key().map_err(named("key_pem"))?;
        let provider = Arc::new(provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(VERSIONS)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for root in authorities.certificates().map_err(named("client_ca_pem"))? {
                    roots.add(root)?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build()?)
            }
        };
        let mut config = builder.with_single_cert(certificates, key)?;
        config.alpn_protocols = protocols();
        Ok(config)
    }
}

/// Browsers open few connections over HTTP/1.1, which streams would use up. Their WebSockets come over
/// connections of their own, which offer HTTP/1.1 only.
fn protocols() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec(), b"http/1.1".to_vec()]
}

/// How this process calls a server whose certificate comes from these authorities: a PEM, base64 of a
/// PEM, or the path of a file.
///
/// # Errors
///
/// See [`Error`].
pub fn client_trusting(
    option: &'static str,
    authorities: &str,
) -> Result<Arc<ClientConfig>, Error> {
    let named = |source| Error::Pem { option, source };
    let authorities = Pem::read(authorities).map_err(named)?;
    let mut roots = RootCertStore::empty();
    for root in authorities.certificates().map_err(named)? {
        roots.add(root)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(VERSIONS)?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

/// The arithmetic that all TLS of this process is done with.
#[must_use]
pub fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

#[cfg(test)]
mod tests;
