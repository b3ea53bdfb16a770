//! The documents: what they name exists.

use anyhow::{Context, Result};
use gyre_tidy::documents::{self, Tests};
use gyre_tidy::repository::{Repository, is_rust};
use gyre_tidy::{codes, exemptions, options};
use serde_json::Value;

/// Directories of the conformance suites' cases, with the name they go by in the specifications.
const SUITES: &[(&str, &str)] = &[
    ("client", "tests/conformance/client/cases/"),
    ("api", "tests/conformance/api/cases/"),
];

fn is_text(path: &str) -> bool {
    let named = ["Makefile", ".ci/run"].contains(&path);
    let ending = [
        ".rs", ".md", ".toml", ".py", ".mjs", ".sh", ".proto", ".yaml", ".go",
    ];
    named || ending.iter().any(|ending| path.ends_with(ending))
}

#[test]
fn documents_that_are_named_exist() -> Result<()> {
    let repository = Repository::open()?;
    let texts = repository.texts(|path| is_text(path) && !path.starts_with("tests/tidy/src/"))?;
    let found: Vec<_> = texts
        .iter()
        .flat_map(|(path, text)| documents::dead_references(path, text, repository.paths()))
        .collect();
    assert_eq!(
        exemptions::check(&repository, "documents", &found)?,
        [""; 0]
    );
    Ok(())
}

#[test]
fn every_rule_of_a_specification_names_its_test() -> Result<()> {
    let repository = Repository::open()?;
    let tests = tests(&repository)?;
    let specifications = repository.texts(|path| path.starts_with("docs/specs/"))?;
    assert!(!specifications.is_empty(), "no specification found");
    let found: Vec<_> = specifications
        .iter()
        .flat_map(|(path, text)| documents::untested_rules(path, text, &tests))
        .collect();
    assert_eq!(exemptions::check(&repository, "rules", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn every_option_names_the_test_that_shows_its_effect() -> Result<()> {
    let repository = Repository::open()?;
    let entries = gyre_config::reference::entries();
    let honoured: Vec<_> = entries
        .iter()
        .filter(|entry| entry.is_honoured)
        .map(|entry| options::Declared {
            path: &entry.path,
            doc: &entry.doc,
        })
        .collect();
    let table = repository.text(options::TABLE)?;
    let found = options::check(&table, &honoured, &tests(&repository)?);
    assert_eq!(exemptions::check(&repository, "options", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn the_page_of_codes_is_what_is_declared() -> Result<()> {
    let repository = Repository::open()?;
    let expected = codes::page(&repository.text(codes::SOURCE)?);
    assert_eq!(repository.text(codes::PAGE)?, expected, "run `make fix`");
    Ok(())
}

fn tests(repository: &Repository) -> Result<Tests> {
    let mut tests = Tests::default();
    let code = |path: &str| is_rust(path) || path.ends_with(".py") || path.ends_with(".mjs");
    for (_, text) in repository.texts(code)? {
        tests.add_functions(&text);
    }
    for (suite, directory) in SUITES {
        for (path, text) in repository.texts(|path| path.starts_with(directory))? {
            let file: Value = serde_json::from_str(&text).with_context(|| path.to_owned())?;
            let cases = file
                .as_array()
                .or_else(|| file.get("cases")?.as_array())
                .context("no cases")?;
            let ids = cases.iter().filter_map(|case| case.get("id")?.as_str());
            tests.cases.extend(ids.map(|id| format!("{suite}/{id}")));
        }
    }
    Ok(tests)
}
