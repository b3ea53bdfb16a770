use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use gyre_config::tls::Tls;

use crate::error::FetchError;

/// What a verifier needs of the world: it reads no file and opens no socket of its own.
pub trait Outside {
    /// The text of a file with a key, read once, while the verifier is made.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// What fetches key sets with these settings of TLS.
    ///
    /// # Errors
    ///
    /// The settings are wrong.
    fn fetcher(&self, tls: &Tls) -> Result<Arc<dyn FetchKeys>, Box<dyn Error + Send + Sync>>;
}

/// An answer that is on its way.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchError>> + Send>>;

/// Fetches key sets.
pub trait FetchKeys: fmt::Debug + Send + Sync {
    /// Gets the document at an address: one attempt, which must end within a second or so and read no
    /// more than `bytes_max`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt.
    fn fetch(&self, url: &str, bytes_max: usize) -> Fetching;
}

/// A world without files and without network: for configurations that need neither.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Outside for Nothing {
    fn read(&self, _path: &Path) -> io::Result<String> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn fetcher(&self, _tls: &Tls) -> Result<Arc<dyn FetchKeys>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(*self))
    }
}

impl FetchKeys for Nothing {
    fn fetch(&self, _url: &str, _bytes_max: usize) -> Fetching {
        Box::pin(async { Err(FetchError::new("there is no network")) })
    }
}
