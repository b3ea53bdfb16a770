use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::*;
use crate::websocket::frame::Kind;
use crate::websocket::tests::{CLOSE, FIN, PING, PONG, TEXT, close, frame, frames};

/// A connection whose stream holds `capacity` bytes each way, and its client.
fn connect(capacity: usize) -> (DuplexStream, WebSocket<DuplexStream>) {
    let (client, server) = duplex(capacity);
    let settings = Settings {
        message_bytes_max: 1000,
        ..Settings::default()
    };
    (
        client,
        WebSocket::new(server, Compression::Off, &[], Arc::new(settings)),
    )
}

async fn read_some(socket: &mut WebSocket<DuplexStream>) -> Result<Vec<Bytes>, ReadError> {
    let mut messages = Vec::new();
    socket.read(&mut messages).await?;
    Ok(messages.into_iter().map(|message| message.bytes).collect())
}

fn say(socket: &mut WebSocket<DuplexStream>, text: &str) {
    let part = Bytes::copy_from_slice(text.as_bytes());
    socket
        .write(|frames| frames.message(Kind::Text, &[part], None))
        .unwrap();
}

#[test]
fn costs_little_while_idle() {
    let bytes = size_of::<WebSocket<TcpStream>>() - size_of::<TcpStream>();
    assert!(bytes <= 72, "{bytes}");
    let mut messages = Vec::new();
    let (_, mut socket) = connect(1);
    assert!(size_of_val(&socket.read(&mut messages)) <= 40);
    assert!(size_of_val(&socket.flush()) <= 24);
    assert_eq!(size_of_val(&socket.close(3001, "")), 8);
}

#[tokio::test]
async fn frames_of_one_turn_leave_together() {
    let (mut client, mut socket) = connect(1000);
    socket
        .write(|frames| {
            frames.message(Kind::Text, &["a", "b"].map(Bytes::from), Some(b'\n'));
            frames.message(Kind::Text, &[Bytes::from("c")], None);
        })
        .unwrap();
    assert!(!socket.is_pending());
    let mut buffer = [0; 100];
    assert_eq!(client.read(&mut buffer).await.unwrap(), 8);
    assert_eq!(buffer[..8], *b"\x81\x03a\nb\x81\x01c");
    assert_eq!(socket.sent_bytes(), 8);
}

#[tokio::test]
async fn what_the_socket_does_not_take_is_kept_in_order() {
    let (mut client, mut socket) = connect(700);
    let large = "x".repeat(2000);
    let texts = ["one", &large, "two", &large, "three"];
    socket
        .write(|frames| {
            for text in texts {
                frames.message(Kind::Text, &[Bytes::copy_from_slice(text.as_bytes())], None);
            }
        })
        .unwrap();
    assert!(socket.is_pending());
    assert_eq!(socket.sent_bytes(), 700);
    say(&mut socket, "four");
    assert_eq!(socket.sent_bytes(), 700, "it waits behind");
    let mut received = Vec::new();
    let read = async {
        while received.len() < 4031 {
            client.read_buf(&mut received).await.unwrap();
        }
    };
    let (flushed, ()) = tokio::join!(socket.flush(), read);
    flushed.unwrap();
    assert!(!socket.is_pending());
    let received: Vec<_> = frames(&received)
        .into_iter()
        .map(|(_, payload)| payload)
        .collect();
    let expected: Vec<_> = texts
        .into_iter()
        .chain(["four"])
        .map(|text| text.as_bytes().to_vec())
        .collect();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn large_parts_are_not_copied_while_they_wait() {
    let (_client, mut socket) = connect(1);
    let part = Bytes::from(vec![b'x'; 4096]);
    socket
        .write(|frames| frames.message(Kind::Binary, std::slice::from_ref(&part), None))
        .unwrap();
    let kept = socket.backlog.as_ref().unwrap().out.back().unwrap();
    assert_eq!(kept.as_ptr(), part.as_ptr());
}

#[tokio::test]
async fn more_slices_than_one_write_takes() {
    let (client, server) = tcp().await;
    let mut socket = WebSocket::new(server, Compression::Off, &[], Arc::default());
    let parts: Vec<Bytes> = (0..200).map(|n| vec![n; 1500].into()).collect();
    let send = async {
        socket
            .write(|frames| {
                for part in &parts {
                    frames.message(Kind::Binary, std::slice::from_ref(part), None);
                }
            })
            .unwrap();
        socket.flush().await.unwrap();
        drop(socket);
    };
    let mut received = Vec::new();
    let mut client = client;
    let ((), read) = tokio::join!(send, client.read_to_end(&mut received));
    read.unwrap();
    let received: Vec<Bytes> = frames(&received)
        .into_iter()
        .map(|(_, payload)| payload.into())
        .collect();
    assert_eq!(received, parts);
}

#[tokio::test]
async fn pings_are_answered_and_pongs_noticed() {
    let (mut client, mut socket) = connect(1000);
    client.write_all(&frame(FIN | PING, b"a")).await.unwrap();
    client.write_all(&frame(FIN | PONG, b"")).await.unwrap();
    assert!(!socket.take_pong());
    assert!(read_some(&mut socket).await.unwrap().is_empty());
    assert!(socket.take_pong());
    assert!(!socket.take_pong());
    let mut answer = [0; 3];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, *b"\x8a\x01a");
    assert!(socket.backlog.is_none());
}

