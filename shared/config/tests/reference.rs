//! The committed lists of all options are those of the tree. `GYRE_UPDATE=1` writes them anew.

mod common;

use std::collections::BTreeSet;

use gyre_config::reference::{entries, markdown};

#[test]
fn options_and_their_defaults() -> std::io::Result<()> {
    let line =
        |entry: &gyre_config::reference::Entry| format!("{} = {}\n", entry.path, entry.default);
    let lines: String = entries().iter().map(line).collect();
    common::compare(&common::directory().join("options.txt"), &lines)
}

#[test]
fn page() -> std::io::Result<()> {
    common::compare(
        &common::directory().join("../../../docs/reference/config.md"),
        &markdown(),
    )
}

#[test]
fn paths_and_variables_are_unique_and_documented() {
    let (mut paths, mut variables) = (BTreeSet::new(), BTreeSet::new());
    for entry in entries() {
        assert!(
            entry.doc.ends_with('.'),
            "{} has no whole sentences",
            entry.path
        );
        if let Some(variable) = entry.variable {
            assert!(
                variables.insert(variable.clone()),
                "{variable} means two options"
            );
        }
        assert!(
            paths.insert(entry.path.clone()),
            "{} is declared twice",
            entry.path
        );
    }
}
