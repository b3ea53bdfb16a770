//! A gRPC client that does not read for a while loses nothing: its HTTP/2 library must not take what
//! waits for a flood.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_config::Config;
use gyre_engine::{Delivered, Inlet};
use gyre_engine_memory::MemoryEngine;
use gyre_gateway::{Delivery, Deps, Gateway};
use gyre_links::Directory;
use gyre_policy::Policy;
use gyre_proto::unistream::centrifugo_uni_stream_client::CentrifugoUniStreamClient;
use gyre_proto::unistream::{ConnectRequest, Push, SubscribeRequest};
use gyre_protocol::messages::Publication;
use gyre_runtime::{Identity, Listeners, Parts};
use gyre_telemetry::Registry;
use gyre_types::{ChannelName, Epoch};
use tokio::task::yield_now;
use tonic::transport::Endpoint;
use tonic::{Status, Streaming};

/// Publications while the client does not read.
const COUNT: usize = 1_000;

/// Turns of the thread after each: the server has written and the client's library has read by then,
/// so that each travels alone.
const TURNS: usize = 300;

/// Windows of the client: those that the standard gives who asks for nothing. Unit: bytes.
const WINDOW: u32 = 65_535;

#[tokio::test]
async fn small_messages_wait_for_a_reader_that_pauses() {
    let got = read_late(false).await.unwrap();
    assert_eq!(got, (0..COUNT).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// The control: without padding the same client is cut off by its own library.
#[tokio::test]
async fn without_padding_the_reader_is_cut_off() {
    let status = read_late(true).await.unwrap_err();
    let text = format!("{status:?}");
    assert!(text.contains("ENHANCE_YOUR_CALM"), "{text}");
}

/// What a client gets that begins to read when all has been published.
async fn read_late(disable_padding: bool) -> Result<Vec<String>, Status> {
    let served = serve(disable_padding);
    let mut stream = consume(served.address).await;
    let connect = stream.message().await?.unwrap().connect.unwrap();
    assert!(connect.subs.contains_key("news"));
    let channel = ChannelName::new("news").unwrap();
    for n in 0..COUNT {
        served.delivery.on_publication(&channel, delivered(n));
        for _ in 0..TURNS {
            yield_now().await;
        }
    }
    let mut got = Vec::new();
    while got.len() < COUNT {
        let push = stream.message().await?.unwrap();
        let Some(publication) = push.r#pub else {
            continue; // A ping.
        };
        got.push(String::from_utf8(publication.data.to_vec()).unwrap());
    }
    served.parts.tasks.stop(Duration::from_millis(1)).await;
    Ok(got)
}

async fn consume(address: SocketAddr) -> Streaming<Push> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .initial_connection_window_size(WINDOW)
        .initial_stream_window_size(WINDOW);
    let mut client = CentrifugoUniStreamClient::new(endpoint.connect().await.unwrap());
    let request = ConnectRequest {
        subs: [("news".to_owned(), SubscribeRequest::default())].into(),
        ..ConnectRequest::default()
    };
    client.consume(request).await.unwrap().into_inner()
}

fn delivered(n: usize) -> Delivered {
    let publication = Publication {
        data: Bytes::from(n.to_string()),
        ..Publication::default()
    };
    Delivered {
        publication: Arc::new(publication),
        epoch: Epoch::default(),
        previous: None,
    }
}

struct Served {
    address: SocketAddr,
    delivery: Arc<Delivery>,
    parts: Parts,
}

/// A gateway on the memory engine whose gRPC stream listens on a free port.
fn serve(disable_padding: bool) -> Served {
    let mut config = Config::default();
    config.client.insecure = true;
    config.uni_grpc.disable_padding = disable_padding;
    let parts = Parts::new(
        Registry::new("test").unwrap(),
        Identity::new("test", "test"),
    );
    let delivery = Gateway::delivery(&parts).unwrap();
    let clock = parts.clock.clone();
    let engine = MemoryEngine::open(Arc::clone(&delivery), move || clock.now());
    let policy = Policy::new(&config.channel, &config.client, &config.rpc).unwrap();
    let deps = Deps {
        engine: engine.engine(),
        delivery: Arc::clone(&delivery),
        policy: Arc::new(policy),
        exclusions: Arc::default(),
        statuses: None,
        directory: Directory::open(&config.links, &engine.engine().registry).unwrap(),
    };
    let gateway = Gateway::build(&config, deps, &parts).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut listeners = Listeners::bind([any], &parts.registry).unwrap();
    let (_, address) = listeners.addresses().next().unwrap();
    let stream = gateway.uni_grpc(&config.uni_grpc);
    listeners.at(any).intercept(stream);
    gateway.run(&parts);
    listeners.run(&parts).unwrap();
    Served {
        address,
        delivery,
        parts,
    }
}
