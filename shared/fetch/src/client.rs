use std::time::Duration;

use gyre_auth::{FetchError, FetchKeys, Fetching};
use gyre_config::tls::Tls;
use reqwest::redirect::{Attempt, Policy};

use crate::tls::{self, TlsError};

/// How long one attempt may take, from connecting to the last byte. 1 s: a client waits for it.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Redirects that are followed, within one host.
const REDIRECTS_MAX: usize = 3;

/// Fetches documents over HTTP and HTTPS.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
}

impl Client {
    /// Makes a client with these settings of TLS.
    ///
    /// # Errors
    ///
    /// A certificate or a key cannot be used, or the system has no authorities to trust.
    pub fn new(tls: &Tls) -> Result<Self, TlsError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(tls)?)
            .redirect(Policy::custom(follow))
            .referer(false)
            .timeout(TIMEOUT)
            .user_agent("gyre")
            .build()
            .map_err(TlsError::Client)?;
        Ok(Self { http })
    }
}

impl FetchKeys for Client {
    fn fetch(&self, url: &str, bytes_max: usize) -> Fetching {
        let request = self.http.get(url).header("accept", "application/json");
        Box::pin(async move {
            let broken = |error| FetchError::because("the endpoint does not answer", error);
            let mut response = request.send().await.map_err(broken)?;
            let status = response.status();
            if !status.is_success() {
                return Err(FetchError::new(&format!("the endpoint answers {status}")));
            }
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(broken)? {
                if body.len() + chunk.len() > bytes_max {
                    return Err(FetchError::new("the endpoint's answer is too long"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body)
        })
    }
}

/// Redirects are followed a few times, and to the same scheme, host and port only.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let origin = |url: &reqwest::Url| {
        let host = url.host_str().map(str::to_owned);
        (url.scheme().to_owned(), host, url.port_or_known_default())
    };
    let is_home = attempt
        .previous()
        .first()
        .is_some_and(|first| origin(first) == origin(attempt.url()));
    if is_home && attempt.previous().len() <= REDIRECTS_MAX {
        return attempt.follow();
    }
    attempt.error("a redirect to somewhere else, or one too many")
}
