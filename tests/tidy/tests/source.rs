//! The files: size, words, and what clippy does not know.

use anyhow::Result;
use gyre_tidy::repository::{Repository, is_rust};
use gyre_tidy::{Finding, exemptions, hot_path, size, source, words};

fn each(
    repository: &Repository,
    wanted: impl Fn(&str) -> bool,
    rule: impl Fn(&str, &str) -> Vec<Finding>,
) -> Result<Vec<Finding>> {
    Ok(repository
        .texts(wanted)?
        .iter()
        .flat_map(|(path, text)| rule(path, text))
        .collect())
}

#[test]
fn files_are_short() -> Result<()> {
    let repository = Repository::open()?;
    let production = |path: &str| is_rust(path) && !size::is_test(path);
    let found = each(&repository, production, |path, text| {
        size::file(path, text).into_iter().collect()
    })?;
    assert_eq!(exemptions::check(&repository, "size", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn directories_are_small() -> Result<()> {
    let repository = Repository::open()?;
    let rust = repository
        .paths()
        .iter()
        .map(String::as_str)
        .filter(|path| is_rust(path));
    let found = size::directories(rust);
    assert_eq!(
        exemptions::check(&repository, "directory", &found)?,
        [""; 0]
    );
    Ok(())
}

#[test]
fn libraries_forbid_unsafe_code() -> Result<()> {
    let repository = Repository::open()?;
    let library = |path: &str| path.ends_with("/src/lib.rs");
    let found = each(&repository, library, |path, text| {
        source::forbids_unsafe(path, text).into_iter().collect()
    })?;
    assert_eq!(exemptions::check(&repository, "unsafe", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn lints_are_expected_with_a_reason() -> Result<()> {
    let repository = Repository::open()?;
    let found = each(&repository, is_rust, source::allows)?;
    assert_eq!(exemptions::check(&repository, "allow", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn unfinished_work_names_an_issue() -> Result<()> {
    let repository = Repository::open()?;
    let text = |path: &str| {
        is_rust(path) || path.ends_with(".py") || path.ends_with(".mjs") || path.ends_with(".toml")
    };
    let found = each(&repository, text, source::unfinished)?;
    assert_eq!(
        exemptions::check(&repository, "unfinished", &found)?,
        [""; 0]
    );
    Ok(())
}

#[test]
fn nothing_names_a_machine_or_a_tool() -> Result<()> {
    let repository = Repository::open()?;
    let patterns = words::parse(&repository.text(words::PATH)?);
    let found = each(
        &repository,
        |path| path != words::PATH && !path.starts_with("tests/tidy/src/"),
        |path, text| words::check(path, text, &patterns),
    )?;
    assert_eq!(exemptions::check(&repository, "words", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn the_hot_path_is_the_documented_list() -> Result<()> {
    let repository = Repository::open()?;
    let documented = hot_path::documented(&repository.text(hot_path::PATH)?);
    assert!(!documented.is_empty(), "{} has no table", hot_path::PATH);
    let code = |path: &str| is_rust(path) && !path.starts_with("tests/tidy/");
    let marked: Vec<_> = repository
        .texts(code)?
        .iter()
        .flat_map(|(path, text)| hot_path::marked(path, text))
        .collect();
    let found = hot_path::compare(&documented, &marked);
    assert_eq!(exemptions::check(&repository, "hot-path", &found)?, [""; 0]);
    Ok(())
}
