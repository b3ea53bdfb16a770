//! Client connections over real sockets: what goes wrong on them, and how they end.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use flate2::{Decompress, FlushDecompress};
use socket2::SockRef;

use crate::Outcome;
use crate::server::{self, Server};
use crate::websocket::{COMPRESSED, Client, Frame, TEXT, frame};

/// Longest time until a lost connection is forgotten, and until an idle server has stopped.
const SOON: Duration = Duration::from_secs(4);

/// Starts a server that needs no tokens, with these options beside.
fn start(name: &str, options: &str) -> Result<Server, Box<dyn std::error::Error>> {
    start_with(name, "", options)
}

/// The same, with options of clients too.
fn start_with(
    name: &str,
    client: &str,
    options: &str,
) -> Result<Server, Box<dyn std::error::Error>> {
    let file = server::directory()?.join(format!("{name}.json"));
    let config = format!(
        "{{\"client\":{{\"insecure\":true{client}}},\"http_api\":{{\"insecure\":true}},\
         \"health\":{{\"enabled\":true}},\"prometheus\":{{\"enabled\":true}}{options}}}"
    );
    std::fs::write(&file, config)?;
    let file = file.to_str().ok_or("path is not text")?;
    Server::start(&["-c", file])
}

/// A row of the table below: what is sent after the upgrade, and how the server closes.
struct Broken {
    name: &'static str,
    bytes: Vec<u8>,
    code: u16,
}

fn broken(name: &'static str, bytes: impl Into<Vec<u8>>, code: u16) -> Broken {
    Broken {
        name,
        bytes: bytes.into(),
        code,
    }
}

/// A text frame's head that promises this much.
fn promise(len: u64) -> Vec<u8> {
    let mut head = vec![TEXT, 0x80 | 127];
    head.extend(len.to_be_bytes());
    head.extend([0; 4]);
    head
}

#[test]
fn what_breaks_the_protocol_is_closed_with_its_code_and_hurts_nobody() -> Outcome {
    let server = start("broken", "")?;
    let mut witness = Client::subscribed(server.port, "", "news")?;
    let limit = 65_536;
    let table = [
        broken("not masked", [TEXT, 2, b'{', b'}'], 1002),
        broken("reserved bit", frame(TEXT | 0x20, b"{}"), 1002),
        broken(
            "compressed, not agreed",
            frame(TEXT | COMPRESSED, b"{}"),
            1002,
        ),
        broken("reserved opcode", frame(0x83, b""), 1002),
        broken("continues nothing", frame(0x80, b"{}"), 1002),
        broken("fragmented ping", frame(0x09, b""), 1002),
        broken("long ping", frame(0x89, &[0; 126]), 1002),
        broken("close of one byte", frame(0x88, &[3]), 1002),
        broken("text that is none", frame(TEXT, &[0xff]), 1007),
        broken(
            "one byte too long",
            frame(TEXT, &vec![b' '; limit + 1]),
            1009,
        ),
        broken("promises four exbibytes", promise(1 << 62), 1009),
        broken("promises a negative length", promise(1 << 63), 1002),
        broken("no JSON", frame(TEXT, b"hello"), 3501),
        broken("empty message", frame(TEXT, b""), 3501),
        broken(
            "wrong order",
            frame(TEXT, b"{\"id\":1,\"publish\":{}}"),
            3501,
        ),
    ];
    for row in &table {
        let (mut client, _) = Client::open(server.port, "")?;
        client.write(&row.bytes)?;
        let (code, _) = client
            .closed()
            .map_err(|error| format!("{}: {error}", row.name))?;
        assert_eq!(code, row.code, "{}", row.name);
    }
    let bad_requests = table.iter().filter(|row| row.code == 3501).count();
    let metrics = server.get("/metrics")?;
    let counter = "gyre_client_num_server_disconnects{code=\"3501\"}";
    assert_eq!(
        sample(&metrics, counter),
        Some(bad_requests as f64),
        "{metrics}"
    );

    // Who behaves goes on, and a message of exactly the limit is one.
    let head = "{\"id\":3,\"publish\":{\"channel\":\"news\",\"data\":\"";
    let fill = "x".repeat(limit - head.len() - 3);
    witness.say(&format!("{head}{fill}\"}}}}"))?;
    let mut got = String::new();
    while !got.contains("{\"push\":{\"channel\":\"news\"") {
        // The reply comes on its own or beside it.
        got = server::text(&witness.expect_frame()?.payload);
    }
    assert!(got.contains(&fill));
    Ok(())
}

