use std::net::SocketAddr;

use gyre_engine_memory::MemoryEngine;
use gyre_types::{Now, UnixMillis, Uptime};

use super::*;

fn registry() -> Arc<dyn Registry> {
    let now = || Now {
        uptime: Uptime::START,
        unix: UnixMillis(1),
    };
    MemoryEngine::open(Arc::new(()), now).engine().registry
}

fn links(gateways: &[&str]) -> Links {
    Links {
        gateways: gateways.iter().map(|&entry| entry.to_owned()).collect(),
        ..Links::default()
    }
}

fn nobody() -> Link {
    gyre_rpc::remote("127.0.0.1:1", None).unwrap()
}

fn names(listed: &Listed) -> Vec<&str> {
    listed.peers.iter().map(|peer| peer.name.as_str()).collect()
}

async fn announce(registry: &Arc<dyn Registry>, id: &str, address: &str) {
    let entry = Gateway {
        id: id.to_owned(),
        name: format!("gateway {id}"),
        address: address.to_owned(),
    };
    registry.announce(entry).await.unwrap();
}

#[tokio::test]
async fn without_links_there_is_the_own_one_only() {
    let registry = registry();
    announce(&registry, "a", "127.0.0.1:8101").await;
    let directory = Directory::open(&links(&[]), &registry).unwrap();
    assert_eq!(names(&directory.all().await), [""; 0]);
    let directory = directory.with_own("b", "gateway b", nobody());
    assert_eq!(names(&directory.all().await), ["gateway b"]);
    assert!(directory.find("b").await.is_some());
    assert!(directory.find("a").await.is_none());
}

#[tokio::test]
async fn the_registry_is_followed() {
    let registry = registry();
    let directory = Directory::open(&links(&["registry"]), &registry).unwrap();
    assert_eq!(names(&directory.all().await), [""; 0]);
    announce(&registry, "a", "127.0.0.1:8101").await;
    announce(&registry, "b", "127.0.0.1:8102").await;
    announce(&registry, "c", "").await;
    assert_eq!(names(&directory.all().await), ["gateway a", "gateway b"]);
    assert_eq!(directory.find("b").await.unwrap().name, "gateway b");
    let own = directory.with_own("b", "me", nobody());
    assert_eq!(names(&own.all().await), ["me", "gateway a"]);
    registry.withdraw("a").await.unwrap();
    assert_eq!(names(&directory.all().await), ["gateway b"]);
    assert!(directory.find("a").await.is_none());
}

#[tokio::test]
async fn an_address_stands_for_itself_and_a_name_for_its_addresses() {
    let directory = Directory::open(&links(&["127.0.0.1:8101", "localhost:8102"]), &registry());
    let listed = directory.unwrap().all().await;
    assert_eq!(listed.unanswered, [""; 0]);
    let names = names(&listed);
    assert!(names.contains(&"127.0.0.1:8101"), "{names:?}");
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("localhost:8102 at ")),
        "{names:?}"
    );
}

#[tokio::test]
async fn a_name_that_nobody_has_is_told() {
    let directory = Directory::open(&links(&["no-such-host.invalid:8100"]), &registry());
    let listed = directory.unwrap().all().await;
    assert_eq!(names(&listed), [""; 0]);
    assert_eq!(listed.unanswered, ["no-such-host.invalid:8100"]);
}

#[test]
fn what_is_no_address_is_refused() {
    for (entries, told) in [
        (
            &["nothing"][..],
            "links.gateways: \"nothing\" is not host:port",
        ),
        (
            &["registry", "a:1"],
            "links.gateways: \"registry\" stands alone or not at all",
        ),
    ] {
        let refused = Directory::open(&links(entries), &registry()).unwrap_err();
        assert_eq!(refused.to_string(), told);
    }
}

mod served {
    //! Gateways that say who they are, on real sockets.

    use std::convert::Infallible;

    use gyre_proto::api::NodeResult;
    use gyre_proto::gateway::InfoResponse;
    use prost::Message as _;

    use super::*;

    /// Answers every call with the id, as gRPC over HTTP/2.
    async fn serve(id: &'static str) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = move |_request| async move {
            let node = NodeResult {
                uid: id.to_owned(),
                ..NodeResult::default()
            };
            let message = InfoResponse { node: Some(node) }.encode_to_vec();
            let mut frame = vec![0];
            frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
            frame.extend(message);
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let body = http_body_util::Full::new(bytes::Bytes::from(frame));
            let body = http_body_util::BodyExt::with_trailers(
                body,
                std::future::ready(Some(Ok(trailers))),
            );
            let mut response = http::Response::new(body);
            let headers = response.headers_mut();
            headers.insert("content-type", "application/grpc".parse().unwrap());
            Ok::<_, Infallible>(response)
        };
        let serving = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let io = hyper_util::rt::TokioIo::new(stream);
                let executor = hyper_util::rt::TokioExecutor::new();
                let connection = hyper::server::conn::http2::Builder::new(executor)
                    .serve_connection(io, hyper::service::service_fn(answer));
                gyre_runtime::Tasks::default().spawn(
                    "connection",
                    gyre_runtime::OnExit::Ignore,
                    async {
                        drop(connection.await);
                    },
                );
            }
        };
        gyre_runtime::Tasks::default().spawn_background("server", serving);
        address
    }

    /// Takes connections and says nothing.
    async fn silent() -> (String, tokio::net::TcpListener) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        (listener.local_addr().unwrap().to_string(), listener)
    }

    #[tokio::test]
    async fn those_who_say_nothing_are_waited_for_together() {
        let mut entries = Vec::new();
        let mut listeners = Vec::new();
        for _ in 0..8 {
            let (address, listener) = silent().await;
            entries.push(address);
            listeners.push(listener);
        }
        entries.push(serve("a").await.to_string());
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let directory = Directory::open(&links(&entries), &registry()).unwrap();
        let started = std::time::Instant::now();
        assert_eq!(directory.find("a").await.unwrap().name, entries[8]);
        let own = directory.with_own("b", "me", nobody());
        assert_eq!(own.all().await.peers.len(), 10);
        // Twice as long as one of them is waited for; one after the other it would be sixteen times.
        assert!(started.elapsed() < INTRODUCTION_WAIT_MAX * 8);
    }

    #[tokio::test]
    async fn without_a_registry_gateways_say_who_they_are() {
        let (a, b) = (serve("a").await.to_string(), serve("b").await.to_string());
        let directory = Directory::open(&links(&[&a, &b]), &registry()).unwrap();
        assert_eq!(names(&directory.all().await), [a.as_str(), b.as_str()]);
        assert_eq!(directory.find("b").await.unwrap().name, b);
        assert!(directory.find("c").await.is_none());
        // The one in this process is not called over the network as well.
        let own = directory.with_own("a", "me", nobody());
        assert_eq!(names(&own.all().await), ["me", b.as_str()]);
    }
}
