//! The command line that all binaries have in common.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use gyre_config::reference::{Entry, entries};
use gyre_config::{Config, Flag, Takes, flags};
use gyre_runtime::Parts;
use gyre_runtime::process::{Failure, Status};
use gyre_telemetry::VERSION;

use crate::{Role, Running};

/// Name of the argument that names the configuration file.
pub const CONFIG: &str = "config";

/// File with variables that count as if they were in the environment, beside the process.
const ENVIRONMENT_FILE: &str = ".env";

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `--config`.
    pub path: Option<PathBuf>,
    /// Path and value of each option that was given as a flag.
    pub flags: Vec<(String, String)>,
}

/// Runs a binary that serves and does nothing else, until it is told to stop.
pub fn run<F>(name: &'static str, about: &'static str, role: Role, start: F) -> ExitCode
where
    F: AsyncFnOnce(&Config, &Parts) -> Result<Running, Failure>,
{
    let command = Command::new(name).about(about).version(VERSION);
    match options(command).try_get_matches_from(std::env::args_os()) {
        Ok(matches) => crate::serve(&Given::of(&matches), role, start),
        Err(error) => explain(&error),
    }
}

/// The command with `--config` and a flag for each option that has one.
#[must_use]
pub fn options(command: Command) -> Command {
    let known = entries();
    command
        .arg(config())
        .args(flags().iter().map(|flag| option(flag, &known)))
}

/// `--config`: the file that is read.
#[must_use]
pub fn config() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .short('c')
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Configuration in JSON, YAML or TOML; config.json if it is not given")
}

/// Tells what is wrong with a command line, or what was asked of it.
#[must_use]
pub fn explain(error: &clap::Error) -> ExitCode {
    // There is nobody left to tell that it cannot be printed.
    drop(error.print());
    if error.use_stderr() {
        Status::BadConfiguration.into()
    } else {
        ExitCode::SUCCESS
    }
}

/// The file and the variables that this process reads, with what the command line adds.
///
/// # Errors
///
/// Everything that is wrong with them.
pub fn load(
    given: &Given,
    is_required: bool,
) -> Result<gyre_config::Loaded, gyre_config::Problems> {
    let source = gyre_config::Source {
        path: given.path.clone(),
        required: is_required,
        environment_file: Some(ENVIRONMENT_FILE.into()),
    };
    // A variable that is not text is none of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    gyre_config::load(&source, variables, &given.flags)
}

impl Given {
    /// What was given; a subcommand has none of the flags of options.
    #[must_use]
    pub fn of(matches: &ArgMatches) -> Self {
        let value = |flag: &Flag| {
            let value = matches.try_get_one::<String>(flag.path).ok().flatten()?;
            Some((flag.path.to_owned(), value.clone()))
        };
        Self {
            path: matches.get_one::<PathBuf>(CONFIG).cloned(),
            flags: flags().iter().filter_map(value).collect(),
        }
    }
}

fn option(flag: &Flag, known: &[Entry]) -> Arg {
    let arg = Arg::new(flag.path).long(flag.path);
    let arg = match flag.short {
        Some(short) => arg.short(short),
        None => arg,
    };
    let arg = match known.iter().find(|entry| entry.path == flag.path) {
        Some(entry) => arg.help(&entry.doc),
        // Taken, so that command lines of today work; the start says that it has no effect.
        None => arg.hide(true),
    };
    match flag.takes {
        Takes::Value => arg.value_name("VALUE").action(ArgAction::Set),
        Takes::Switch => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_by(arguments: &[&str]) -> Given {
        let command = options(Command::new("gyre-x"));
        Given::of(&command.try_get_matches_from(arguments).unwrap())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        options(Command::new("gyre-x")).debug_assert();
    }

    #[test]
    fn flags_are_the_options_of_the_configuration() {
        let given = given_by(&[
            "gyre-x",
            "-c",
            "x.json",
            "-p",
            "9000",
            "--client.insecure",
            "--health.enabled=false",
            "--admin.enabled",
        ]);
        assert_eq!(given.path, Some(PathBuf::from("x.json")));
        let expected = [
            ("http_server.port", "9000"),
            ("client.insecure", "true"),
            ("health.enabled", "false"),
            ("admin.enabled", "true"),
        ];
        let flags = given
            .flags
            .iter()
            .map(|(path, value)| (path.as_str(), value.as_str()));
        assert!(flags.eq(expected), "{:?}", given.flags);
    }
}