#[test]
fn a_client_cut_off_while_it_subscribes_leaves_no_presence() -> Outcome {
    const CUTS: usize = 64;
    let options = ",\"channel\":{\"without_namespace\":{\"presence\":true,\"join_leave\":true}}";
    let server = start("cut", options)?;
    let connect = frame(TEXT, b"{\"id\":1,\"connect\":{}}");
    let subscribe = frame(TEXT, b"{\"id\":2,\"subscribe\":{\"channel\":\"room\"}}");

    // Somebody who stays: the proof that presence is kept at all.
    let _stays = Client::subscribed(server.port, "", "room")?;
    for cut in 0..CUTS {
        let (mut client, _) = Client::open(server.port, "")?;
        client.write(&connect)?;
        if cut % 2 == 0 {
            client.expect_frame()?;
        }
        // From the first byte of the command to all of it.
        let sent = subscribe.len().min(cut * subscribe.len() / (CUTS / 2));
        client.write(subscribe.get(..sent).unwrap_or_default())?;
        reset(client)?;
    }
    // And one that was in for certain.
    let entered = Client::subscribed(server.port, "", "room")?;
    assert!(present(&server)? >= 2);
    reset(entered)?;

    let cut_at = Instant::now();
    let connections = "gyre_client_connections_inflight";
    loop {
        let metrics = server.get("/metrics")?;
        let inflight = samples(&metrics, connections);
        if present(&server)? == 1 && inflight == 1.0 {
            break;
        }
        assert!(
            cut_at.elapsed() < SOON,
            "{} present, {inflight} connections",
            present(&server)?
        );
    }
    Ok(())
}

#[test]
fn sigterm_closes_clients_with_3001_whether_they_are_connected_or_not() -> Outcome {
    let mut server = start("drain", "")?;
    let (mut silent, _) = Client::open(server.port, "")?;
    let mut subscribed = Client::subscribed(server.port, "", "news")?;
    let (mut connected, _) = Client::open(server.port, "")?;
    connected.say("{\"id\":1,\"connect\":{}}")?;
    connected.expect_frame()?;

    server.signal("TERM")?;
    let shutdown = (3001, "shutdown".to_owned());
    for client in [&mut silent, &mut subscribed, &mut connected] {
        assert_eq!(client.closed()?, shutdown);
    }
    assert_eq!(server.wait()?, Some(0));
    Ok(())
}

#[test]
fn one_compressed_frame_serves_all_receivers() -> Outcome {
    let server = start("deflate", ",\"websocket\":{\"compression\":true}")?;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let (_, answer) = Client::open(server.port, offer)?;
    assert!(answer.contains("permessage-deflate"), "{answer}");
    let mut receivers = Vec::new();
    for _ in 0..3 {
        receivers.push(Client::subscribed(server.port, offer, "news")?);
    }
    let mut plain = Client::subscribed(server.port, "", "news")?;

    let text = "the same words again and again, ".repeat(64);
    let body = format!("{{\"channel\":\"news\",\"data\":\"{text}\"}}");
    let answer = server.post("/api/publish", &body)?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    let plain = plain.expect_frame()?;
    assert_eq!(plain.first, TEXT);
    let frames = receivers
        .iter_mut()
        .map(Client::expect_frame)
        .collect::<io::Result<Vec<Frame>>>()?;
    for frame in &frames {
        assert_eq!(frame.first, TEXT | COMPRESSED);
        assert_eq!(*frame, frames[0], "byte by byte");
    }
    assert!(frames[0].payload.len() < plain.payload.len() / 4);
    assert_eq!(inflate(&frames[0].payload)?, plain.payload);
    Ok(())
}

#[test]
fn a_prefix_means_the_same_with_and_without_a_slash_at_its_end() -> Outcome {
    let options = ",\"websocket\":{\"handler_prefix\":\"/connection/websocket/\"},\
                   \"init\":{\"enabled\":true,\"handler_prefix\":\"/init/\"}";
    let server = start("prefix", options)?;
    Client::subscribed(server.port, "", "news")?;
    assert!(server.get("/init")?.ends_with("\r\n\r\n{}"));
    Ok(())
}

