//! What the tests of this crate share.

use std::path::{Path, PathBuf};

/// The directory of the tests.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Compares a text with a committed file; with `GYRE_UPDATE=1` writes the file instead.
pub(crate) fn compare(path: &Path, text: &str) -> std::io::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of the tests, no configuration"
    )]
    let is_update = std::env::var("GYRE_UPDATE").is_ok();
    if is_update {
        return std::fs::write(path, text);
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is out of date; GYRE_UPDATE=1 writes:\n{text}",
        path.display()
    );
    Ok(())
}