#[tokio::test]
async fn a_flood_of_pings_that_reads_no_pongs_is_bounded() {
    let (mut client, mut socket) = connect(100);
    say(&mut socket, &"x".repeat(200));
    for n in 0..=255 {
        client.write_all(&frame(FIN | PING, &[n])).await.unwrap();
        assert!(read_some(&mut socket).await.unwrap().is_empty());
    }
    let backlog = socket.backlog.as_ref().unwrap();
    assert_eq!(backlog.out.len(), 1);
    let kept: Vec<u8> = backlog.pongs.iter().map(|payload| payload[0]).collect();
    assert_eq!(kept, (240..=255).collect::<Vec<u8>>(), "the most recent");
}

#[tokio::test]
async fn early_bytes_come_first() {
    let (mut client, server) = duplex(1000);
    let early = [frame(FIN | TEXT, b"early"), frame(FIN | TEXT, b"cut")].concat();
    let (early, rest) = early.split_at(early.len() - 2);
    let mut socket = WebSocket::new(server, Compression::Off, early, Arc::default());
    assert_eq!(read_some(&mut socket).await.unwrap(), ["early"]);
    client.write_all(rest).await.unwrap();
    assert_eq!(read_some(&mut socket).await.unwrap(), ["cut"]);
}

#[tokio::test]
async fn messages_before_the_end_are_told_and_can_be_answered() {
    let (mut client, mut socket) = connect(2000);
    let too_long = frame(FIN | TEXT, &[b'x'; 1001]);
    client
        .write_all(&[frame(FIN | TEXT, b"question"), too_long].concat())
        .await
        .unwrap();
    assert_eq!(read_some(&mut socket).await.unwrap(), ["question"]);
    say(&mut socket, "answer");
    let end = read_some(&mut socket).await.unwrap_err();
    assert!(matches!(
        end,
        ReadError::Failed(Failure::TooLong { max: 1000 })
    ));
    say(&mut socket, "too late");
    assert!(matches!(
        read_some(&mut socket).await.unwrap_err(),
        ReadError::Ended
    ));
    let mut received = Vec::new();
    let read = async {
        client.read_to_end(&mut received).await.unwrap();
        // A client that goes on sending does not lose what we said.
        client.write_all(&[0; 100]).await.unwrap();
        drop(client);
    };
    tokio::join!(socket.close(3000, ""), read);
    let received = frames(&received);
    assert_eq!(received.len(), 2);
    assert_eq!(received[0], (FIN | TEXT, b"answer".to_vec()));
    assert_eq!(received[1].0, FIN | CLOSE);
    assert_eq!(received[1].1[..2], 1009_u16.to_be_bytes());
}

#[tokio::test]
async fn the_clients_close_is_echoed() {
    let (mut client, mut socket) = connect(1000);
    client.write_all(&close(1001, b"leaving")).await.unwrap();
    let end = read_some(&mut socket).await.unwrap_err();
    let ReadError::Closed(Some(said)) = end else {
        panic!("{end:?}")
    };
    assert_eq!((said.code, &*said.reason), (1001, "leaving"));
    socket.close(3000, "").await;
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"\x88\x02\x03\xe9");
}

