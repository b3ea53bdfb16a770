//! What a backend gets of each event, and what becomes of its answer: golden pairs over both
//! protocols.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use gyre_backend::{Answer, ClientContext, Event, Proxy};
use gyre_proto::proxy as pb;
use prost::Message as _;

use crate::backend::{Reply, Script, Server};
use crate::world::{backends, name, proxy, rpc};

/// A proxy with everything switched on, and the backend behind it.
async fn http(answer: &'static str) -> (Arc<Proxy>, Arc<Script>, Server) {
    let script = Script::new(move |_| Reply::json(answer));
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&server.url("/events?x=1"), |options| {
        options.include_connection_meta = true;
    });
    (proxy, script, server)
}

fn body(script: &Script) -> String {
    String::from_utf8(script.last().body.to_vec()).unwrap()
}

#[tokio::test]
async fn connect_over_http() {
    let answer = r#"{"result":{"user":"7","expire_at":1,"info":{"a":1},"b64data":"AAE=",
        "channels":["x"],"subs":{"y":{"b64info":"AA==","override":{"presence":{"value":true}},
        "expire_at":2,"cache_recover":true,"server_tags_filter":{"key":"k","cmp":"eq","val":"v"}}},
        "meta":{"m":1},"caps":[{"channels":["z*"],"allow":["sub"],"match":"wildcard"}],
        "labels":{"l":"v"}}}"#;
    let (proxy, script, _server) = http(answer).await;
    let request = pb::ConnectRequest {
        client: "c".into(),
        transport: "websocket".into(),
        protocol: "json".into(),
        encoding: "json".into(),
        data: Bytes::from_static(br#"{"d": 1}"#),
        name: "js".into(),
        version: "1".into(),
        channels: vec!["x".into()],
        ..pb::ConnectRequest::default()
    };
    let outcome = proxy.connect(request, &ClientContext::default()).await;
    assert_eq!(
        body(&script),
        r#"{"client":"c","transport":"websocket","protocol":"json","encoding":"json","data":{"d": 1},"name":"js","version":"1","channels":["x"]}"#
    );
    let asked = script.last();
    assert_eq!(asked.path, "/events");
    assert_eq!(asked.headers["content-type"], "application/json");
    let Answer::Result(Some(result)) = outcome.unwrap() else {
        panic!("no result");
    };
    assert_eq!((result.user.as_str(), result.expire_at), ("7", 1));
    assert_eq!(result.info, r#"{"a":1}"#);
    assert_eq!(
        (result.data.as_ref(), result.b64data.as_str()),
        (&b"\0\x01"[..], "")
    );
    assert_eq!(result.meta, r#"{"m":1}"#);
    assert_eq!(result.caps[0].r#match, "wildcard");
    assert_eq!(result.labels["l"], "v");
    let options = &result.subs["y"];
    assert_eq!(options.info, "\0");
    assert!(options.cache_recover && options.expire_at == 2);
    assert_eq!(options.server_tags_filter.as_ref().unwrap().key, "k");
    let replaced = options.r#override.as_ref().unwrap();
    assert!(replaced.presence.as_ref().unwrap().value);
    assert_eq!(replaced.join_leave, None);
}

#[tokio::test]
async fn an_empty_user_is_printed_where_readers_expect_it() {
    let (proxy, script, _server) = http("{}").await;
    let client = ClientContext::default();
    let _ = proxy.refresh(pb::RefreshRequest::default(), &client).await;
    assert_eq!(body(&script), r#"{"encoding":"json","user":""}"#);
    let _ = proxy
        .subscribe(pb::SubscribeRequest::default(), &client)
        .await;
    assert_eq!(body(&script), r#"{"encoding":"json","user":""}"#);
    let _ = proxy.publish(pb::PublishRequest::default(), &client).await;
    assert_eq!(body(&script), r#"{"encoding":"json","user":""}"#);
    let _ = proxy
        .sub_refresh(pb::SubRefreshRequest::default(), &client)
        .await;
    assert_eq!(body(&script), r#"{"encoding":"json","user":""}"#);
    let _ = proxy.rpc(pb::RpcRequest::default(), &client).await;
    assert_eq!(body(&script), r#"{"encoding":"json","user":""}"#);
    let _ = proxy.connect(pb::ConnectRequest::default(), &client).await;
    assert_eq!(body(&script), r#"{"encoding":"json"}"#);
}

#[tokio::test]
async fn payloads_go_as_json_or_as_base64_and_meta_only_where_wanted() {
    let script = Script::new(|_| Reply::json("{}"));
    let server = Server::http(&script).await;
    let request = pb::RpcRequest {
        data: Bytes::from_static(b"[1]"),
        meta: Bytes::from_static(b"{}"),
        ..pb::RpcRequest::default()
    };
    for (is_binary, has_meta, expected) in [
        (false, false, r#"{"encoding":"json","user":"","data":[1]}"#),
        (
            false,
            true,
            r#"{"encoding":"json","user":"","data":[1],"meta":{}}"#,
        ),
        (
            true,
            false,
            r#"{"encoding":"binary","user":"","b64data":"WzFd"}"#,
        ),
    ] {
        let (proxy, _parts) = proxy(&server.url("/"), |options| {
            options.binary_encoding = is_binary;
            options.include_connection_meta = has_meta;
        });
        let _ = proxy.rpc(request.clone(), &ClientContext::default()).await;
        assert_eq!(body(&script), expected);
    }
}

#[tokio::test]
async fn of_several_answers_the_first_kind_counts() {
    let table = [
        (
            r#"{"result":{},"error":{"code":400,"message":"no","temporary":true}}"#,
            "error",
        ),
        (
            r#"{"result":{},"disconnect":{"code":4500,"reason":"go"},"error":{"code":1}}"#,
            "disconnect",
        ),
        (
            r#"{"error":null,"disconnect":null,"result":{"data":1}}"#,
            "result",
        ),
    ];
    for (answer, expected) in table {
        let (proxy, _, _server) = http(answer).await;
        assert_eq!(name(&rpc(&proxy).await), expected);
        // At refreshes nothing but the result is looked at.
        let client = ClientContext::default();
        let refreshed = proxy.refresh(pb::RefreshRequest::default(), &client);
        assert!(refreshed.await.unwrap().is_some());
    }
}

/// Calls a proxy with every event, and expects an answer to each.
async fn call_all(proxy: &Arc<Proxy>) {
    let client = ClientContext::default();
    let asked = proxy.connect(pb::ConnectRequest::default(), &client);
    asked.await.unwrap();
    let asked = proxy.refresh(pb::RefreshRequest::default(), &client);
    asked.await.unwrap();
    let asked = proxy.subscribe(pb::SubscribeRequest::default(), &client);
    asked.await.unwrap();
    let asked = proxy.publish(pb::PublishRequest::default(), &client);
    asked.await.unwrap();
    proxy.rpc(pb::RpcRequest::default(), &client).await.unwrap();
    let asked = proxy.sub_refresh(pb::SubRefreshRequest::default(), &client);
    asked.await.unwrap();
    let asked = proxy.map_publish(pb::MapPublishRequest::default(), &client);
    asked.await.unwrap();
    let asked = proxy.map_remove(pb::MapRemoveRequest::default(), &client);
    asked.await.unwrap();
    let asked = proxy.shared_poll_refresh(pb::SharedPollRefreshRequest::default());
    asked.await.unwrap();
    let asked = proxy.notify_channel_state(pb::NotifyChannelStateRequest::default());
    asked.await.unwrap();
    assert!(proxy.notify_cache_empty("news").await.unwrap());
}

#[tokio::test]
async fn every_event_over_grpc_has_its_method() {
    let script = Script::new(|asked| match asked.path.rsplit('/').next() {
        Some("NotifyCacheEmpty") => Reply::message(&pb::NotifyCacheEmptyResponse {
            result: Some(pb::NotifyCacheEmptyResult { populated: true }),
        }),
        // A message of no fields is an answer to all of them.
        _ => Reply::Grpc(Bytes::new()),
    });
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&server.address.to_string(), |_| {});
    call_all(&proxy).await;
    let asked = script.asked.lock();
    let service = "/centrifugal.centrifugo.proxy.CentrifugoProxy/";
    let methods: Vec<&str> = asked
        .iter()
        .filter_map(|one| one.path.strip_prefix(service))
        .collect();
    let expected = "Connect Refresh Subscribe Publish RPC SubRefresh MapPublish MapRemove \
                    SharedPollRefresh NotifyChannelState NotifyCacheEmpty";
    assert_eq!(methods.join(" "), expected);
    assert_eq!(server.accepted.load(Ordering::SeqCst), 1, "one connection");
}

#[tokio::test]
async fn a_request_over_grpc_holds_the_fields() {
    let script = Script::new(|_| Reply::Grpc(Bytes::new()));
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&server.address.to_string(), |_| {});
    let request = pb::SubscribeRequest {
        encoding: "json".into(),
        user: "7".into(),
        channel: "news".into(),
        token: "t".into(),
        labels: [("l".to_owned(), "v".to_owned())].into(),
        ..pb::SubscribeRequest::default()
    };
    let client = ClientContext::default();
    let outcome = proxy.subscribe(request.clone(), &client).await.unwrap();
    assert_eq!(outcome, Answer::Result(None));
    let asked = script.last();
    assert_eq!(asked.headers["grpc-timeout"], "3000000u", "its deadline");
    let sent = pb::SubscribeRequest::decode(asked.body).unwrap();
    assert_eq!(sent, request);
}

#[tokio::test]
async fn answers_over_grpc_mean_the_same() {
    let script = Script::new(|_| {
        Reply::message(&pb::RpcResponse {
            result: Some(pb::RpcResult {
                data: Bytes::new(),
                b64data: "AAE=".into(),
            }),
            ..pb::RpcResponse::default()
        })
    });
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&format!("grpc://{}", server.address), |_| {});
    let Ok(Answer::Result(Some(result))) = rpc(&proxy).await else {
        panic!("no result");
    };
    assert_eq!(result.data, "\0\x01");
}

#[tokio::test]
async fn namespaces_choose_by_name() {
    let (backends, _parts) = backends(|config| {
        "http://127.0.0.1:9/rpc".clone_into(&mut config.rpc.proxy.endpoint);
        "127.0.0.1:9".clone_into(&mut config.channel.proxy.subscribe.endpoint);
        config.client.proxy.connect.enabled = true;
        "http://127.0.0.1:9".clone_into(&mut config.client.proxy.connect.proxy.endpoint);
        let mut other = gyre_config::NamedProxy {
            name: "other".to_owned(),
            ..gyre_config::NamedProxy::default()
        };
        "http://127.0.0.1:9/other".clone_into(&mut other.proxy.endpoint);
        config.proxies.push(other);
    });
    let found = |event, name| {
        backends
            .find(event, name)
            .map(|proxy| proxy.name().to_owned())
    };
    assert_eq!(found(Event::Rpc, "default").as_deref(), Some("default"));
    assert_eq!(found(Event::Rpc, "other").as_deref(), Some("other"));
    assert_eq!(found(Event::Publish, "other").as_deref(), Some("other"));
    assert_eq!(found(Event::Publish, "default"), None);
    assert_eq!(found(Event::Rpc, "nobody"), None);
    assert!(backends.connect().is_some() && backends.refresh().is_none());
}
