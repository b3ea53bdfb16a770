//! The committed JSON Schema is that of the tree, and takes and refuses what the loader does.

mod common;

use std::error::Error;
use std::path::{Path, PathBuf};

use gyre_config::document::{Format, text};
use gyre_config::reference::schema::json_schema;
use gyre_config::{Config, Source, Warning, load};
use jsonschema::Validator;
use serde_json::Value;

type Outcome = Result<(), Box<dyn Error>>;

/// Files that the loader takes and the schema does not: keys in any case, merge keys of YAML,
/// numbers for texts.
const LOADER_ONLY: &[&str] = &["every-case.json", "chat.yaml"];

/// Files whose options only contradict each other: that is not for a schema to see.
const SCHEMA_ONLY: &[&str] = &["contradictions.json", "insecure-production.yaml"];

fn validator() -> Result<Validator, Box<dyn Error>> {
    let schema: Value = serde_json::from_str(&json_schema())?;
    Ok(jsonschema::validator_for(&schema)?)
}

/// The files of a directory, by path.
fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if Format::of(&path).is_some() {
            files.push(path);
        }
    }
    Ok(files)
}

/// The file as JSON; `None` if it does not even have the syntax of its format.
fn tree(path: &Path) -> Result<Option<Value>, std::io::Error> {
    let text = std::fs::read_to_string(path)?;
    Ok(match Format::of(path) {
        Some(Format::Json) => serde_json::from_str(&text).ok(),
        Some(Format::Yaml) => serde_norway::from_str(&text).ok(),
        Some(Format::Toml) => toml::from_str(&text).ok(),
        None => None,
    })
}

/// Whether the loader takes the file and knows every name in it.
fn is_taken(path: &Path) -> bool {
    let source = Source {
        path: Some(path.to_owned()),
        required: true,
        environment_file: None,
    };
    load(&source, std::iter::empty(), &[]).is_ok_and(|loaded| {
        let mut warnings = loaded.warnings.iter();
        !warnings.any(|warning| matches!(warning, Warning::Unknown { .. }))
    })
}

#[test]
fn schema() -> std::io::Result<()> {
    let path = common::directory().join("../../../docs/reference/config.schema.json");
    common::compare(&path, &json_schema())
}

#[test]
fn schema_and_loader_agree_on_files() -> Outcome {
    let validator = validator()?;
    let mut seen = 0;
    for path in files(&common::directory().join("files"))? {
        let Some(tree) = tree(&path)? else { continue };
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or("");
        let is_valid = validator.is_valid(&tree) || tree.is_null();
        let expected =
            (is_taken(&path) || SCHEMA_ONLY.contains(&name)) && !LOADER_ONLY.contains(&name);
        let errors: Vec<String> = validator
            .iter_errors(&tree)
            .map(|e| e.to_string())
            .collect();
        assert_eq!(is_valid, expected, "{name}: {errors:?}");
        seen += 1;
    }
    assert!(seen >= 10, "the files are not there");
    Ok(())
}

#[test]
fn configurations_of_existing_installations_load_and_are_valid() -> Outcome {
    let validator = validator()?;
    let files = files(&common::directory().join("files/installations"))?;
    assert!(files.len() >= 12, "the files are not there");
    for path in files {
        let source = Source {
            path: Some(path.clone()),
            required: true,
            environment_file: None,
        };
        let loaded = load(&source, std::iter::empty(), &[])
            .map_err(|problems| format!("{}: {problems}", path.display()))?;
        for warning in loaded.warnings {
            let is_unknown = matches!(warning, Warning::Unknown { .. });
            assert!(!is_unknown, "{}: {warning}", path.display());
        }
        let tree = tree(&path)?.ok_or("no syntax")?;
        let errors: Vec<String> = validator
            .iter_errors(&tree)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        // `port: "8000"` is read, and is not how one writes it.
        let errors: Vec<_> = errors
            .iter()
            .filter(|error| !error.contains("\"8000\""))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
    Ok(())
}

#[test]
fn the_defaults_are_valid() -> Outcome {
    let tree: Value = serde_json::from_str(&text(&Config::default(), Format::Json)?)?;
    let validator = validator()?;
    let errors: Vec<String> = validator
        .iter_errors(&tree)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    Ok(())
}

#[test]
fn what_the_loader_refuses_is_not_valid() -> Outcome {
    let validator = validator()?;
    for wrong in [
        r#"{"http_server":{"port":70000}}"#,
        r#"{"log":{"level":"loud"}}"#,
        r#"{"client":{"ping_interval":"25"}}"#,
        r#"{"client":{"ping_intervall":"25s"}}"#,
        r#"{"channel":{"namespaces":{}}}"#,
        r#"{"nothing":1}"#,
    ] {
        assert!(
            !validator.is_valid(&serde_json::from_str(wrong)?),
            "{wrong}"
        );
    }
    Ok(())
}