#[tokio::test(start_paused = true)]
async fn our_close_flushes_says_why_and_waits_for_the_client() {
    let (mut client, mut socket) = connect(10);
    say(&mut socket, "something that does not fit");
    let start = Instant::now();
    let ending = socket.close(3001, "shutdown");
    let talk = async {
        let mut received = Vec::new();
        while received.len() < 29 + 12 {
            client.read_buf(&mut received).await.unwrap();
        }
        assert_eq!(
            frames(&received)[1],
            (FIN | CLOSE, b"\x0b\xb9shutdown".to_vec())
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        client
            .write_all(&frame(FIN | TEXT, b"discarded"))
            .await
            .unwrap();
        client.write_all(&close(3001, b"")).await.unwrap();
        client.read_to_end(&mut received).await.unwrap();
        assert_eq!(received.len(), 41);
    };
    tokio::join!(ending, talk);
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn our_close_does_not_wait_for_a_close_that_has_come() {
    let too_long = frame(FIN | TEXT, &[b'x'; 1001]);
    for last in [close(1000, b""), too_long] {
        let (mut client, mut socket) = connect(2000);
        let sent = [frame(FIN | TEXT, b"command"), last].concat();
        client.write_all(&sent).await.unwrap();
        assert_eq!(read_some(&mut socket).await.unwrap(), ["command"]);
        let start = Instant::now();
        let read = async {
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.unwrap();
            drop(client);
            received
        };
        let ((), received) = tokio::join!(socket.close(3501, "bad request"), read);
        assert_eq!(start.elapsed(), Duration::ZERO);
        let said = frames(&received);
        assert_eq!(said[0], (FIN | CLOSE, b"\x0d\xadbad request".to_vec()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_our_close_is_dropped() {
    let (mut client, socket) = connect(1000);
    let start = Instant::now();
    let mut received = Vec::new();
    tokio::join!(socket.close(3001, ""), async {
        client.read_to_end(&mut received).await.unwrap();
    });
    assert_eq!(start.elapsed(), CLOSE_HANDSHAKE_WAIT);
    assert_eq!(received, b"\x88\x02\x0b\xb9");
    let (_stuck, mut socket) = connect(1);
    say(&mut socket, "never read");
    let start = Instant::now();
    socket.close(3008, "slow").await;
    assert_eq!(start.elapsed(), CLOSE_HANDSHAKE_WAIT);
}

#[tokio::test(start_paused = true)]
async fn codes_that_no_close_frame_can_carry() {
    // Of the five bytes of the message, three are kept.
    for (code, expected) in [(3000, 2), (0, 5), (999, 5), (1005, 5), (5000, 5)] {
        let (mut client, mut socket) = connect(2);
        say(&mut socket, "abc");
        let start = Instant::now();
        let mut received = Vec::new();
        tokio::join!(socket.close(code, ""), async {
            client.read_to_end(&mut received).await.unwrap();
        });
        assert_eq!(received, b"\x81\x03abc"[..expected], "{code}");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test]
async fn the_end_of_the_stream_is_told() {
    let (client, mut socket) = connect(1000);
    drop(client);
    assert!(matches!(
        read_some(&mut socket).await.unwrap_err(),
        ReadError::Ended
    ));
    let part = Bytes::from_static(b"x");
    assert!(
        socket
            .write(|frames| frames.message(Kind::Text, &[part], None))
            .is_err()
    );
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

#[tokio::test]
async fn over_tcp() {
    let (mut client, server) = tcp().await;
    let answer = b"the answer";
    let mut socket =
        WebSocket::accept(server, answer, Compression::Off, b"", Arc::default()).unwrap();
    let mut head = [0; 10];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(head, *answer);
    client
        .write_all(&frame(FIN | TEXT, b"over tcp"))
        .await
        .unwrap();
    let mut messages = Vec::new();
    while messages.is_empty() {
        socket.read(&mut messages).await.unwrap();
    }
    assert_eq!(messages[0].bytes, "over tcp");
    let talk = async {
        let mut rest = Vec::new();
        let mut frame = [0; 4];
        client.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame, *b"\x88\x02\x0b\xb9");
        client.write_all(&close(3001, b"")).await.unwrap();
        client.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    };
    tokio::join!(socket.close(3001, ""), talk);
}
