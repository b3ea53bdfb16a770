//! What the paths of `docs/hot-path.md` may allocate, over real sockets on one thread.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gyre_allocator::allocations;
use gyre_backend::Backends;
use gyre_config::Config;
use gyre_engine::{Delivered, Inlet};
use gyre_gateway::Delivery;
use gyre_policy::Policy;
use gyre_protocol::frame::Commands;
use gyre_protocol::messages::Publication;
use gyre_protocol::{Command, Envelope, Format, Request};
use gyre_runtime::Parts;
use gyre_session::{
    Completion, Effect, Grants, HistoryPart, Session, Settings, Subscribed, Transport,
};
use gyre_types::{ChannelName, ClientId, Epoch, HubSlot, Now, Position};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Publications that give every queue and buffer its working size.
const WARM_UP: usize = 8;

/// Publications that are counted.
const COUNTED: usize = 100;

/// Subscribers that have to cost as little as one does.
const MANY: usize = 64;

/// Allocations of a publication, however many receive it: the entry that is shared, its encoding, and
/// the encoding's reference count. Where it is compressed, that copy stands for the count.
const PER_PUBLICATION: usize = 3;

/// Budget of a publish with 1 KiB payload by a subscriber of the channel, from its frame to the effect:
/// the request, the channel in it, and the frame's reference count. Who does not subscribe pays for the
/// channel's name once more.
const PUBLISH_BY_SUBSCRIBER_MAX: usize = 3;

/// How a client speaks.
#[derive(Clone, Copy, Debug)]
struct Dialect {
    format: Format,
    compresses: bool,
    payload_len: usize,
}

#[test]
fn a_delivery_allocates_nothing_per_subscriber() {
    let plain = Dialect {
        format: Format::Json,
        compresses: false,
        payload_len: 100,
    };
    let dialects = [
        plain,
        Dialect {
            format: Format::Protobuf,
            ..plain
        },
        // Past a kibibyte payloads are not copied but sent from where they lie.
        Dialect {
            payload_len: 4_000,
            ..plain
        },
        Dialect {
            compresses: true,
            ..plain
        },
    ];
    for dialect in dialects {
        let one = allocations_of_deliveries(1, dialect);
        let many = allocations_of_deliveries(MANY, dialect);
        assert_eq!(many, one, "of one subscriber and of {MANY}: {dialect:?}");
        assert_eq!(one, PER_PUBLICATION * COUNTED, "{dialect:?}");
    }
}

#[test]
fn a_publish_command_allocates_little_on_its_way_to_an_effect() {
    for (format, is_subscribed, most) in [
        (Format::Json, true, PUBLISH_BY_SUBSCRIBER_MAX),
        (Format::Protobuf, true, PUBLISH_BY_SUBSCRIBER_MAX),
        (Format::Json, false, PUBLISH_BY_SUBSCRIBER_MAX + 1),
    ] {
        let counted = allocations_of_publish(format, is_subscribed);
        println!("{counted} allocations, {format:?}, subscribed: {is_subscribed}");
        assert!(counted <= most);
    }
}

// === delivery ===

/// Allocations of this thread from the inlet to the last socket's last byte. Everything runs on it:
/// the fan-out, every connection's task, and clients that read into one buffer.
fn allocations_of_deliveries(subscribers: usize, dialect: Dialect) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let served = serve(dialect);
        let mut clients = Vec::new();
        for _ in 0..subscribers {
            clients.push(subscribe(served.address, dialect).await);
        }
        let channel = ChannelName::new("news").unwrap();
        let mut publications = Vec::new();
        for n in 0..WARM_UP + COUNTED {
            publications.push(delivered(n, dialect.payload_len));
        }
        let mut rest = publications.into_iter();
        for publication in rest.by_ref().take(WARM_UP) {
            deliver(&served, &channel, publication, &mut clients).await;
        }
        let before = allocations();
        for publication in rest {
            deliver(&served, &channel, publication, &mut clients).await;
        }
        let counted = allocations() - before;
        served.parts.tasks.stop(Duration::from_millis(1)).await;
        counted
    })
}

/// One publication, until every client has read its last byte.
async fn deliver(
    served: &Served,
    channel: &ChannelName,
    publication: Delivered,
    clients: &mut [TcpStream],
) {
    served.delivery.on_publication(channel, publication);
    for client in clients {
        read_frame(client).await;
    }
}

struct Served {
    address: SocketAddr,
    delivery: Arc<Delivery>,
    parts: Parts,
}

/// A gateway on the memory engine, listening on a free port.
fn serve(dialect: Dialect) -> Served {
    let mut config = config();
    config.websocket.compression = dialect.compresses;
    let parts = common::parts();
    let backends = Backends::build(&config, &parts, None).unwrap();
    let (gateway, delivery, _engine) = common::build(&config, &parts, backends, None);
    let address = common::listen(gateway, &parts, |_gateway, _site| {});
    Served {
        address,
        delivery,
        parts,
    }
}

