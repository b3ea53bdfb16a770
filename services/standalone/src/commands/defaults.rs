//! `defaultconfig` and `defaultenv`: every option with its value.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use gyre_config::document::{Format, Listed, text, variables};
use gyre_config::{Config, Source};

use super::{Failure, write_new};
use gyre_boot::command::CONFIG;

const BASE: &str = "base";
const DRY_RUN: &str = "dry-run";
const NON_ZERO: &str = "base-non-zero-only";

/// File that `defaultconfig` and `genconfig` write if none is named.
pub(super) const FILE: &str = "config.json";

pub(crate) fn config_command() -> Command {
    Command::new("defaultconfig")
        .about("Writes a configuration file with every option and its default")
        .arg(output())
        .arg(base())
        .arg(
            Arg::new(DRY_RUN)
                .long(DRY_RUN)
                .short('d')
                .action(ArgAction::SetTrue)
                .help("Prints the file instead, in the format that its name tells"),
        )
}

pub(crate) fn environment_command() -> Command {
    Command::new("defaultenv")
        .about("Prints every option with its default as a variable of the environment")
        .arg(base())
        .arg(
            Arg::new(NON_ZERO)
                .long(NON_ZERO)
                .action(ArgAction::SetTrue)
                .help("Leaves variables out that are zero, false or empty"),
        )
}

/// The file that a command writes.
pub(super) fn output() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .short('c')
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .default_value(FILE)
        .help("File to write: .json, .yaml or .toml; must not be there yet")
}

fn base() -> Arg {
    Arg::new(BASE)
        .long(BASE)
        .short('b')
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Configuration whose options go over the defaults")
}

pub(crate) fn write_config(matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Failure> {
    let path = output_path(matches);
    let written = text(&based(matches)?, format_of(path)?).map_err(refused)?;
    if matches.get_flag(DRY_RUN) {
        out.write_all(written.as_bytes())?;
        return Ok(());
    }
    write_new(path, &written)?;
    writeln!(out, "{} is written", path.display())?;
    Ok(())
}

pub(crate) fn print_environment(matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Failure> {
    let listed = if matches.get_flag(NON_ZERO) {
        Listed::NonZero
    } else {
        Listed::All
    };
    for variable in variables(&based(matches)?, listed) {
        writeln!(out, "{variable}")?;
    }
    Ok(())
}

pub(super) fn output_path(matches: &ArgMatches) -> &Path {
    let path = matches.get_one::<PathBuf>(CONFIG);
    path.map_or_else(|| Path::new(FILE), PathBuf::as_path)
}

pub(super) fn format_of(path: &Path) -> Result<Format, Failure> {
    Format::of(path).ok_or_else(|| {
        let name = path.display();
        Failure::Refused(format!(
            "{name} ends in neither .json, .yaml, .yml nor .toml"
        ))
    })
}

pub(super) fn refused(error: impl std::error::Error) -> Failure {
    let source = error.source().map(ToString::to_string);
    Failure::Refused(format!("{error}: {}", source.unwrap_or_default()))
}

/// The defaults with the options of the base file; the environment stays out.
fn based(matches: &ArgMatches) -> Result<Config, Failure> {
    let Some(base) = matches.get_one::<PathBuf>(BASE) else {
        return Ok(Config::default());
    };
    let source = Source {
        path: Some(base.clone()),
        required: true,
        environment_file: None,
    };
    Ok(gyre_config::load(&source, std::iter::empty(), &[])?.config)
}
