//! House rules that a machine can check.
//!
//! Every rule is a plain function from text to findings, with its own tests beside it; the files in `tests/` run the
//! rules over the tracked files of this work tree. A finding that has to stay is listed in `data/exemptions.txt` with
//! its reason, and the test fails again as soon as the line is no longer needed.
//!
//! What clippy can check (length of functions, documented items, banned calls) stands in `clippy.toml`, not here.
#![forbid(unsafe_code)]

pub mod codes;
pub mod documents;
pub mod exemptions;
pub mod graph;
pub mod hot_path;
pub mod options;
pub mod repository;
pub mod size;
pub mod source;
pub mod words;

use std::fmt;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What the exemption list calls the place: a path from the root, or the name of a crate.
    pub place: String,
    /// What is wrong there, for a person.
    pub problem: String,
}

impl Finding {
    /// A finding in `place`.
    pub fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}
