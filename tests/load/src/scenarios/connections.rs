//! What a connection costs that does nothing.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::seconds;
use crate::args::Args;
use crate::client::{Crowd, Format, Scratch, Take, gather};
use crate::report::{Value, value};
use crate::server::Server;
use crate::usage::Usage;

/// Channels of a connection that has some.
const CHANNELS: u32 = 10;

/// Time after the last connection in which the server comes to rest.
const REST: Duration = Duration::from_secs(2);

pub(super) async fn idle(args: &Args, server: &Server) -> Result<Vec<Value>> {
    measure(args, server, |_| Vec::new()).await
}

pub(super) async fn own_channels(args: &Args, server: &Server) -> Result<Vec<Value>> {
    measure(args, server, |client| {
        (0..CHANNELS).map(|n| format!("own-{client}-{n}")).collect()
    })
    .await
}

pub(super) async fn shared_channels(args: &Args, server: &Server) -> Result<Vec<Value>> {
    measure(args, server, |_| {
        (0..CHANNELS).map(|n| format!("shared-{n}")).collect()
    })
    .await
}

async fn measure(
    args: &Args,
    server: &Server,
    channels: impl Fn(u32) -> Vec<String>,
) -> Result<Vec<Value>> {
    let scratch = Scratch::new();
    // The first connections pay for what the process allocates once.
    drop(gather(server.address, 100, Format::Json, &scratch, &channels).await?);
    sleep(REST).await;
    let count = f64::from(args.connections);
    let before = server.usage()?;
    let clients = gather(
        server.address,
        args.connections,
        Format::Json,
        &scratch,
        &channels,
    )
    .await?;
    let connected = server.usage()?;
    let crowd = Crowd::listen(clients, &scratch, &(Rc::new(|_: &[u8]| ()) as Rc<Take>));
    sleep(REST).await;
    let rested = server.usage()?;
    sleep(seconds(args.idle_seconds)).await;
    let after = server.usage()?;
    crowd.nobody_is_lost()?;
    let idle =
        |from: Usage, to: Usage| (to.cpu_us - from.cpu_us) / count / f64::from(args.idle_seconds);
    Ok(vec![
        value(
            "memory per connection",
            "KB",
            (rested.resident - before.resident) / count / 1e3,
        ),
        value("CPU per connection", "µs/s", idle(rested, after)),
        value(
            "CPU to open a connection",
            "µs",
            (connected.cpu_us - before.cpu_us) / count,
        ),
    ])
}