#[test]
fn more_was_missed_than_may_be_recovered() -> Outcome {
    let server = start_with(
        "missed",
        ",\"recovery_max_publication_limit\":2",
        ",\"channel\":{\"without_namespace\":{\"history_size\":9,\"history_ttl\":\"60s\",\"force_recovery\":true}}",
    )?;
    let mut epoch = String::new();
    for _ in 0..3 {
        let answer = server.post("/api/publish", "{\"channel\":\"news\",\"data\":1}")?;
        let (_, rest) = answer.split_once("\"epoch\":\"").ok_or("no epoch")?;
        epoch = rest.split('"').next().unwrap_or_default().to_owned();
    }
    for (offset, is_recovered) in [(0, false), (1, true)] {
        let (mut client, _) = Client::open(server.port, "")?;
        client.say("{\"id\":1,\"connect\":{}}")?;
        client.expect_frame()?;
        client.say(&format!(
            "{{\"id\":2,\"subscribe\":{{\"channel\":\"news\",\"recover\":true,\"offset\":{offset},\"epoch\":\"{epoch}\"}}}}"
        ))?;
        let reply = server::text(&client.expect_frame()?.payload);
        assert_eq!(
            reply.contains("\"recovered\":true"),
            is_recovered,
            "{reply}"
        );
    }
    Ok(())
}

#[test]
fn a_client_that_does_not_read_delays_no_call() -> Outcome {
    let options = ",\"websocket\":{\"write_timeout\":\"1h\"}";
    let server = start_with("stuck", ",\"queue_max_size\":100000000", options)?;
    let mut stuck = Client::subscribed(server.port, "", "room")?;
    // More than the kernel keeps for the two of them.
    let body = format!(
        "{{\"channel\":\"room\",\"data\":\"{}\"}}",
        "x".repeat(1 << 20)
    );
    for _ in 0..24 {
        server.post("/api/publish", &body)?;
    }

    let everybody = "{\"label_filter\":{\"key\":\"none\",\"cmp\":\"nex\"}}";
    let answer = server.post("/api/connections", everybody)?;
    assert!(answer.contains("\"transport\":\"websocket\""), "{answer}");
    let answer = server.post("/api/disconnect", "{\"user\":\"\"}")?;
    assert!(answer.ends_with("{\"result\":{}}"), "{answer}");
    let asked_at = Instant::now();
    while present(&server)? != 0 {
        assert!(asked_at.elapsed() < SOON, "still present");
    }
    // What was on its way before still comes.
    assert_eq!(stuck.expect_frame()?.first, TEXT);
    Ok(())
}

/// Cuts the connection as a machine that vanishes does: nothing is said, the next packet is refused.
fn reset(client: Client) -> io::Result<()> {
    SockRef::from(&client.stream).set_linger(Some(Duration::ZERO))?;
    drop(client);
    Ok(())
}

/// How many are in «room».
fn present(server: &Server) -> Result<u64, Box<dyn std::error::Error>> {
    let answer = server.post("/api/presence_stats", "{\"channel\":\"room\"}")?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
    let body: serde_json::Value = serde_json::from_str(body)?;
    let count = body.pointer("/result/num_clients");
    Ok(count
        .and_then(serde_json::Value::as_u64)
        .unwrap_or_default())
}

/// The value of a metric without labels, or with exactly these.
fn sample(metrics: &str, name: &str) -> Option<f64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().parse().ok()
}

/// The sum over a metric's labels.
fn samples(metrics: &str, name: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn inflate(payload: &[u8]) -> io::Result<Vec<u8>> {
    // The end of a block, which senders leave out. Source: RFC 7692, 7.2.2.
    let input = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut output = Vec::with_capacity(1 << 16);
    Decompress::new(false).decompress_vec(&input, &mut output, FlushDecompress::Sync)?;
    output.flush()?;
    Ok(output)
}

#[test]
fn who_only_listens_answers_the_pings_of_websocket_or_is_gone() -> Outcome {
    let server = start_with(
        "uni-pings",
        ",\"ping_interval\":\"1s\",\"pong_timeout\":\"500ms\"",
        ",\"uni_websocket\":{\"enabled\":true}",
    )?;
    let mut silent = Client::listening(server.port, "", "{}")?;
    let mut lively = Client::listening(server.port, "", "{}")?;
    for _ in 0..4 {
        let message = lively.expect_frame()?;
        assert_eq!((message.first, &*message.payload), (TEXT, &b"{}"[..]));
        let ping = lively.expect_frame()?;
        assert_eq!(ping.first, 0x89);
        lively.write(&frame(0x8a, &ping.payload))?;
    }
    let mut pings = 0;
    // It ends, or breaks: who does not answer is not said goodbye to.
    while let Ok(Some(next)) = silent.frame() {
        pings += usize::from(next.first == 0x89);
    }
    assert!((1..=2).contains(&pings), "{pings}");
    Ok(())
}
