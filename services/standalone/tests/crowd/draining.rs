//! A server that hands its connections over at a pace.

use std::io;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::member::{Buffers, End, Member};
use crate::{Outcome, TURN, part, start_with};

const CLIENTS: usize = 5_000;

/// Connections closed per second.
const RATE: usize = 1_000;

/// How far the pace on a busy machine may be from the one that is set.
const TOLERANCE: f64 = 0.3;

const KEY: &str = "key";

/// What a server that hands over is configured with, beside the rest.
fn config() -> String {
    format!(
        "\"drain\":{{\"rate\":{RATE},\"timeout\":\"30s\"}},\"http_api\":{{\"key\":\"{KEY}\"}},\
         \"health\":{{\"enabled\":true}},\"node\":{{\"name\":\"one\"}},"
    )
}

#[test]
fn five_thousand_are_told_to_come_back_at_the_pace_that_is_set() -> Outcome {
    let _turn = TURN.lock();
    let mut server = start_with("drain", &config())?;
    let runtime = Runtime::new()?;
    let (clients, busy) = part(&runtime, async {
        let clients = open(server.port, CLIENTS).await?;
        let busy = Member::connected(server.port, Buffers::Usual).await?;
        io::Result::Ok((clients, busy))
    })??;

    let answer = server.call(KEY, "/api/drain", "{\"gateway\":\"one\"}")?;
    assert!(answer.contains("\"draining\":true"), "{answer}");
    let busy = runtime.spawn(serve(busy));
    let mut ends = part(&runtime, clients.join_all())?;
    let served = part(&runtime, busy)???;

    ends.sort_by_key(|(_, at)| *at);
    assert!(ends.iter().all(|(end, _)| *end == End::Closed(3001)));
    let (Some((_, first)), Some((_, last))) = (ends.first(), ends.last()) else {
        return Err("nobody was there".into());
    };
    let took = last.duration_since(*first).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let pace = CLIENTS as f64 / took;
    println!(
        "{CLIENTS} connections closed at {pace:.0}/s; {served} commands of one answered meanwhile"
    );
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let off = (pace / RATE as f64 - 1.0).abs();
    assert!(off < TOLERANCE, "{pace:.0}/s");
    assert!(served > 10, "whoever was not told yet was served: {served}");

    assert_eq!(server.wait()?, Some(0), "nothing was cut");
    Ok(())
}

#[test]
fn balancers_have_time_to_notice_and_what_is_left_is_closed() -> Outcome {
    const DELAY: Duration = Duration::from_millis(500);
    let _turn = TURN.lock();
    let config = format!(
        "\"drain\":{{\"rate\":1,\"delay\":\"500ms\",\"timeout\":\"1s\"}},\"http_api\":{{\"key\":\"{KEY}\"}},\
         \"health\":{{\"enabled\":true}},\"node\":{{\"name\":\"one\"}},"
    );
    let mut server = start_with("drain-late", &config)?;
    let runtime = Runtime::new()?;
    let clients = part(&runtime, open(server.port, 30))??;
    let asked_at = Instant::now();
    server.call(KEY, "/api/drain", "{\"gateway\":\"one\"}")?;
    assert!(server.get("/ready")?.starts_with("HTTP/1.1 503 "));
    let ends = part(&runtime, clients.join_all())?;
    assert!(ends.iter().all(|(end, _)| *end == End::Closed(3001)));
    let first = ends.iter().map(|(_, at)| *at).min().ok_or("nobody")?;
    assert!(
        first.duration_since(asked_at) >= DELAY,
        "nobody is told before"
    );
    assert_eq!(server.wait()?, Some(0));
    // At the pace it would have taken half a minute.
    let told = server.line("drain.timeout is over: what is left is closed at once");
    assert!(
        told.is_some_and(|line| line["left"].as_u64() > Some(20)),
        "{told:?}"
    );
    Ok(())
}

/// Opens clients that read until they are told to go; when that was comes beside.
async fn open(port: u16, count: usize) -> io::Result<JoinSet<(End, Instant)>> {
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let client = Member::connected(port, Buffers::Usual).await?;
        clients.spawn(async move {
            let end = client.ended().await;
            (end, Instant::now())
        });
    }
    Ok(clients)
}

/// Asks for something all the time until it is told to go; how often it was answered.
async fn serve(mut client: Member) -> io::Result<usize> {
    let mut answered = 0;
    let mut turns = tokio::time::interval(Duration::from_millis(20));
    loop {
        turns.tick().await;
        let presence = format!("{{\"id\":{},\"rpc\":{{\"method\":\"x\"}}}}", answered + 2);
        match client.say_and_read(&presence).await? {
            Some(frame) if frame.close().is_none() => answered += 1,
            Some(_) | None => return Ok(answered),
        }
    }
}

#[test]
fn who_asks_for_readiness_is_told_at_once_and_newcomers_are_sent_away() -> Outcome {
    let _turn = TURN.lock();
    let slow = config().replace(&RATE.to_string(), "1");
    let mut server = start_with("drain-slow", &slow)?;
    let runtime = Runtime::new()?;
    let mut clients = part(&runtime, async {
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(Member::connected(server.port, Buffers::Usual).await?);
        }
        io::Result::Ok(clients)
    })??;
    server.signal("TERM")?;
    server.read_until("connections are handed over")?;
    let ready = server.get("/ready")?;
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    let refused = part(&runtime, Member::connected(server.port, Buffers::Usual))?;
    assert!(refused.is_err(), "a newcomer is taken");
    let progress = server.call(KEY, "/api/drain", "{}")?;
    assert!(progress.contains("\"draining\":true"), "{progress}");
    // A second signal is for those who cannot wait.
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(1));
    clients.clear();
    Ok(())
}
