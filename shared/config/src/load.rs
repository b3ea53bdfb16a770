//! From files, environment and flags to a [`Config`].

mod decode;
mod environment;
mod file;
mod nearest;
mod reload;
mod report;

use std::path::{Path, PathBuf};

pub(crate) use environment::{PREFIX, is_variable_below, is_variable_of, variable_part};
pub(crate) use reload::is_live;
pub use reload::{Reloaded, reloaded};
pub(crate) use report::Report;

use crate::Config;
use crate::problem::{Origin, Problem, Problems, Warning};
use crate::value::Value;
use environment::Environment;

/// The file that is read if none is named.
const DEFAULT_FILE: &str = "config.json";

/// Which files to read.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Configuration file; its format is told by its extension. `None`: `config.json` in the working
    /// directory.
    pub path: Option<PathBuf>,
    /// Whether it is a problem if the file is not there; otherwise it is a warning.
    pub required: bool,
    /// File with variables that count as if they were in the environment, unless they are. It need
    /// not be there.
    pub environment_file: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What an operator should know.
    pub warnings: Vec<Warning>,
}

/// Reads the configuration: flags over environment over file over defaults.
///
/// `flags` are pairs of an option's path and its value, both as text.
///
/// # Errors
///
/// [`Problems`]: everything that is wrong, found in one pass.
pub fn load(
    source: &Source,
    environment: impl Iterator<Item = (String, String)>,
    flags: &[(String, String)],
) -> Result<Loaded, Problems> {
    let mut report = Report::default();
    let environment = read_environment(source, environment, &mut report);
    let path = source
        .path
        .as_deref()
        .unwrap_or_else(|| Path::new(DEFAULT_FILE));
    let tree = read_file(path, source.required, &mut report);

    let mut config = Config::default();
    let inputs = decode::Inputs {
        environment: &environment,
        flags,
    };
    let origin = Origin::File(path.to_owned());
    let is_whole = report.problems.is_empty();
    decode::decode(&mut config, &inputs, (&tree, origin), &mut report);
    // Without its file a configuration contradicts itself in ways that nobody meant.
    if is_whole {
        crate::check::check(&config, &mut report);
    }
    let warnings = report.finish()?;
    Ok(Loaded { config, warnings })
}

/// The configuration that a tree of written values stands for.
fn typed(tree: &Value, report: &mut Report) -> Config {
    let mut config = Config::default();
    let inputs = decode::Inputs {
        environment: &Environment::default(),
        flags: &[],
    };
    decode::decode(&mut config, &inputs, (tree, Origin::Default), report);
    config
}

fn read_environment(
    source: &Source,
    variables: impl Iterator<Item = (String, String)>,
    report: &mut Report,
) -> Environment {
    let mut variables: Vec<(String, String)> = variables.collect();
    if let Some(path) = &source.environment_file {
        let more = environment::read_file(path, &mut report.warnings);
        let is_new = |name: &str| !variables.iter().any(|(present, _)| present == name);
        let more: Vec<_> = more.into_iter().filter(|(name, _)| is_new(name)).collect();
        variables.extend(more);
    }
    Environment::new(variables.into_iter(), &mut report.warnings)
}

/// Reads the file; an empty tree stands for one that is not there.
fn read_file(path: &Path, required: bool, report: &mut Report) -> Value {
    let reason = match file::read(path) {
        Ok(Some(tree)) => return tree,
        Ok(None) if required => std::io::Error::from(std::io::ErrorKind::NotFound).into(),
        Ok(None) => {
            report.warnings.push(Warning::NoFile(path.to_owned()));
            return Value::Map(Vec::new());
        }
        Err(reason) => reason,
    };
    report.problems.push(Problem::File {
        path: path.to_owned(),
        reason,
    });
    Value::Map(Vec::new())
}

#[cfg(test)]
mod tests;
