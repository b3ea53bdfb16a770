//! The command line: the root command serves, subcommands help to get there.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use gyre_boot::command::{config, explain, options};
use gyre_boot::{Given, Role};
use gyre_telemetry::VERSION;

use crate::commands::{Failure, check_config, defaults, documentation, generate, metrics, tokens};
use crate::compose;

const STRICT: &str = "strict";

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
        return gyre_boot::serve(&Given::of(&matches), Role::Everything, compose::start);
    };
    let done = match name {
        "checkconfig" => {
            return check_config::run(&Given::of(matches), matches.get_flag(STRICT), out).into();
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
    let root = Command::new("gyre")
        .about("Real-time messaging: serves clients and the server API until it is told to stop");
    options(root)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn version_is_printed() {
        let mut out = Vec::new();
        run(["gyre".into(), "version".into()], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("gyre {VERSION}\n"));
    }
}
