use std::collections::{BTreeMap, BTreeSet};

use crate::problem::{Origin, Problem, Problems, Warning};

/// What is found out while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
    /// Where the options that were given came from, by path.
    origins: BTreeMap<String, Origin>,
    /// Options whose value could not be taken; they hold their defaults.
    rejected: BTreeSet<String>,
    /// Options without effect, by path with `[]` for any item, with the place of the first.
    not_yet: BTreeMap<String, (String, Origin, usize)>,
}

impl Report {
    /// Remembers where an option's value came from.
    pub(crate) fn taken(&mut self, path: &str, origin: &Origin) {
        self.origins.insert(path.to_owned(), origin.clone());
    }

    /// A value that is not one of the option's.
    pub(crate) fn rejected(
        &mut self,
        path: &str,
        value: String,
        origin: &Origin,
        expected: String,
    ) {
        self.rejected.insert(path.to_owned());
        let (path, origin) = (path.to_owned(), origin.clone());
        self.problems.push(Problem::Option {
            path,
            value,
            origin,
            expected,
        });
    }

    /// A value that does not go with the options of `others`.
    ///
    /// Says nothing if one of them was rejected: what it holds is not what was meant.
    pub(crate) fn conflict(&mut self, path: &str, value: String, expected: &str, others: &[&str]) {
        if self.rejected.contains(path) || others.iter().any(|path| self.rejected.contains(*path)) {
            return;
        }
        let origin = self.origins.get(path).cloned().unwrap_or_default();
        let (path, expected) = (path.to_owned(), expected.to_owned());
        self.problems.push(Problem::Option {
            path,
            value,
            origin,
            expected,
        });
    }

    /// An option that has no effect. The same option of other items is only counted.
    pub(crate) fn not_yet(&mut self, pattern: &str, name: &str, origin: &Origin) {
        let entry = self.not_yet.entry(pattern.to_owned());
        entry
            .and_modify(|(_, _, more)| *more += 1)
            .or_insert_with(|| (name.to_owned(), origin.clone(), 0));
    }

    /// A name that is no option's.
    pub(crate) fn unknown(&mut self, name: &str, origin: &Origin, nearest: Option<String>) {
        let (name, origin) = (name.to_owned(), origin.clone());
        self.warnings.push(Warning::Unknown {
            name,
            origin,
            nearest,
        });
    }

    /// The warnings, if nothing is wrong.
    pub(super) fn finish(mut self) -> Result<Vec<Warning>, Problems> {
        let not_yet = self.not_yet.into_values();
        let not_yet = not_yet.map(|(name, origin, more)| Warning::NotYet { name, origin, more });
        self.warnings.extend(not_yet);
        if self.problems.is_empty() {
            Ok(self.warnings)
        } else {
            Err(Problems {
                problems: self.problems,
                warnings: self.warnings,
            })
        }
    }
}
