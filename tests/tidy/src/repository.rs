//! The files of the work tree that are tracked, or would be.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context, Result, ensure};

/// The tracked files, with paths from the root.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    paths: Vec<String>,
}

impl Repository {
    /// Lists this work tree: what git tracks or would track, minus what is deleted.
    ///
    /// # Errors
    /// When git does not run or lists nothing, as outside of a work tree.
    pub fn open() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let output = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&root)
            .output()
            .context("git ls-files")?;
        let listing = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
        let mut paths: Vec<String> = listing
            .split_terminator('\0')
            .map(String::from)
            .filter(|path| root.join(path).is_file())
            .collect();
        paths.sort();
        paths.dedup();
        ensure!(!paths.is_empty(), "git lists no file: is this a work tree?");
        Ok(Self { root, paths })
    }

    /// The root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every path, in order.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The files that `wanted` picks, with their text. Files that are not UTF-8 are passed over.
    ///
    /// # Errors
    /// When a listed file cannot be read.
    pub fn texts(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<(&str, String)>> {
        let mut texts = Vec::new();
        for path in self
            .paths
            .iter()
            .map(String::as_str)
            .filter(|path| wanted(path))
        {
            match fs::read_to_string(self.root.join(path)) {
                Ok(text) => texts.push((path, text)),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
            }
        }
        Ok(texts)
    }

    /// Text of one file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.root.join(path)).with_context(|| format!("cannot read {path}"))
    }
}

/// Whether a path is Rust.
pub fn is_rust(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "rs")
}
