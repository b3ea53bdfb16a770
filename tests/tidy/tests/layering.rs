//! The crates: who may depend on whom.

use anyhow::Result;
use gyre_tidy::repository::Repository;
use gyre_tidy::{exemptions, graph};

#[test]
fn crates_depend_downwards_only() -> Result<()> {
    let repository = Repository::open()?;
    let found = graph::layering(&graph::packages(repository.root())?, graph::LAYERS);
    assert_eq!(exemptions::check(&repository, "layers", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn engines_are_chosen_in_one_place() -> Result<()> {
    let repository = Repository::open()?;
    let found = graph::engines_are_chosen_once(&graph::packages(repository.root())?);
    assert_eq!(exemptions::check(&repository, "engines", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn pure_crates_reach_no_io() -> Result<()> {
    let repository = Repository::open()?;
    let found = graph::purity(repository.root())?;
    assert_eq!(exemptions::check(&repository, "purity", &found)?, [""; 0]);
    Ok(())
}

#[test]
fn pure_crates_keep_the_settings_of_the_root() -> Result<()> {
    let repository = Repository::open()?;
    let root = repository.text("clippy.toml")?;
    let mut found = Vec::new();
    for (name, _) in graph::PURE {
        let path = format!("shared/{}/clippy.toml", name.trim_start_matches("gyre-"));
        found.extend(graph::missing_settings(
            &path,
            &root,
            &repository.text(&path)?,
        ));
    }
    assert_eq!(exemptions::check(&repository, "settings", &found)?, [""; 0]);
    Ok(())
}
