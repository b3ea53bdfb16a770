use std::io::{self, Write};

use gyre_boot::Given;
use gyre_boot::command::load;
use gyre_config::Warning;
use gyre_runtime::process::Status;

/// Reads the configuration and tells everything that is wrong with it. A file that was named has to
/// be there.
pub(crate) fn run(given: &Given, is_strict: bool, out: &mut dyn Write) -> Status {
    check(given, is_strict, out).unwrap_or(Status::Failed)
}

fn check(given: &Given, is_strict: bool, out: &mut dyn Write) -> io::Result<Status> {
    let loaded = match load(given, given.path.is_some()) {
        Ok(loaded) => loaded,
        Err(found) => {
            for problem in &found.problems {
                writeln!(out, "error: {problem}")?;
            }
            tell(&found.warnings, is_strict, out)?;
            return Ok(Status::BadConfiguration);
        }
    };
    let mut status = tell(&loaded.warnings, is_strict, out)?;
    for problem in gyre_boot::check(&loaded.config) {
        writeln!(out, "error: {problem}")?;
        status = Status::BadConfiguration;
    }
    if status == Status::Clean {
        writeln!(out, "configuration is valid")?;
    }
    Ok(status)
}

fn tell(warnings: &[Warning], is_strict: bool, out: &mut dyn Write) -> io::Result<Status> {
    let mut status = Status::Clean;
    for warning in warnings {
        if is_strict && is_unknown(warning) {
            status = Status::BadConfiguration;
            writeln!(out, "error: {warning}")?;
        } else {
            writeln!(out, "warning: {warning}")?;
        }
    }
    Ok(status)
}

/// Whether it names something that does not exist.
fn is_unknown(warning: &Warning) -> bool {
    matches!(warning, Warning::Unknown { .. } | Warning::NoItem { .. })
}
