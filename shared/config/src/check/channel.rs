use super::{names, path_of_item, regex};
use crate::Millis;
use crate::channel::{
    Channel, ClientKey, Map, MapMode, Options, RecoveryMode, SharedPollMode, SubscriptionType,
};
use crate::load::Report;

pub(super) fn check(channel: &Channel, report: &mut Report) {
    names(
        "channel.namespaces",
        channel.namespaces.iter().map(|space| space.name.as_str()),
        report,
    );
    whole_seconds("channel.history_meta_ttl", channel.history_meta_ttl, report);
    options(
        "channel.without_namespace",
        &channel.without_namespace,
        channel,
        report,
    );
    for (index, space) in channel.namespaces.iter().enumerate() {
        let path = path_of_item("channel.namespaces", index, &space.name);
        options(&path, &space.options, channel, report);
    }
}

fn options(top: &str, options: &Options, channel: &Channel, report: &mut Report) {
    history(top, options, channel, report);
    recovery(top, options, report);
    regex(
        &format!("{top}.channel_regex"),
        &options.channel_regex,
        report,
    );
    proxies(top, options, report);
    match options.subscription_type {
        SubscriptionType::Stream => {}
        SubscriptionType::Map | SubscriptionType::MapClients | SubscriptionType::MapUsers => {
            map(top, options, report);
        }
        SubscriptionType::SharedPoll => shared_poll(top, options, report),
    }
}

/// Engines count retention in seconds.
fn whole_seconds(path: &str, span: Millis, report: &mut Report) {
    if !span.is_whole_seconds() {
        report.conflict(
            path,
            format!("\"{span}\""),
            "a whole number of seconds",
            &[],
        );
    }
}

fn history(top: &str, options: &Options, channel: &Channel, report: &mut Report) {
    let size_path = format!("{top}.history_size");
    let ttl_path = format!("{top}.history_ttl");
    let meta_path = format!("{top}.history_meta_ttl");
    let ttl = options.history_ttl;
    whole_seconds(&ttl_path, ttl, report);
    whole_seconds(&meta_path, options.history_meta_ttl, report);
    if ttl.0 < 0 {
        report.conflict(
            &ttl_path,
            format!("\"{ttl}\""),
            "a duration that is not negative",
            &[],
        );
    }
    if options.history_size > 0 && ttl.0 == 0 {
        let expected = "more than zero, because history_size is set";
        report.conflict(&ttl_path, "\"0s\"".to_owned(), expected, &[&size_path]);
    }
    if options.history_size == 0 && ttl.0 > 0 {
        let expected = "more than zero, because history_ttl is set";
        report.conflict(&size_path, "0".to_owned(), expected, &[&ttl_path]);
    }
    let (meta_path, meta) = if options.history_meta_ttl.0 == 0 {
        ("channel.history_meta_ttl", channel.history_meta_ttl)
    } else {
        (meta_path.as_str(), options.history_meta_ttl)
    };
    if ttl > meta {
        let expected = format!("at most {meta_path}, which is {meta}");
        report.conflict(&ttl_path, format!("\"{ttl}\""), &expected, &[meta_path]);
    }
}

fn recovery(top: &str, options: &Options, report: &mut Report) {
    let size_path = format!("{top}.history_size");
    let ttl_path = format!("{top}.history_ttl");
    let has_history = options.history_size > 0 && options.history_ttl.0 > 0;
    let recoveries = [
        ("force_recovery", options.force_recovery),
        ("allow_recovery", options.allow_recovery),
    ];
    for (name, is_on) in recoveries {
        if is_on && !has_history {
            let expected = "false, unless history_size and history_ttl are set";
            let path = format!("{top}.{name}");
            report.conflict(&path, "true".to_owned(), expected, &[&size_path, &ttl_path]);
        }
    }
    let is_cache = options.force_recovery && options.force_recovery_mode == RecoveryMode::Cache;
    if options.auto_cache_recover && !is_cache {
        let mode_path = format!("{top}.force_recovery_mode");
        let force_path = format!("{top}.force_recovery");
        report.conflict(
            &format!("{top}.auto_cache_recover"),
            "true".to_owned(),
            "false, unless force_recovery is true and force_recovery_mode is \"cache\"",
            &[&mode_path, &force_path],
        );
    }
}

fn proxies(top: &str, options: &Options, report: &mut Report) {
    if !options.subscribe_stream_proxy_enabled {
        return;
    }
    let others = [
        ("subscribe_proxy_enabled", options.subscribe_proxy_enabled),
        ("publish_proxy_enabled", options.publish_proxy_enabled),
        (
            "sub_refresh_proxy_enabled",
            options.sub_refresh_proxy_enabled,
        ),
    ];
    for (name, is_on) in others {
        if is_on {
            let path = format!("{top}.{name}");
            let expected = "false, because subscribe_stream_proxy_enabled is true";
            report.conflict(&path, "true".to_owned(), expected, &[]);
        }
    }
}

fn map(top: &str, options: &Options, report: &mut Report) {
    let map = &options.map;
    let mode_path = format!("{top}.map.mode");
    if map.mode == MapMode::Unset {
        let expected =
            "\"ephemeral\", \"recoverable\" or \"persistent\", because of subscription_type";
        report.conflict(&mode_path, "\"\"".to_owned(), expected, &[]);
        return;
    }
    let is_presence = options.subscription_type != SubscriptionType::Map;
    if is_presence && map.mode == MapMode::Persistent {
        let expected = "\"ephemeral\" or \"recoverable\", because of subscription_type";
        report.conflict(&mode_path, "\"persistent\"".to_owned(), expected, &[]);
    }
    let ttl_path = format!("{top}.map.key_ttl");
    let (ttl, is_persistent) = (map.key_ttl, map.mode == MapMode::Persistent);
    if is_persistent && ttl.0 != 0 {
        let expected = "nothing, because map.mode is \"persistent\"";
        report.conflict(&ttl_path, format!("\"{ttl}\""), expected, &[&mode_path]);
    }
    if !is_persistent && ttl.0 <= 0 {
        let expected = "more than zero, because map.mode is not \"persistent\"";
        report.conflict(&ttl_path, format!("\"{ttl}\""), expected, &[&mode_path]);
    }
    if map.mode == MapMode::Ephemeral && map.stream_size != 0 {
        let path = format!("{top}.map.stream_size");
        let expected = "0, because map.mode is \"ephemeral\"";
        report.conflict(&path, map.stream_size.to_string(), expected, &[&mode_path]);
    }
    map_keys(top, map, report);
}

fn map_keys(top: &str, map: &Map, report: &mut Report) {
    if map.client_key == ClientKey::Any {
        return;
    }
    let proxies = [
        ("publish_proxy_enabled", map.publish_proxy_enabled),
        ("remove_proxy_enabled", map.remove_proxy_enabled),
    ];
    for (name, is_on) in proxies {
        if is_on {
            let expected = "false, because map.client_key is set";
            report.conflict(
                &format!("{top}.map.{name}"),
                "true".to_owned(),
                expected,
                &[],
            );
        }
    }
}

fn shared_poll(top: &str, options: &Options, report: &mut Report) {
    let poll = &options.shared_poll;
    if poll.publish_enabled && poll.mode == SharedPollMode::Versionless {
        let mode_path = format!("{top}.shared_poll.mode");
        let path = format!("{top}.shared_poll.publish_enabled");
        let expected = "false, because shared_poll.mode is \"versionless\"";
        report.conflict(&path, "true".to_owned(), expected, &[&mode_path]);
    }
}
