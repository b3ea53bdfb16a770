//! `gentoken`, `gensubtoken`, `checktoken`, `checksubtoken`.

use std::error::Error;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, ArgMatches, Command};
use gyre_auth::{HmacAlgorithm, TokenError, Verifier, sign_hmac};
use gyre_config::Secret;
use gyre_fetch::World;
use gyre_runtime::process;
use gyre_types::UnixSeconds;
use serde_json::{Map, Value};

use super::{Failure, configuration};
use gyre_boot::command::config;

const USER: &str = "user";
const CHANNEL: &str = "channel";
const TTL: &str = "ttl";
const QUIET: &str = "quiet";
const TOKEN: &str = "token";

/// How long a token holds if nothing is said. Unit: seconds. One week.
const TTL_USUAL: &str = "604800";

pub(crate) fn generate_command() -> Command {
    generator(
        "gentoken",
        "Makes a token that opens a connection, signed with client.token.hmac_secret_key",
    )
}

pub(crate) fn generate_subscription_command() -> Command {
    let about = "Makes a token that opens a subscription, signed with the secret of \
                 client.subscription_token if that is enabled, and of client.token if not";
    let channel = Arg::new(CHANNEL)
        .long(CHANNEL)
        .short('s')
        .value_name("CHANNEL")
        .required(true)
        .help("Channel that it opens");
    generator("gensubtoken", about).arg(channel)
}

pub(crate) fn check_command() -> Command {
    checker(
        "checktoken",
        "Verifies a token of a connection as the server would",
    )
}

pub(crate) fn check_subscription_command() -> Command {
    checker(
        "checksubtoken",
        "Verifies a token of a subscription as the server would",
    )
}

fn generator(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .arg(config())
        .arg(
            Arg::new(USER)
                .long(USER)
                .short('u')
                .value_name("USER")
                .default_value("")
                .hide_default_value(true)
                .help("User that it is made for; an anonymous one if it is not given"),
        )
        .arg(
            Arg::new(TTL)
                .long(TTL)
                .short('t')
                .value_name("SECONDS")
                .allow_negative_numbers(true)
                .value_parser(clap::value_parser!(i64))
                .default_value(TTL_USUAL)
                .help("How long it holds; 0 and less: for ever"),
        )
        .arg(
            Arg::new(QUIET)
                .long(QUIET)
                .short('q')
                .action(ArgAction::SetTrue)
                .help("Prints the token and nothing else"),
        )
}

fn checker(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .arg(config())
        .arg(Arg::new(TOKEN).value_name("TOKEN").required(true))
}

pub(crate) fn generate(matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Failure> {
    let client = configuration(matches)?.client;
    let (claims, about) = claims(matches, Map::new());
    let secret = ("client.token", &client.token.hmac_secret_key);
    print_token(matches, out, secret, (&claims, &about))
}

pub(crate) fn generate_subscription(
    matches: &ArgMatches,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let client = configuration(matches)?.client;
    let own = &client.subscription_token;
    let secret = if own.enabled {
        ("client.subscription_token", &own.token.hmac_secret_key)
    } else {
        ("client.token", &client.token.hmac_secret_key)
    };
    let channel = text(matches, CHANNEL);
    let mut bound = Map::new();
    bound.insert("channel".to_owned(), channel.into());
    let (claims, about) = claims(matches, bound);
    let about = format!("{about} and channel {channel:?}");
    print_token(matches, out, secret, (&claims, &about))
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map_or("", String::as_str)
}

/// What the token says, and the same for people.
fn claims(matches: &ArgMatches, mut claims: Map<String, Value>) -> (Map<String, Value>, String) {
    let (user, now) = (text(matches, USER), now().0);
    let ttl = matches.get_one::<i64>(TTL).copied().unwrap_or_default();
    claims.insert("sub".to_owned(), user.into());
    claims.insert("iat".to_owned(), now.into());
    let until = if ttl > 0 {
        claims.insert("exp".to_owned(), now.saturating_add(ttl).into());
        format!("for {ttl} seconds")
    } else {
        "for ever".to_owned()
    };
    (claims, format!("{until}, for user {user:?}"))
}

fn print_token(
    matches: &ArgMatches,
    out: &mut dyn Write,
    (section, secret): (&str, &Secret),
    (claims, about): (&Map<String, Value>, &str),
) -> Result<(), Failure> {
    if secret.is_empty() {
        let missing = format!("{section}.hmac_secret_key is empty: there is nothing to sign with");
        return Err(Failure::Refused(missing));
    }
    let algorithm = HmacAlgorithm::default();
    let token = sign_hmac(algorithm, secret.expose().as_bytes(), claims)
        .map_err(|error| Failure::Refused(error.to_string()))?;
    if !matches.get_flag(QUIET) {
        writeln!(out, "{} token, holds {about}:", algorithm.name())?;
    }
    writeln!(out, "{token}")?;
    Ok(())
}

pub(crate) fn check(matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Failure> {
    let (verifier, token) = (verifier(matches)?, text(matches, TOKEN));
    let claims = with_keys(
        || verifier.verify_connection(token, now()),
        || verifier.verify_connection_settled(token, now()),
    )?;
    let until = until(claims.expire_at);
    writeln!(
        out,
        "valid token of user {:?}, {until}",
        claims.user.as_str()
    )?;
    Ok(())
}

pub(crate) fn check_subscription(matches: &ArgMatches, out: &mut dyn Write) -> Result<(), Failure> {
    let (verifier, token) = (verifier(matches)?, text(matches, TOKEN));
    let claims = with_keys(
        || verifier.verify_subscription(token, now()),
        || verifier.verify_subscription_settled(token, now()),
    )?;
    let (user, channel, until) = (&claims.user, &claims.channel, until(claims.expire_at));
    let user = user.as_str();
    writeln!(
        out,
        "valid token of user {user:?} for channel {channel:?}, {until}"
    )?;
    Ok(())
}

/// Verifies, after fetching the key if that is what it takes.
fn with_keys<T>(
    verify: impl FnOnce() -> Result<T, TokenError> + Send,
    settle: impl FnOnce() -> Result<T, TokenError> + Send,
) -> Result<T, Failure> {
    let verified = process::wait(async move {
        match verify() {
            Err(TokenError::Pending(fetch)) => {
                fetch.await;
                settle()
            }
            verified => verified,
        }
    });
    verified?.map_err(|error| refused(&error))
}

fn verifier(matches: &ArgMatches) -> Result<Verifier, Failure> {
    let client = configuration(matches)?.client;
    Verifier::new(&client, &World).map_err(|error| refused(&error))
}

/// An error with all that led to it.
fn refused(error: &dyn Error) -> Failure {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        told = format!("{told}: {error}");
        source = error.source();
    }
    Failure::Refused(told)
}

fn until(expire_at: Option<UnixSeconds>) -> String {
    match expire_at {
        Some(at) => {
            let left = at.0.saturating_sub(now().0);
            format!("holds for {left} seconds, until Unix time {}", at.0)
        }
        None => "holds for ever".to_owned(),
    }
}

fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixSeconds(since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }))
}
