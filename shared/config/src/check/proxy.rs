//! Backends that are asked are there, and what is said about them can be.

use super::{names, path_of_item};
use crate::Config;
use crate::channel::{Options, SubscriptionType};
use crate::load::Report;
use crate::proxy::{Proxy, StatusTransform};
use crate::rpc::RpcOptions;

/// Longest text that a client is told. Unit: bytes. What a WebSocket close frame holds.
const TEXT_LEN_MAX: usize = 123;

/// Name of the proxy that stands at its event.
const DEFAULT: &str = "default";

pub(super) fn check(config: &Config, report: &mut Report) {
    let listed = config.proxies.iter().map(|one| one.name.as_str());
    names("proxies", listed, report);
    for (index, one) in config.proxies.iter().enumerate() {
        let path = path_of_item("proxies", index, &one.name);
        if one.name == DEFAULT {
            let expected = "another name: this one stands for the proxy of an event";
            report.conflict(
                &format!("{path}.name"),
                format!("{DEFAULT:?}"),
                expected,
                &[],
            );
        }
        proxy(&path, &one.proxy, report);
    }
    for (path, options) in defaults(config) {
        proxy(path, options, report);
    }
    for (path, event) in [
        ("client.proxy.connect", &config.client.proxy.connect),
        ("client.proxy.refresh", &config.client.proxy.refresh),
    ] {
        if event.enabled {
            let enabled = format!("{path}.enabled");
            has_endpoint(path, &event.proxy, &enabled, report);
        }
    }
    references(config, report);
}

