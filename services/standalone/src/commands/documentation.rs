//! `configdoc`: what each option means.

use std::io::Write;

use clap::{Arg, ArgAction, ArgMatches, Command};
use gyre_config::reference;

use super::Failure;

const SECTION: &str = "section";

pub(crate) fn command() -> Command {
    Command::new("configdoc")
        .about("Prints what each option means, in Markdown")
        .arg(
            Arg::new(SECTION)
                .long(SECTION)
                .value_name("PATH")
                .help("Only options below this path, such as client or client.token"),
        )
        .arg(
            // The one form there is; command lines of today name it.
            Arg::new("markdown")
                .long("markdown")
                .action(ArgAction::SetTrue)
                .hide(true),
        )
}

pub(crate) fn print(matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Failure> {
    let page = match matches.get_one::<String>(SECTION) {
        None => reference::markdown(),
        Some(path) => reference::section(path)
            .ok_or_else(|| Failure::Refused(format!("there is no option below {path:?}")))?,
    };
    out.write_all(page.as_bytes())?;
    Ok(())
}
