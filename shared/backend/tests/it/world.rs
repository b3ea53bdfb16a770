//! Backends as a configuration of one test has them.

use std::sync::Arc;

use gyre_backend::{Answer, Backends, CallError, ClientContext, Event, Proxy};
use gyre_config::{Config, Millis};
use gyre_proto::proxy as pb;
use gyre_runtime::{Identity, Parts};
use gyre_telemetry::Registry;

/// Parts of a process that is only a test.
pub(crate) fn parts() -> Parts {
    Parts::new(Registry::new("").unwrap(), Identity::new("test", "0"))
}

/// The backends of a configuration that differs from the default.
pub(crate) fn backends(change: impl FnOnce(&mut Config)) -> (Backends, Parts) {
    let mut config = Config::default();
    change(&mut config);
    let parts = parts();
    (Backends::build(&config, &parts, None).unwrap(), parts)
}

/// The proxy of RPC at this address, with these options.
pub(crate) fn proxy(
    endpoint: &str,
    change: impl FnOnce(&mut gyre_config::Proxy),
) -> (Arc<Proxy>, Parts) {
    let (backends, parts) = backends(|config| {
        let proxy = &mut config.rpc.proxy;
        endpoint.clone_into(&mut proxy.endpoint);
        proxy.timeout = Millis(3_000);
        change(proxy);
    });
    let proxy = backends.find(Event::Rpc, "default").unwrap();
    (Arc::clone(proxy), parts)
}

/// Calls a method.
pub(crate) async fn rpc(proxy: &Proxy) -> Result<Answer<pb::RpcResult>, CallError> {
    let request = pb::RpcRequest {
        method: "m".to_owned(),
        data: "{}".into(),
        ..pb::RpcRequest::default()
    };
    proxy.rpc(request, &ClientContext::default()).await
}

/// Asks whether a client may connect.
pub(crate) async fn connect(proxy: &Proxy) -> Result<Answer<pb::ConnectResult>, CallError> {
    let request = pb::ConnectRequest::default();
    proxy.connect(request, &ClientContext::default()).await
}

/// The name of what became of a call.
pub(crate) fn name<T>(outcome: &Result<Answer<T>, CallError>) -> &'static str {
    match outcome {
        Ok(Answer::Result(_)) => "result",
        Ok(Answer::Error(_)) => "error",
        Ok(Answer::Disconnect(_)) => "disconnect",
        Err(error) => error.as_str(),
    }
}

/// The value of a metric, by the whole name that it has in the text.
pub(crate) fn metric(parts: &Parts, name: &str) -> Option<f64> {
    let text = parts.registry.encode().unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{name} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}
