//! Certificates from an ACME authority: asked for, kept and renewed.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Redirect;
use axum::routing::get;
use futures_util::StreamExt as _;
use gyre_config::TlsAutocert;
use gyre_runtime::Parts;
use gyre_runtime::tls::{self, Tls};
use http::header::HOST;
use http::{HeaderMap, StatusCode, Uri};
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, AcmeState, ResolvesServerCertAcme, UseChallenge};

/// What a connection that only wants proof speaks. Source: RFC 8737.
const PROOF_PROTOCOL: &[u8] = b"acme-tls/1";

/// Where proof by HTTP is looked for. Source: RFC 8555, 8.3.
const PROOF_PATH: &str = "/.well-known/acme-challenge/{token}";

/// The certificates, and who gets them.
pub(crate) struct Autocert {
    /// TLS with them. Handshakes fail until there is a certificate.
    pub(crate) tls: Tls,
    state: AcmeState<io::Error>,
}

impl std::fmt::Debug for Autocert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Autocert").finish_non_exhaustive()
    }
}

impl Autocert {
    /// Asks nobody yet.
    pub(crate) fn new(options: &TlsAutocert) -> Result<Self, tls::Error> {
        let names = &options.host_whitelist;
        let authorities = &options.directory_ca_pem;
        let config: AcmeConfig<io::Error> = if authorities.is_empty() {
            let provider = Arc::new(tls::provider());
            AcmeConfig::new_with_provider(names, provider).cache_option(cache(options))
        } else {
            let client = tls::client_trusting("directory_ca_pem", authorities)?;
            AcmeConfig::new_with_client_config(names, client).cache_option(cache(options))
        };
        let config = match options.directory_url.as_str() {
            "" => config.directory_lets_encrypt(true),
            url => config.directory(url),
        };
        let email = (!options.email.is_empty()).then(|| format!("mailto:{}", options.email));
        let state = config
            .contact(email)
            .challenge_type(match options.http {
                true => UseChallenge::Http01,
                false => UseChallenge::TlsAlpn01,
            })
            .state();
        Ok(Self {
            tls: Tls::chosen_by(state.resolver(), PROOF_PROTOCOL)?,
            state,
        })
    }

    /// What answers who wants proof by HTTP, and sends everybody else to HTTPS.
    pub(crate) fn routes(&self) -> Router {
        Router::new()
            .route(PROOF_PATH, get(proof))
            .fallback(to_https)
            .with_state(self.state.resolver())
    }

    /// Gets certificates until the process drains.
    pub(crate) fn run(self, parts: &Parts) {
        let mut state = self.state;
        parts
            .tasks
            .spawn_background("automatic certificates", async move {
                while let Some(event) = state.next().await {
                    match event {
                        Ok(event) => tracing::info!(?event, "automatic certificates"),
                        // It is tried again, later each time.
                        Err(error) => tracing::error!(%error, "automatic certificates"),
                    }
                }
            });
    }
}

fn cache(options: &TlsAutocert) -> Option<DirCache<String>> {
    let directory = &options.cache_dir;
    if directory.is_empty() {
        tracing::warn!("http_server.tls_autocert.cache_dir is not set: certificates are not kept");
    }
    (!directory.is_empty()).then(|| DirCache::new(directory.clone()))
}

async fn proof(
    State(resolver): State<Arc<ResolvesServerCertAcme>>,
    Path(token): Path<String>,
) -> Result<String, StatusCode> {
    let proof = resolver.get_http_01_key_auth(&token);
    proof.ok_or(StatusCode::NOT_FOUND)
}

async fn to_https(headers: HeaderMap, uri: Uri) -> Result<Redirect, StatusCode> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let name = host.and_then(|host| host.split(':').next());
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or(StatusCode::BAD_REQUEST)?;
    let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
    Ok(Redirect::temporary(&format!("https://{name}{rest}")))
}
