use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What every PEM has.
const MARK: &str = "-----BEGIN ";

/// Largest file that is read. Unit: bytes. One MiB: a bundle of all public authorities has a third.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a text is no PEM. Never says what stands in it.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// Nothing was given.
    #[error("is empty")]
    Empty,
    /// It is no PEM, so that it must be a path; the file cannot be read.
    #[error("file {path} cannot be read: {source}")]
    File {
        /// The path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no text, or too long to be what it should.
    #[error("file {path} holds no PEM")]
    NoPem {
        /// The path.
        path: String,
    },
    /// What is in it is not what was expected.
    #[error("holds no certificate or key that can be read: {0}")]
    Content(pem::Error),
    /// There is nothing of the kind.
    #[error("holds no certificate")]
    NoCertificate,
}

/// A text with certificates or a key.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Pem(String);

impl Pem {
    /// Takes a PEM, base64 of a PEM, or the path of a file.
    pub(super) fn read(given: &str) -> Result<Self, PemError> {
        let given = given.trim();
        if given.is_empty() {
            return Err(PemError::Empty);
        }
        if given.contains(MARK) {
            // A variable of the environment may have `\n` for line breaks.
            return Ok(Self(given.replace("\\n", "\n")));
        }
        let joined: String = given.split_ascii_whitespace().collect();
        let decoded = STANDARD.decode(joined).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(text) = decoded.filter(|text| text.contains(MARK)) {
            return Ok(Self(text));
        }
        Self::of_file(given)
    }

    fn of_file(path: &str) -> Result<Self, PemError> {
        let text = read_limited(Path::new(path)).map_err(|source| PemError::File {
            path: shortened(path),
            source,
        })?;
        if text.contains(MARK) {
            Ok(Self(text))
        } else {
            Err(PemError::NoPem {
                path: shortened(path),
            })
        }
    }

    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        let found = CertificateDer::pem_slice_iter(self.0.as_bytes());
        let found: Result<Vec<_>, _> = found.collect();
        let found = found.map_err(PemError::Content)?;
        if found.is_empty() {
            return Err(PemError::NoCertificate);
        }
        Ok(found)
    }

    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        PrivateKeyDer::from_pem_slice(self.0.as_bytes()).map_err(PemError::Content)
    }
}

fn read_limited(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// A path as it is told: a secret that was taken for one is cut.
fn shortened(path: &str) -> String {
    const SHOWN_LEN_MAX: usize = 120;
    if path.chars().count() <= SHOWN_LEN_MAX {
        return path.to_owned();
    }
    let start: String = path.chars().take(16).collect();
    start + "…"
}
