//! What a command costs: many on their way over one connection.

use std::time::Instant;

use anyhow::Result;

use super::fan_out::body;
use super::{float, seconds};
use crate::args::Args;
use crate::client::{Client, Format, Scratch, gather};
use crate::report::{Value, value};
use crate::server::Server;
use crate::websocket::{Kind, frame};
use crate::{http, payload};

/// Commands that are written together. Twice as many are on their way, so that neither side waits for
/// the other and a busy server is what is measured, not the generator's writes.
const TOGETHER: usize = 32;
/// The same for those with large replies.
const FEW_TOGETHER: usize = 8;
/// Commands of a round, after which they repeat; a multiple of those written together.
const ROUND: usize = 64;
const HISTORY: u32 = 50;
const MEMBERS: u32 = 100;
const DATA_BYTES: usize = 128;

/// Commands that repeat.
struct Round {
    commands: Vec<String>,
    /// Commands that are written together.
    together: usize,
    /// What a cost is counted for, and how many commands make one.
    unit: &'static str,
    per_unit: u32,
}

impl Round {
    /// A round of commands with ids from 1 on.
    fn of(together: usize, command: impl Fn(usize) -> String) -> Self {
        Self {
            commands: (1..=ROUND).map(command).collect(),
            together,
            unit: "command",
            per_unit: 1,
        }
    }
}

pub(super) async fn rpc(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let command = |n| format!(r#"{{"id":{n},"rpc":{{"method":"ping"}}}}"#);
    pipeline(args, server, &Round::of(TOGETHER, command)).await
}

pub(super) async fn history(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let mut api = http::Api::connect(server.address).await?;
    for n in 0..HISTORY {
        let data = payload::data(Instant::now(), u64::from(n), DATA_BYTES);
        api.call("publish", &body("hist:read", &data)).await?;
    }
    let command =
        |n| format!(r#"{{"id":{n},"history":{{"channel":"hist:read","limit":{HISTORY}}}}}"#);
    pipeline(args, server, &Round::of(FEW_TOGETHER, command)).await
}

pub(super) async fn presence(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let room = |_| vec!["pres:room".to_owned()];
    let members = gather(server.address, MEMBERS, Format::Json, &Scratch::new(), room).await?;
    let command = |n| format!(r#"{{"id":{n},"presence":{{"channel":"pres:room"}}}}"#);
    let values = pipeline(args, server, &Round::of(FEW_TOGETHER, command)).await;
    drop(members);
    values
}

pub(super) async fn subscribe(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let command = |n: usize| {
        let name = if n.is_multiple_of(2) {
            "unsubscribe"
        } else {
            "subscribe"
        };
        format!(
            r#"{{"id":{n},"{name}":{{"channel":"s-{}"}}}}"#,
            n.div_ceil(2)
        )
    };
    let round = Round {
        unit: "pair",
        per_unit: 2,
        ..Round::of(TOGETHER, command)
    };
    pipeline(args, server, &round).await
}

async fn pipeline(args: &Args, server: &Server, round: &Round) -> Result<Vec<Value>> {
    let scratch = Scratch::new();
    let mut client = Client::open(server.address, 0, Format::Json, &[], &scratch).await?;
    run(&mut client, round, 1, &scratch).await?;
    let (before, began) = (server.usage()?, Instant::now());
    let commands = run(&mut client, round, args.seconds, &scratch).await?;
    let (took, after) = (began.elapsed().as_secs_f64(), server.usage()?);
    let units = float(commands) / f64::from(round.per_unit);
    Ok(vec![
        value(
            format!("CPU per {}", round.unit),
            "µs",
            (after.cpu_us - before.cpu_us) / units,
        ),
        value(format!("{}s", round.unit), "1/s", units / took),
    ])
}

/// Runs whole rounds until the time is up and everything is answered; returns how many commands that were.
async fn run(
    client: &mut Client,
    round: &Round,
    for_seconds: u32,
    scratch: &Scratch,
) -> Result<u64> {
    let frames: Vec<Vec<u8>> = round
        .commands
        .chunks(round.together)
        .map(|together| {
            let frames = together.iter().map(|c| frame(Kind::Text, c.as_bytes()));
            frames.flatten().collect()
        })
        .collect();
    let deadline = Instant::now() + seconds(for_seconds);
    let (mut sent, mut on_their_way) = (0, 0);
    while Instant::now() < deadline {
        for frames in &frames {
            if on_their_way > round.together {
                client.replies(round.together, scratch, |_| Ok(())).await?;
                on_their_way -= round.together;
            }
            client.send_frames(frames).await?;
            on_their_way += round.together;
            sent += u64::try_from(round.together)?;
        }
    }
    client.replies(on_their_way, scratch, |_| Ok(())).await?;
    Ok(sent)
}
