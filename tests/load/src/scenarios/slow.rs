//! What slow readers cost the others.

use std::time::Instant;

use anyhow::Result;

use super::fan_out::{Audience, body, paced_data};
use crate::args::Args;
use crate::client::{Format, Scratch, gather};
use crate::payload;
use crate::report::{Value, value};
use crate::server::Server;

const READERS: u32 = 200;
const STOPPED: usize = 10;
const RATE: u32 = 500;
const DATA_BYTES: usize = 4 * 1024;
const CHANNEL: &str = "slow";

pub(super) async fn slow(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let scratch = Scratch::new();
    let clients = gather(server.address, READERS, Format::Json, &scratch, |_| {
        vec![CHANNEL.to_owned()]
    })
    .await?;
    let audience = Audience::of(clients, &scratch)?;
    let start: Instant = audience.start;
    let publish = || {
        paced_data(server, RATE, args.seconds, move |n| {
            body(CHANNEL, &payload::data(start, u64::from(n), DATA_BYTES))
        })
    };
    publish().await?;
    let before = audience.latencies.borrow().ms(0.99);
    audience.latencies.borrow_mut().clear();
    audience.crowd.stall(STOPPED);
    publish().await?;
    let during = audience.latencies.borrow().ms(0.99);
    Ok(vec![
        value("p99 of the others before", "ms", before),
        value("p99 of the others during", "ms", during),
        value("p99 during over before", "×", during / before),
        value("memory after", "MB", server.usage()?.resident / 1e6),
    ])
}
