use std::collections::BTreeMap;
use std::path::Path;

use crate::problem::Warning;

/// The prefix of our variables.
pub(crate) const PREFIX: &str = "GYRE_";
/// The prefix that existing installations have.
const ALIAS: &str = "CENTRIFUGO_";

/// The variables that may be options, by their names without the prefix.
#[derive(Debug, Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, Variable>,
    /// Those that texts may name, by their whole names.
    texts: BTreeMap<String, String>,
}

/// A variable under its full name.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
}

impl Environment {
    /// Sorts the variables out of an environment. Empty ones count as not set.
    pub(super) fn new(
        variables: impl Iterator<Item = (String, String)>,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let Some(bare) = name
                .strip_prefix(PREFIX)
                .or_else(|| name.strip_prefix(ALIAS))
            else {
                continue;
            };
            if bare.starts_with("VAR_") {
                environment.texts.insert(name, value);
                continue;
            }
            if value.is_empty() || is_service_link(bare, &value) {
                continue;
            }
            let bare = bare.to_owned();
            environment.insert(bare, Variable { name, value }, warnings);
        }
        environment
    }

    fn insert(&mut self, bare: String, variable: Variable, warnings: &mut Vec<Warning>) {
        let Some(present) = self.variables.remove(&bare) else {
            self.variables.insert(bare, variable);
            return;
        };
        let (used, ignored) = if present.name.starts_with(PREFIX) {
            (present, variable)
        } else {
            (variable, present)
        };
        // A name that an environment holds twice under one prefix: the first counts, silently.
        if used.name != ignored.name {
            warnings.push(Warning::TwoPrefixes {
                used: used.name.clone(),
                ignored: ignored.name,
            });
        }
        self.variables.insert(bare, used);
    }

    /// The variable of this name without prefix.
    pub(super) fn get(&self, bare: &str) -> Option<&Variable> {
        self.variables.get(bare)
    }

    /// The variable of this whole name that a text refers to.
    pub(super) fn text_variable(&self, name: &str) -> Option<String> {
        self.texts.get(name).cloned()
    }

    /// All variables, by their names without prefix.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.variables
            .iter()
            .map(|(bare, variable)| (bare.as_str(), variable))
    }
}

/// The last part of a variable's name for an option or for an item of a list.
pub(crate) fn variable_part(name: &str) -> String {
    name.to_ascii_uppercase().replace(['.', '-'], "_")
}

/// Whether a variable, by its name without prefix, is that of the option at the path, with any name
/// in place of `[]`.
pub(crate) fn is_variable_of(bare: &str, path: &str) -> bool {
    goes_through(bare, path, |rest| rest.is_empty())
}

/// Whether a variable, by its name without prefix, is that of something at or below the path.
pub(crate) fn is_variable_below(bare: &str, path: &str) -> bool {
    let is_whole_name = |rest: &str| rest.is_empty() || rest.starts_with('_');
    goes_through(bare, path.strip_suffix("[]").unwrap_or(path), is_whole_name)
}

fn goes_through(bare: &str, path: &str, is_end: fn(&str) -> bool) -> bool {
    let parts: Vec<String> = path.split("[]").map(variable_part).collect();
    let Some((first, parts)) = parts.split_first() else {
        return false;
    };
    bare.strip_prefix(first.as_str())
        .is_some_and(|rest| goes_on(rest, parts, is_end))
}

/// Whether a name goes on with `_NAME` and a part, for each of the parts, up to an end.
fn goes_on(rest: &str, parts: &[String], is_end: fn(&str) -> bool) -> bool {
    let Some((part, parts)) = parts.split_first() else {
        return is_end(rest);
    };
    let Some(name) = rest.strip_prefix('_').filter(|name| !name.is_empty()) else {
        return false;
    };
    // The name of an item may hold the text of the part: every place counts.
    let mut places = name.match_indices(part.as_str()).filter(|(at, _)| *at > 0);
    places.any(|(at, part)| {
        name.get(at + part.len()..)
            .is_some_and(|rest| goes_on(rest, parts, is_end))
    })
}

/// Whether Kubernetes made this variable for a Service whose name begins like our prefix.
///
/// A Service `gyre-grpc-api` even yields `GYRE_GRPC_API_PORT=tcp://10.0.0.1:10000`, which would be
/// an option if it were a number.
fn is_service_link(bare: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    let is_port = bare == "PORT" || bare.ends_with("_PORT");
    (is_port && is_url)
        || bare.ends_with("SERVICE_HOST")
        || bare.ends_with("SERVICE_PORT")
        || bare.contains("SERVICE_PORT_")
        || bare.split("PORT_").skip(1).any(is_port_and_protocol)
}

/// Whether a name goes on like `8000_TCP_ADDR`.
fn is_port_and_protocol(rest: &str) -> bool {
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    after.len() < rest.len()
        && ["_TCP", "_UDP", "_SCTP"]
            .iter()
            .any(|protocol| after.starts_with(protocol))
}

/// Reads a file of variables, one `NAME=value` a line. No such file: no variables.
pub(super) fn read_file(path: &Path, warnings: &mut Vec<Warning>) -> Vec<(String, String)> {
    let unreadable = |line| Warning::EnvironmentFile {
        path: path.to_owned(),
        line,
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(_) => {
            warnings.push(unreadable(0));
            return Vec::new();
        }
    };
    let mut variables = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Some(variable) => variables.push(variable),
            None => warnings.push(unreadable(index + 1)),
        }
    }
    variables
}

/// Parses `NAME=value`, `export NAME=value`, `NAME="value"` or `NAME='value'`.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let value = value.trim();
    let value = match value.chars().next() {
        Some('\'') => value.get(1..)?.split_once('\'')?.0.to_owned(),
        Some('"') => double_quoted(value.get(1..)?)?,
        _ => value
            .split(" #")
            .next()
            .unwrap_or(value)
            .trim_end()
            .to_owned(),
    };
    Some((name.to_owned(), value))
}

/// Reads up to the closing quote, with `\n`, `\"` and `\\` resolved.
fn double_quoted(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => match characters.next()? {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}
