//! A configuration as a document: what `defaultconfig` and `defaultenv` write.

use std::fmt;
use std::path::Path;

use crate::Config;
use crate::load::{PREFIX, variable_part};
use crate::tree::{About, Group, Leaf, List, Visitor};
use crate::value::Value;

/// The form of a configuration file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// TOML.
    Toml,
}

impl Format {
    /// The format that a file's name tells; `None` if it tells none.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// A configuration cannot be written in this format.
#[derive(Debug, thiserror::Error)]
#[error("configuration cannot be written")]
pub struct WriteError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Which variables [`variables`] lists.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Listed {
    /// Those of all options.
    All,
    /// Those whose value is not zero, false or empty.
    NonZero,
}

/// Writes every option with its value, in the order of declaration. Secrets are written as they are.
///
/// # Errors
///
/// [`WriteError`], if the format has no room for a value.
pub fn text(config: &Config, format: Format) -> Result<String, WriteError> {
    let tree = tree(config);
    let written = match format {
        Format::Json => serde_json::to_string_pretty(&tree).map_err(boxed)? + "\n",
        Format::Yaml => serde_norway::to_string(&tree).map_err(boxed)?,
        Format::Toml => toml::to_string_pretty(&tree).map_err(boxed)?,
    };
    Ok(written)
}

fn boxed(error: impl std::error::Error + Send + Sync + 'static) -> WriteError {
    WriteError(Box::new(error))
}

/// Every option as a variable of the environment. Lists of objects are written as their JSON.
#[must_use]
pub fn variables(config: &Config, listed: Listed) -> Vec<Variable> {
    let mut found = Vec::new();
    collect(&tree(config), "", &mut found);
    found.retain(|(_, value)| listed == Listed::All || !value.is_zero());
    let variable = |(name, value)| Variable {
        name: format!("{PREFIX}{name}"),
        value: in_environment(&value),
    };
    found.into_iter().map(variable).collect()
}

/// A variable of the environment. Prints as a line of an environment file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Variable {
    /// Its whole name.
    pub name: String,
    /// Its value; empty counts as not set.
    pub value: String,
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value } = self;
        let mut quoted = String::with_capacity(value.len());
        for character in value.chars() {
            match character {
                '"' | '\\' => quoted.extend(['\\', character]),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                _ => quoted.push(character),
            }
        }
        write!(f, "{name}=\"{quoted}\"")
    }
}

fn collect(value: &Value, name: &str, found: &mut Vec<(String, Value)>) {
    let Value::Map(entries) = value else {
        found.push((name.to_owned(), value.clone()));
        return;
    };
    for (key, value) in entries {
        let part = variable_part(key);
        let below = match name {
            "" => part,
            _ => format!("{name}_{part}"),
        };
        collect(value, &below, found);
    }
}

fn in_environment(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => yes.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_text).collect();
            texts.map_or_else(|| json(value), |texts| texts.join(" "))
        }
        Value::Map(_) => json(value),
    }
}

fn json(value: &Value) -> String {
    // A tree of texts and numbers always has a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// The configuration as a tree of values.
pub(crate) fn tree(config: &Config) -> Value {
    let mut writer = Writer::default();
    config.clone().fields(&mut writer);
    Value::Map(writer.entries)
}

/// Writes the options of one object down.
#[derive(Default)]
struct Writer {
    entries: Vec<(String, Value)>,
}

impl Visitor for Writer {
    fn leaf(&mut self, about: &About, leaf: &mut dyn Leaf) {
        self.entries.push((about.name.to_owned(), leaf.written()));
    }

    fn group(&mut self, about: &About, group: &mut dyn Group) {
        self.entries.push((about.name.to_owned(), object(group)));
    }

    fn list(&mut self, about: &About, list: &mut dyn List) {
        let items = list.items().into_iter().map(object).collect();
        self.entries
            .push((about.name.to_owned(), Value::List(items)));
    }
}

fn object(group: &mut dyn Group) -> Value {
    let mut writer = Writer::default();
    group.fields(&mut writer);
    Value::Map(writer.entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_a_line_that_the_loader_reads() {
        let variable = Variable {
            name: "GYRE_X".to_owned(),
            value: "a \"b\" \\ \n".to_owned(),
        };
        assert_eq!(variable.to_string(), r#"GYRE_X="a \"b\" \\ \n""#);
    }

    #[test]
    fn names_tell_formats() {
        let of = |name| Format::of(Path::new(name));
        assert_eq!(of("a.JSON"), Some(Format::Json));
        assert_eq!(of("a.yml"), Some(Format::Yaml));
        assert_eq!(of("a.b.toml"), Some(Format::Toml));
        assert_eq!(of("toml"), None);
    }
}
