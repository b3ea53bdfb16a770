use super::regex;
use crate::Config;
use crate::client::{ConnectCodeToDisconnect, Token};
use crate::load::Report;

/// Longest reason of a disconnect. Unit: bytes. What a WebSocket close frame holds.
const REASON_LEN_MAX: usize = 123;

pub(super) fn check(config: &Config, report: &mut Report) {
    let client = &config.client;
    if client.pong_timeout >= client.ping_interval {
        let timeout = format!("\"{}\"", client.pong_timeout);
        let expected = format!(
            "less than client.ping_interval, which is {}",
            client.ping_interval
        );
        report.conflict(
            "client.pong_timeout",
            timeout,
            &expected,
            &["client.ping_interval"],
        );
    }
    token("client.token", &client.token, report);
    token(
        "client.subscription_token",
        &client.subscription_token.token,
        report,
    );
    personal_channel(config, report);
    transforms(&client.connect_code_to_unidirectional_disconnect, report);
}

fn token(path: &str, token: &Token, report: &mut Report) {
    regex(
        &format!("{path}.audience_regex"),
        &token.audience_regex,
        report,
    );
    regex(&format!("{path}.issuer_regex"), &token.issuer_regex, report);
}

fn personal_channel(config: &Config, report: &mut Report) {
    let personal = &config.client.subscribe_to_user_personal_channel;
    if !personal.enabled {
        return;
    }
    let top = "client.subscribe_to_user_personal_channel";
    let name = &personal.personal_channel_namespace;
    let mut spaces = config.channel.namespaces.iter();
    let options = if name.is_empty() {
        Some(&config.channel.without_namespace)
    } else {
        spaces
            .find(|space| space.name == *name)
            .map(|space| &space.options)
    };
    let path = format!("{top}.personal_channel_namespace");
    match options {
        None => report.conflict(
            &path,
            format!("{name:?}"),
            "the name of one of channel.namespaces",
            &["channel.namespaces"],
        ),
        Some(options) if personal.single_connection && !options.presence => report.conflict(
            &format!("{top}.single_connection"),
            "true".to_owned(),
            "presence in the namespace of personal channels",
            &[&path],
        ),
        Some(_) => {}
    }
}

fn transforms(section: &ConnectCodeToDisconnect, report: &mut Report) {
    for (index, transform) in section.transforms.iter().enumerate() {
        let top = format!("client.connect_code_to_unidirectional_disconnect.transforms[{index}]");
        if transform.code == 0 {
            report.conflict(
                &format!("{top}.code"),
                "0".to_owned(),
                "the code of an error",
                &[],
            );
        }
        if transform.to.code == 0 {
            let expected = "the code of a disconnect, from 3000 to 4999";
            report.conflict(&format!("{top}.to.code"), "0".to_owned(), expected, &[]);
        }
        let reason = &transform.to.reason;
        if !reason.is_ascii() || reason.len() > REASON_LEN_MAX {
            let expected = format!("ASCII, at most {REASON_LEN_MAX} characters");
            report.conflict(
                &format!("{top}.to.reason"),
                format!("{reason:?}"),
                &expected,
                &[],
            );
        }
    }
}
