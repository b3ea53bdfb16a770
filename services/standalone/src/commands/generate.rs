//! `genconfig`: a configuration to begin with.

use std::io::Write;

use clap::{ArgMatches, Command};
use gyre_config::document::Format;

use super::defaults::{format_of, output, output_path};
use super::{Failure, write_new};

pub(crate) fn command() -> Command {
    Command::new("genconfig")
        .about("Writes a short configuration file with secrets of its own")
        .arg(output())
}

pub(crate) fn write(matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Failure> {
    let path = output_path(matches);
    write_new(path, &text(format_of(path)?, secret))?;
    writeln!(out, "{} is written", path.display())?;
    Ok(())
}

/// 122 random bits.
fn secret() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn text(format: Format, secret: impl Fn() -> String) -> String {
    let (token, key) = (secret(), secret());
    match format {
        Format::Json => format!(
            "{{\n  \"client\": {{\n    \"token\": {{\n      \"hmac_secret_key\": \"{token}\"\n    }},\n    \
             \"allowed_origins\": []\n  }},\n  \"http_api\": {{\n    \"key\": \"{key}\"\n  }}\n}}\n"
        ),
        Format::Yaml => format!(
            "client:\n  token:\n    hmac_secret_key: \"{token}\"\n  allowed_origins: []\n\
             http_api:\n  key: \"{key}\"\n"
        ),
        Format::Toml => format!(
            "[client]\nallowed_origins = []\n\n[client.token]\nhmac_secret_key = \"{token}\"\n\n\
             [http_api]\nkey = \"{key}\"\n"
        ),
    }
}
