//! Dependencies point one way: a crate depends on crates of a lower layer only, and the pure ones reach no I/O.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::Finding;

/// Layer of each crate of the workspace; `docs/architecture.md` says what they are.
pub const LAYERS: &[(&str, u8)] = &[
    ("gyre-types", 0),
    ("gyre-protocol", 1),
    ("gyre-config", 1),
    ("gyre-proto", 1),
    ("gyre-telemetry", 1),
    ("gyre-policy", 2),
    ("gyre-expression", 2),
    ("gyre-hub", 2),
    ("gyre-engine", 2),
    ("gyre-auth", 2),
    ("gyre-mapping", 2),
    ("gyre-rpc", 2),
    ("gyre-runtime", 2),
    ("gyre-session", 3),
    ("gyre-fetch", 3),
    ("gyre-engine-memory", 3),
    ("gyre-engine-redis", 3),
    ("gyre-store", 3),
    ("gyre-boot", 4),
    ("gyre-engines", 4),
    ("gyre-backend", 4),
    ("gyre-links", 4),
    ("gyre-gateway", 5),
    ("gyre-api", 5),
    ("gyre-standalone", 6),
    ("gyre-allocator", 7),
    ("gyre-e2e", 7),
    ("gyre-fuzz", 7),
    ("gyre-ports", 7),
    ("gyre-sim", 7),
    ("gyre-tidy", 7),
    ("gyre-load", 8),
];

/// What no pure crate may reach, even through others.
const IO: &[&str] = &[
    "tokio",
    "tonic",
    "hyper",
    "redis",
    "socket2",
    "mio",
    "tracing-subscriber",
    "getrandom",
    "rand",
];

/// Crates that must stay pure, with what they may not reach besides [`IO`].
pub const PURE: &[(&str, &[&str])] = &[
    ("gyre-types", &[]),
    ("gyre-protocol", &[]),
    ("gyre-policy", &[]),
    ("gyre-expression", &[]),
    ("gyre-hub", &[]),
    ("gyre-engine", &[]),
    ("gyre-session", &["gyre-hub", "gyre-engine", "gyre-auth"]),
];

/// One crate and what it is built with, development dependencies left out.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Names of its normal and build dependencies.
    pub dependencies: Vec<String>,
}

/// The crates of the workspace.
///
/// # Errors
/// When `cargo metadata` fails or prints something else than expected.
pub fn packages(root: &Path) -> Result<Vec<Package>> {
    let output = cargo(root, &["metadata", "--format-version=1", "--no-deps"])?;
    let metadata: Value = serde_json::from_str(&output).context("cargo metadata prints JSON")?;
    let list = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("no packages")?;
    list.iter()
        .map(|package| parse(package).context("a package without name"))
        .collect()
}

fn parse(package: &Value) -> Option<Package> {
    let is_normal =
        |dependency: &&Value| dependency.get("kind").and_then(Value::as_str) != Some("dev");
    let name = |value: &Value| value.get("name")?.as_str().map(String::from);
    let dependencies = package
        .get("dependencies")?
        .as_array()?
        .iter()
        .filter(is_normal)
        .filter_map(name);
    Some(Package {
        name: name(package)?,
        dependencies: dependencies.collect(),
    })
}

/// Dependencies that do not go to a lower layer, crates without a layer, and layers without a crate.
pub fn layering(packages: &[Package], layers: &[(&str, u8)]) -> Vec<Finding> {
    let layer = |name: &str| {
        layers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, layer)| *layer)
    };
    let mut found = Vec::new();
    for package in packages {
        let Some(own) = layer(&package.name) else {
            found.push(Finding::new(
                &package.name,
                "has no layer; give it one in tests/tidy/src/graph.rs",
            ));
            continue;
        };
        let upwards = package
            .dependencies
            .iter()
            .filter(|name| layer(name).is_some_and(|other| other >= own));
        found.extend(upwards.map(|target| {
            Finding::new(&package.name, format!("depends on {target}, not below it"))
        }));
    }
    let gone = layers
        .iter()
        .filter(|(name, _)| !packages.iter().any(|package| package.name == *name));
    found.extend(gone.map(|(name, _)| Finding::new(*name, "has a layer but does not exist")));
    found
}

