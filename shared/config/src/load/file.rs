use std::path::Path;

use crate::document::Format;
use crate::problem::FileError;
use crate::value::Value;

/// Reads a file by the format that its name tells. `None` if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Value>, FileError> {
    let parse = parser(path).ok_or(FileError::Format)?;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match parse(text.trim_start_matches('\u{feff}'))? {
        // An empty file, or one of comments only, is YAML's null.
        Value::Null => Ok(Some(Value::Map(Vec::new()))),
        tree @ Value::Map(_) => Ok(Some(tree)),
        Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => {
            Err(FileError::NotAnObject)
        }
    }
}

type Parser = fn(&str) -> Result<Value, FileError>;

fn parser(path: &Path) -> Option<Parser> {
    Some(match Format::of(path)? {
        Format::Json => json,
        Format::Yaml => yaml,
        Format::Toml => toml,
    })
}

pub(super) fn json(text: &str) -> Result<Value, FileError> {
    Ok(serde_json::from_str(text)?)
}

fn yaml(text: &str) -> Result<Value, FileError> {
    let mut document: serde_norway::Value = serde_norway::from_str(text)?;
    document.apply_merge()?;
    Ok(serde_norway::from_value(document)?)
}

fn toml(text: &str) -> Result<Value, FileError> {
    toml::from_str(text).map_err(|error| {
        // The error's own text quotes the line, which may hold a secret.
        let before = error
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or("");
        FileError::Toml {
            message: error.message().to_owned(),
            line: before.matches('\n').count() + 1,
        }
    })
}
