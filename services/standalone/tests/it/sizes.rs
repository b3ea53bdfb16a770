//! Options of both WebSocket endpoints: sizes, compression, and how a connection ends.

#![expect(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::error::Error;
use std::time::{Duration, Instant};

use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Value, json};

use crate::Outcome;
use crate::server::Server;
use crate::websocket::{CLOSE, COMPRESSED, Client, TEXT, frame};

const ENDPOINTS: [&str; 2] = ["websocket", "uni_websocket"];

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// Longest wait for what the server does by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server whose section for the endpoint says this.
fn start(endpoint: &str, mut section: Value) -> Result<Server, Box<dyn Error>> {
    let mut config = json!({
        "client": {"insecure": true, "queue_max_size": 100_000_000},
        "http_api": {"insecure": true},
        "prometheus": {"enabled": true},
        "uni_websocket": {"enabled": true},
    });
    if endpoint == "uni_websocket" {
        section["enabled"] = true.into();
    }
    config[endpoint] = section;
    Server::with(&config)
}

/// A client of the endpoint that is subscribed to «news».
fn subscribed(server: &Server, endpoint: &str) -> Result<Client, Box<dyn Error>> {
    Ok(match endpoint {
        "websocket" => Client::subscribed(server.port, OFFER, "news")?,
        _ => Client::listening(server.port, OFFER, "{\"subs\":{\"news\":{}}}")?,
    })
}

fn publish(server: &Server, data: &str) -> Outcome {
    let body = json!({"channel": "news", "data": data}).to_string();
    let answer = server.post("/api/publish", &body)?;
    match answer.starts_with("HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(answer.into()),
    }
}

/// Words in an order that takes some looking to find what repeats.
fn words() -> String {
    let mut state = 1_u32;
    let mut word = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("word{} ", (state >> 24) % 50)
    };
    (0..2_000).map(|_| word()).collect()
}

#[test]
fn both_websockets_compress_as_they_are_told() -> Outcome {
    for endpoint in ENDPOINTS {
        let mut sizes = Vec::new();
        for level in [1, 9] {
            let section = json!({"compression": true, "compression_level": level, "compression_min_size": 500});
            let server = start(endpoint, section)?;
            let mut client = subscribed(&server, endpoint)?;
            publish(&server, &"a".repeat(300))?;
            assert_eq!(
                client.expect_frame()?.first,
                TEXT,
                "{endpoint}: it is short"
            );
            publish(&server, &words())?;
            let frame = client.expect_frame()?;
            assert_eq!(frame.first, TEXT | COMPRESSED, "{endpoint}");
            sizes.push(frame.payload.len());
        }
        assert!(sizes[1] < sizes[0], "{endpoint}: {sizes:?}");

        let server = start(endpoint, json!({"compression": false}))?;
        let mut client = subscribed(&server, endpoint)?;
        publish(&server, &words())?;
        assert_eq!(client.expect_frame()?.first, TEXT, "{endpoint}");
    }
    Ok(())
}

#[test]
fn what_a_message_becomes_has_a_limit_too() -> Outcome {
    for endpoint in ENDPOINTS {
        let section = json!({"compression": true, "decompressed_message_size_limit": 1_000});
        let server = start(endpoint, section)?;
        for (len, is_taken) in [(1_000, true), (1_001, false)] {
            let connect = match endpoint {
                "websocket" => "{\"id\":1,\"connect\":{}}",
                _ => "{}",
            };
            let mut client = match endpoint {
                "websocket" => Client::open(server.port, OFFER)?.0,
                _ => Client::silent(server.port, OFFER)?,
            };
            let message = deflated(&format!("{connect:len$}"))?;
            client.write(&frame(TEXT | COMPRESSED, &message))?;
            let answer = client.expect_frame()?;
            let code = answer.close().map(|(code, _)| code);
            let expected = (!is_taken).then_some(1009);
            assert_eq!(code, expected, "{endpoint}, {len} bytes");
        }
    }
    Ok(())
}

/// A message as it is compressed. Source: RFC 7692, 7.2.1.
fn deflated(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut output = Vec::with_capacity(1_024);
    let mut compress = Compress::new(Compression::fast(), false);
    compress.compress_vec(text.as_bytes(), &mut output, FlushCompress::Sync)?;
    let end = output.strip_suffix(&[0, 0, 0xff, 0xff]);
    Ok(end.ok_or("no end of a block")?.to_vec())
}

#[test]
fn a_write_that_takes_too_long_ends_the_connection() -> Outcome {
    for endpoint in ENDPOINTS {
        let server = start(endpoint, json!({"write_timeout": "100ms"}))?;
        let _reads_nothing = subscribed(&server, endpoint)?;
        // More than the kernel keeps for the two of them.
        let data = "x".repeat(1 << 20);
        for _ in 0..24 {
            publish(&server, &data)?;
        }
        let started = Instant::now();
        while server
            .get("/metrics")?
            .contains("\ngyre_node_num_clients 1\n")
        {
            assert!(started.elapsed() < PATIENCE, "{endpoint}: still there");
        }
    }
    Ok(())
}

#[test]
fn the_end_may_come_without_a_close_frame_and_without_a_push() -> Outcome {
    for (option, has_push, has_frame) in [
        ("disable_closing_handshake", true, false),
        ("disable_disconnect_push", false, true),
    ] {
        let server = start("uni_websocket", json!({option: true}))?;
        let mut client = subscribed(&server, "uni_websocket")?;
        server.post("/api/disconnect", "{\"user\":\"\"}")?;
        let mut frames = Vec::new();
        while let Some(next) = client.frame()? {
            // The server waits for the echo.
            let _ = client.write(&frame(CLOSE, &next.payload));
            frames.push(next);
        }
        let has = |first| frames.iter().any(|frame| frame.first == first);
        assert_eq!((has(TEXT), has(CLOSE)), (has_push, has_frame), "{option}");
    }
    Ok(())
}