/// Crates other than the one that chooses which name a particular engine.
pub fn engines_are_chosen_once(packages: &[Package]) -> Vec<Finding> {
    let others = packages
        .iter()
        .filter(|package| package.name != "gyre-engines");
    others
        .flat_map(|package| {
            let engines = package
                .dependencies
                .iter()
                .filter(|name| name.starts_with("gyre-engine-"));
            engines.map(|engine| {
                Finding::new(
                    &package.name,
                    format!("names {engine}; only gyre-engines does"),
                )
            })
        })
        .collect()
}

/// What a pure crate reaches and may not.
///
/// # Errors
/// When `cargo tree` fails.
pub fn purity(root: &Path) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for (name, also) in PURE {
        let tree = cargo(
            root,
            &["tree", "-p", name, "-e", "normal", "--prefix", "none"],
        )?;
        found.extend(reaches(name, &tree, also));
    }
    Ok(found)
}

/// Lines of a dependency tree that name a crate the package may not reach.
pub fn reaches(name: &str, tree: &str, also: &[&str]) -> Vec<Finding> {
    let mut reached: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    reached.sort_unstable();
    reached.dedup();
    reached
        .into_iter()
        .filter(|dependency| IO.contains(dependency) || also.contains(dependency))
        .map(|dependency| Finding::new(name, format!("reaches {dependency}")))
        .collect()
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .output()
        .context("cargo runs")?;
    ensure!(
        output.status.success(),
        "cargo {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("cargo prints UTF-8")
}

/// Settings of the root's `clippy.toml` that a crate's own file leaves out: the nearest file wins whole.
pub fn missing_settings(path: &str, root: &str, own: &str) -> Vec<Finding> {
    let has = |line: &str| own.lines().any(|other| other.trim() == line);
    root.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !has(line))
        .map(|line| {
            Finding::new(
                path,
                format!("lacks a setting of the root's clippy.toml: {line}"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[(&str, u8)] = &[("low", 0), ("high", 1)];

    fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.into(),
            dependencies: dependencies.iter().map(|&name| name.into()).collect(),
        }
    }

    #[test]
    fn a_dependency_that_points_down_is_fine() {
        assert_eq!(
            layering(
                &[package("low", &["bytes"]), package("high", &["low"])],
                TWO
            ),
            []
        );
    }

    #[test]
    fn a_dependency_that_points_up_or_sideways_is_found() {
        let found = layering(
            &[package("low", &["high"]), package("high", &["high"])],
            TWO,
        );
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn every_crate_has_a_layer_and_every_layer_a_crate() {
        let found = layering(&[package("low", &[]), package("new", &[])], TWO);
        assert_eq!(
            found
                .iter()
                .map(|finding| finding.place.as_str())
                .collect::<Vec<_>>(),
            ["new", "high"]
        );
    }

    #[test]
    fn only_one_crate_names_an_engine() {
        let packages = [
            package("gyre-engines", &["gyre-engine-memory"]),
            package("gyre-api", &["gyre-engine-memory"]),
        ];
        let found = engines_are_chosen_once(&packages);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "gyre-api");
    }

    #[test]
    fn what_a_pure_crate_reaches_through_others_is_found() {
        let tree = "gyre-session v0.1.0\ntokio-util v0.7.0\ngyre-hub v0.1.0\ntokio v1.0.0\ntokio v1.0.0 (*)\n";
        let found = reaches("gyre-session", tree, &["gyre-hub"]);
        assert_eq!(
            found,
            [
                Finding::new("gyre-session", "reaches gyre-hub"),
                Finding::new("gyre-session", "reaches tokio")
            ]
        );
    }

    #[test]
    fn development_dependencies_do_not_count() {
        let json = r#"{"name": "a", "dependencies": [
            {"name": "n", "kind": null}, {"name": "b", "kind": "build"}, {"name": "d", "kind": "dev"}]}"#;
        let package = parse(&serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(package.dependencies, ["n", "b"]);
    }

    #[test]
    fn a_setting_that_a_crate_leaves_out_is_found() {
        let found = missing_settings(
            "a/clippy.toml",
            "# why\nx = 1\ny = [\n    \"b\",\n]\n",
            "y = [\n\"b\",\n]\n",
        );
        assert_eq!(
            found,
            [Finding::new(
                "a/clippy.toml",
                "lacks a setting of the root's clippy.toml: x = 1"
            )]
        );
    }
}
