//! The command line: the root command serves, subcommands help to get there.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use gyre_config::reference::{Entry, entries};
use gyre_config::{Flag, Takes, flags};
use gyre_runtime::process::Status;
use gyre_telemetry::VERSION;

use crate::commands::{Failure, check_config, defaults, documentation, generate, metrics, tokens};
use crate::serve;

/// Name of the argument that names the configuration file.
pub(crate) const CONFIG: &str = "config";
const STRICT: &str = "strict";

/// File with variables that count as if they were in the environment, beside the process.
const ENVIRONMENT_FILE: &str = ".env";

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// `--config`.
    pub(crate) path: Option<PathBuf>,
    /// Path and value of each option that was given as a flag.
    pub(crate) flags: Vec<(String, String)>,
}

/// Runs the command line `arguments`, whose first is the name of the program. What a command is
/// asked to print goes to `out`.
pub fn run<A>(arguments: A, out: &mut dyn Write) -> ExitCode
where
    A: IntoIterator<Item = OsString>,
{
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return explain(&error),
    };
    let Some((name, matches)) = matches.subcommand() else {
        return serve::run(&given(&matches));
    };
    let done = match name {
        "checkconfig" => {
            return check_config::run(&given(matches), matches.get_flag(STRICT), out).into();
        }
        "defaultconfig" => defaults::write_config(matches, out),
        "defaultenv" => defaults::print_environment(matches, out),
        "configdoc" => documentation::print(matches, out),
        "metricsdoc" => metrics::print(out),
        "genconfig" => generate::write(matches, out),
        "gentoken" => tokens::generate(matches, out),
        "gensubtoken" => tokens::generate_subscription(matches, out),
        "checktoken" => tokens::check(matches, out),
        "checksubtoken" => tokens::check_subscription(matches, out),
        _ => print_version(out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // There is nobody left to tell that it cannot be told.
            drop(writeln!(std::io::stderr(), "error: {failure}"));
            failure.status().into()
        }
    }
}

/// The file and the variables that this process reads, with what the command line adds.
pub(crate) fn load(
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

fn explain(error: &clap::Error) -> ExitCode {
    // There is nobody left to tell that it cannot be printed.
    drop(error.print());
    if error.use_stderr() {
        Status::BadConfiguration.into()
    } else {
        ExitCode::SUCCESS
    }
}

fn print_version(out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "gyre {VERSION}")?;
    Ok(())
}

fn command() -> Command {
    let version = Command::new("version").about("Prints the version");
    let check = Command::new("checkconfig")
        .about("Reads the configuration and tells everything that is wrong with it")
        .arg(config())
        .arg(
            Arg::new(STRICT)
                .long(STRICT)
                .short('s')
                .action(ArgAction::SetTrue)
                .help("Options that do not exist are wrong, too"),
        );
    let known = entries();
    Command::new("gyre")
        .about("Real-time messaging: serves clients and the server API until it is told to stop")
        .arg(config())
        .args(flags().iter().map(|flag| option(flag, &known)))
        .subcommands([version, check])
        .subcommands([
            generate::command(),
            defaults::config_command(),
            defaults::environment_command(),
            documentation::command(),
            metrics::command(),
            tokens::generate_command(),
            tokens::generate_subscription_command(),
            tokens::check_command(),
            tokens::check_subscription_command(),
        ])
        .args_conflicts_with_subcommands(true)
}

/// `--config`: the file that is read.
pub(crate) fn config() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .short('c')
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Configuration in JSON, YAML or TOML; config.json if it is not given")
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
        Takes::Value => arg.value_name("VALUE"),
        Takes::Switch => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
    }
}

fn given(matches: &ArgMatches) -> Given {
    // A subcommand has none of the flags of options.
    let value = |flag: &Flag| {
        let value = matches.try_get_one::<String>(flag.path).ok().flatten()?;
        Some((flag.path.to_owned(), value.clone()))
    };
    Given {
        path: matches.get_one::<PathBuf>(CONFIG).cloned(),
        flags: flags().iter().filter_map(value).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_by(arguments: &[&str]) -> Given {
        given(&command().try_get_matches_from(arguments).unwrap())
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn flags_are_the_options_of_the_configuration() {
        let given = given_by(&[
            "gyre",
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

    #[test]
    fn version_is_printed() {
        let mut out = Vec::new();
        run(["gyre".into(), "version".into()], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("gyre {VERSION}\n"));
    }
}