/// The proxies that stand at their events.
fn defaults(config: &Config) -> [(&'static str, &Proxy); 12] {
    let (client, channel) = (&config.client.proxy, &config.channel.proxy);
    [
        ("client.proxy.connect", &client.connect.proxy),
        ("client.proxy.refresh", &client.refresh.proxy),
        ("channel.proxy.subscribe", &channel.subscribe),
        ("channel.proxy.publish", &channel.publish),
        ("channel.proxy.sub_refresh", &channel.sub_refresh),
        ("channel.proxy.subscribe_stream", &channel.subscribe_stream),
        ("channel.proxy.map_publish", &channel.map_publish),
        ("channel.proxy.map_remove", &channel.map_remove),
        (
            "channel.proxy.shared_poll_refresh",
            &channel.shared_poll_refresh,
        ),
        ("channel.proxy.cache_empty", &channel.cache_empty),
        ("channel.proxy.state", &channel.state),
        ("rpc.proxy", &config.rpc.proxy),
    ]
}

/// What is said about a backend, whether it is asked or not.
fn proxy(top: &str, proxy: &Proxy, report: &mut Report) {
    if proxy.timeout.0 < 0 {
        let expected = "a duration that is more than zero";
        let timeout = format!("\"{}\"", proxy.timeout);
        report.conflict(&format!("{top}.timeout"), timeout, expected, &[]);
    }
    if !proxy.endpoint.is_empty() {
        endpoint(&format!("{top}.endpoint"), &proxy.endpoint, report);
    }
    for other in &proxy.endpoints {
        let path = format!("{top}.endpoints");
        endpoint(&path, other, report);
        if is_http(other) != is_http(&proxy.endpoint) {
            let first = format!("{top}.endpoint");
            let expected =
                "addresses of the same kind as endpoint: all over HTTP, or all over gRPC";
            report.conflict(&path, format!("{other:?}"), expected, &[&first]);
        }
    }
    let lists = [
        ("http_headers", &proxy.http_headers),
        ("grpc_metadata", &proxy.grpc_metadata),
        ("emulated_headers", &proxy.emulated_headers),
    ];
    for (option, names) in lists {
        for name in names.iter().filter(|name| !is_header(name)) {
            let path = format!("{top}.{option}");
            report.conflict(&path, format!("{name:?}"), "names of headers", &[]);
        }
    }
    for (index, transform) in proxy.http.status_to_code_transforms.iter().enumerate() {
        let path = format!("{top}.http.status_to_code_transforms[{index}]");
        status_transform(&path, transform, report);
    }
}

/// Whether an address is asked over HTTP.
fn is_http(address: &str) -> bool {
    address.starts_with("http://") || address.starts_with("https://")
}

fn endpoint(path: &str, address: &str, report: &mut Report) {
    let (authority, needs_port) = match address.split_once("://") {
        Some(("http" | "https", rest)) => (rest.split(['/', '?', '#']).next(), false),
        Some(("grpc", rest)) => (Some(rest), true),
        Some(_) => (None, false),
        None => (Some(address), true),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let is_fine = authority.is_some_and(|authority| match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => !host.is_empty() && !host.contains('/'),
        Some(_) | None => !needs_port && !authority.is_empty(),
    });
    if !is_fine || address.contains(char::is_whitespace) {
        let expected = "\"http://…\" or \"https://…\" for HTTP, \"grpc://host:port\" or \"host:port\" for gRPC";
        report.conflict(path, format!("{address:?}"), expected, &[]);
    }
}

fn is_header(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

fn status_transform(top: &str, transform: &StatusTransform, report: &mut Report) {
    if transform.status_code == 0 {
        let path = format!("{top}.status_code");
        report.conflict(&path, "0".to_owned(), "a status from 100 to 999", &[]);
    }
    let (error, disconnect) = (&transform.to_error, &transform.to_disconnect);
    if (error.code == 0) == (disconnect.code == 0) {
        let expected = "either to_error.code or to_disconnect.code to be set";
        let shown = format!("{} and {}", error.code, disconnect.code);
        report.conflict(top, shown, expected, &[]);
    }
    let texts = [
        ("to_error.message", &error.message),
        ("to_disconnect.reason", &disconnect.reason),
    ];
    for (option, text) in texts {
        if !text.is_ascii() || text.len() > TEXT_LEN_MAX {
            let path = format!("{top}.{option}");
            let expected = format!("ASCII, at most {TEXT_LEN_MAX} characters");
            report.conflict(&path, format!("{text:?}"), &expected, &[]);
        }
    }
}

/// An option that asks a backend: the one of that name, or that of the event.
struct Reference<'a> {
    /// Path of the option with the name.
    path: String,
    /// The name.
    name: &'a str,
    /// The event's own, and where it stands.
    default: (&'static str, &'a Proxy),
    /// Whether the event goes over gRPC only.
    needs_grpc: bool,
}

/// Every backend that is asked exists and has an address.
fn references(config: &Config, report: &mut Report) {
    let spaces = config.channel.namespaces.iter().enumerate();
    let spaces = spaces.map(|(index, space)| {
        let path = path_of_item("channel.namespaces", index, &space.name);
        (path, &space.options)
    });
    let without = (
        "channel.without_namespace".to_owned(),
        &config.channel.without_namespace,
    );
    for (top, options) in std::iter::once(without).chain(spaces) {
        for reference in of_channels(&top, options, config) {
            resolves(&reference, config, report);
        }
    }
    let spaces = config.rpc.namespaces.iter().enumerate();
    let spaces = spaces.map(|(index, space)| {
        let path = path_of_item("rpc.namespaces", index, &space.name);
        (path, &space.options)
    });
    let without = (
        "rpc.without_namespace".to_owned(),
        &config.rpc.without_namespace,
    );
    for (top, options) in std::iter::once(without).chain(spaces) {
        if let Some(reference) = of_methods(&top, options, config) {
            resolves(&reference, config, report);
        }
    }
}

fn of_methods<'a>(top: &str, options: &'a RpcOptions, config: &'a Config) -> Option<Reference<'a>> {
    options.proxy_enabled.then(|| Reference {
        path: format!("{top}.proxy_name"),
        name: &options.proxy_name,
        default: ("rpc.proxy", &config.rpc.proxy),
        needs_grpc: false,
    })
}

fn of_channels<'a>(top: &str, options: &'a Options, config: &'a Config) -> Vec<Reference<'a>> {
    let proxies = &config.channel.proxy;
    let is_polled = options.subscription_type == SubscriptionType::SharedPoll;
    let all = [
        (
            options.subscribe_proxy_enabled,
            (
                "subscribe_proxy_name",
                options.subscribe_proxy_name.as_str(),
            ),
            ("channel.proxy.subscribe", &proxies.subscribe),
        ),
        (
            options.publish_proxy_enabled,
            ("publish_proxy_name", &options.publish_proxy_name),
            ("channel.proxy.publish", &proxies.publish),
        ),
        (
            options.sub_refresh_proxy_enabled,
            ("sub_refresh_proxy_name", &options.sub_refresh_proxy_name),
            ("channel.proxy.sub_refresh", &proxies.sub_refresh),
        ),
        (
            options.subscribe_stream_proxy_enabled,
            (
                "subscribe_stream_proxy_name",
                &options.subscribe_stream_proxy_name,
            ),
            ("channel.proxy.subscribe_stream", &proxies.subscribe_stream),
        ),
        (
            options.map.publish_proxy_enabled,
            ("map.publish_proxy_name", &options.map.publish_proxy_name),
            ("channel.proxy.map_publish", &proxies.map_publish),
        ),
        (
            options.map.remove_proxy_enabled,
            ("map.remove_proxy_name", &options.map.remove_proxy_name),
            ("channel.proxy.map_remove", &proxies.map_remove),
        ),
        (
            options.cache_empty_proxy_enabled,
            ("cache_empty_proxy_name", &options.cache_empty_proxy_name),
            ("channel.proxy.cache_empty", &proxies.cache_empty),
        ),
        (
            options.state_proxy_enabled,
            ("state_proxy_name", &options.state_proxy_name),
            ("channel.proxy.state", &proxies.state),
        ),
        (
            is_polled,
            ("shared_poll.proxy_name", &options.shared_poll.proxy_name),
            (
                "channel.proxy.shared_poll_refresh",
                &proxies.shared_poll_refresh,
            ),
        ),
    ];
    all.into_iter()
        .filter(|(is_asked, ..)| *is_asked)
        .map(|(_, (option, name), default)| Reference {
            path: format!("{top}.{option}"),
            name,
            default,
            needs_grpc: option == "subscribe_stream_proxy_name",
        })
        .collect()
}

fn resolves(reference: &Reference<'_>, config: &Config, report: &mut Report) {
    let Reference {
        path,
        name,
        default: (default_path, default),
        needs_grpc,
    } = reference;
    let named = config.proxies.iter().find(|one| one.name == *name);
    let (at, proxy) = match named {
        _ if *name == DEFAULT => ((*default_path).to_owned(), *default),
        Some(one) => (format!("proxies[{name}]"), &one.proxy),
        None => {
            let expected = "the name of one of proxies";
            report.conflict(path, format!("{name:?}"), expected, &["proxies"]);
            return;
        }
    };
    has_endpoint(&at, proxy, path, report);
    if *needs_grpc && is_http(&proxy.endpoint) {
        let expected = "an address over gRPC, since streams need it";
        let endpoint = format!("{at}.endpoint");
        report.conflict(
            &endpoint,
            format!("{:?}", proxy.endpoint),
            expected,
            &[path],
        );
    }
}

fn has_endpoint(top: &str, proxy: &Proxy, asked_by: &str, report: &mut Report) {
    if proxy.endpoint.is_empty() {
        let path = format!("{top}.endpoint");
        let expected = format!("an address, because {asked_by} asks there");
        report.conflict(&path, "\"\"".to_owned(), &expected, &[asked_by]);
    }
}

#[cfg(test)]
mod tests;