/// A client that has subscribed to «news».
async fn subscribe(address: SocketAddr, dialect: Dialect) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    let (query, extension) = (
        match dialect.format {
            Format::Json => "",
            Format::Protobuf => "?format=protobuf",
        },
        if dialect.compresses {
            "Sec-WebSocket-Extensions: permessage-deflate\r\n"
        } else {
            ""
        },
    );
    let request = format!(
        "GET /connection/websocket{query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{extension}\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(client.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    let is_agreed = String::from_utf8_lossy(&answer).contains("permessage-deflate");
    assert_eq!(is_agreed, dialect.compresses);
    let (connect, subscribe): (&[u8], &[u8]) = match dialect.format {
        Format::Json => (
            br#"{"id":1,"connect":{}}"#,
            br#"{"id":2,"subscribe":{"channel":"news"}}"#,
        ),
        Format::Protobuf => (b"\x04\x08\x01\x22\x00", b"\x0a\x08\x02\x2a\x06\x0a\x04news"),
    };
    for command in [connect, subscribe] {
        // Masked with zeros, which leaves it as it is.
        let opcode = match dialect.format {
            Format::Json => 0x81,
            Format::Protobuf => 0x82,
        };
        let len = u8::try_from(command.len()).unwrap();
        let head = [opcode, 0x80 | len, 0, 0, 0, 0];
        client.write_all(&[&head, command].concat()).await.unwrap();
        read_frame(&client).await;
    }
    client
}

/// Reads exactly one frame. Allocates nothing.
async fn read_frame(client: &TcpStream) {
    let mut buffer = [0; 5 * 1024];
    let mut filled = 0;
    loop {
        client.readable().await.unwrap();
        match client.try_read(&mut buffer[filled..]) {
            Ok(0) => panic!("the server has closed the connection"),
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => panic!("{error}"),
        }
        let len = match buffer[..filled] {
            [_, 126, high, low, ..] => 4 + usize::from(u16::from_be_bytes([high, low])),
            [_, len, ..] if len < 126 => 2 + usize::from(len),
            _ => continue,
        };
        assert!(filled <= len, "one frame comes at a time");
        if filled == len {
            return;
        }
    }
}

fn delivered(n: usize, payload_len: usize) -> Delivered {
    let data = format!("\"{n:0payload_len$}\"");
    Delivered {
        publication: Arc::new(Publication {
            data: Bytes::from(data),
            ..Publication::default()
        }),
        epoch: Epoch::default(),
        previous: None,
    }
}

// === a publish command ===

fn allocations_of_publish(format: Format, is_subscribed: bool) -> usize {
    let mut session = connected(format, is_subscribed);
    let mut counted = Vec::new();
    for _ in 0..3 {
        let frame = publish_frame(format);
        let before = allocations();
        let command = Commands::new(format, frame, usize::MAX).next_command();
        let Some(Ok(command)) = command else {
            panic!("{command:?}")
        };
        session.handle_command(command, Now::default());
        let issued = session.poll_effect();
        counted.push(allocations() - before);
        let Some((ticket, Effect::Publish(_))) = issued else {
            panic!("{issued:?}")
        };
        session.handle_completion(ticket, Completion::Done(Ok(())), Now::default());
        while session.poll_message().is_some() {}
        drop(session.poll_observations());
    }
    assert_eq!(counted[1], counted[2], "it is warm by now");
    counted[2]
}

fn publish_frame(format: Format) -> Bytes {
    let payload = "x".repeat(1024);
    let frame = match format {
        Format::Json => {
            format!(r#"{{"id":7,"publish":{{"channel":"news","data":"{payload}"}}}}"#).into_bytes()
        }
        Format::Protobuf => {
            // 1040 bytes: id 7, and a publish of 1035 bytes: the channel, and a payload of 1026.
            let head: &[u8] = b"\x90\x08\x08\x07\x3a\x8b\x08\x0a\x04news\x12\x82\x08";
            [head, b"\"", payload.as_bytes(), b"\""].concat()
        }
    };
    // As the decoder of frames hands it over: exactly as long as it is.
    Bytes::from(frame.into_boxed_slice())
}

/// A connected session, subscribed to «news» or not.
fn connected(format: Format, is_subscribed: bool) -> Session {
    let config = config();
    let settings = Settings::new(&config, policy(&config), "test");
    let transport = Transport {
        format,
        envelope: Envelope::Reply,
        app_pings: true,
        tells_disconnect: false,
    };
    let client = ClientId::new("00000000-0000-4000-8000-000000000000");
    let mut session = Session::new(Arc::new(settings), transport, client, 7, Now::default());
    command(&mut session, 1, Request::Connect(Box::default()));
    if is_subscribed {
        let request = gyre_protocol::messages::SubscribeRequest {
            channel: "news".to_owned(),
            ..Default::default()
        };
        command(&mut session, 2, Request::Subscribe(Box::new(request)));
        assert_eq!(session.subscriptions(), 1);
    }
    assert!(session.is_connected());
    session
}

/// Handles a command and completes its effects.
fn command(session: &mut Session, id: u32, request: Request) {
    let now = Now::default();
    session.handle_command(Command { id, request }, now);
    while let Some((ticket, effect)) = session.poll_effect() {
        let completion = if let Effect::Authenticate(request) = effect {
            Completion::Authenticated(request, Ok(Box::<Grants>::default()))
        } else if let Effect::Register(_) = effect {
            Completion::Registered(Ok(()))
        } else if let Effect::Subscribe(subscribe) = effect {
            Completion::Subscribed(Ok(Box::new(Subscribed {
                channel: subscribe.channel,
                slot: HubSlot(0),
                history: subscribe.read.map(|_| HistoryPart {
                    top: Position::default(),
                    publications: Vec::new(),
                }),
            })))
        } else {
            panic!("unexpected: {effect:?}")
        };
        session.handle_completion(ticket, completion, now);
    }
    while session.poll_message().is_some() {}
    drop(session.poll_observations());
}

fn config() -> Config {
    let mut config = Config::default();
    config.client.insecure = true;
    config
}

fn policy(config: &Config) -> Arc<Policy> {
    let policy = Policy::new(&config.channel, &config.client, &config.rpc);
    Arc::new(policy.unwrap())
}
