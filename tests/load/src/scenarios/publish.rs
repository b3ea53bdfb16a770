//! What a publication costs that nobody receives.

use std::fmt::Write;
use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use futures_util::future::try_join_all;

use super::fan_out::body;
use super::{float, seconds};
use crate::args::Args;
use crate::report::{Value, value};
use crate::server::Server;
use crate::{grpc, http, payload};

const HTTP_LANES: usize = 8;
const GRPC_LANES: usize = 64;
const BULK_LANES: usize = 4;
/// Publications in a batch, channels of a broadcast.
const BULK: u64 = 100;
/// Channels that publications are spread over.
const CHANNELS: u64 = 100;
const DATA_BYTES: usize = 128;

pub(super) async fn over_http(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let bodies = (0..CHANNELS)
        .map(|n| body(&format!("p-{n}"), &data()))
        .collect();
    http_lanes(args, server, HTTP_LANES, "publish", bodies, 1).await
}

pub(super) async fn batch(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let mut commands = String::new();
    for n in 0..BULK {
        let comma = if n == 0 { "" } else { "," };
        write!(
            commands,
            r#"{comma}{{"publish":{}}}"#,
            body(&format!("p-{n}"), &data())
        )?;
    }
    let bodies = vec![format!(r#"{{"commands":[{commands}]}}"#)];
    http_lanes(args, server, BULK_LANES, "batch", bodies, BULK).await
}

pub(super) async fn broadcast(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let channels: Vec<String> = (0..BULK).map(|n| format!(r#""p-{n}""#)).collect();
    let bodies = vec![format!(
        r#"{{"channels":[{}],"data":{}}}"#,
        channels.join(","),
        data()
    )];
    http_lanes(args, server, BULK_LANES, "broadcast", bodies, BULK).await
}

pub(super) async fn over_grpc(args: &Args, server: &Server) -> Result<Vec<Value>> {
    grpc_lanes(args, server, "p-").await
}

pub(super) async fn with_history(args: &Args, server: &Server) -> Result<Vec<Value>> {
    grpc_lanes(args, server, "hist:p-").await
}

fn data() -> String {
    payload::data(Instant::now(), 1, DATA_BYTES)
}

/// Sends requests one after the other on each of some connections until the time is up.
async fn http_lanes(
    args: &Args,
    server: &Server,
    lanes: usize,
    method: &str,
    bodies: Vec<String>,
    publications: u64,
) -> Result<Vec<Value>> {
    let lane = |deadline: Instant| {
        let bodies = &bodies;
        async move {
            let mut api = http::Api::connect(server.address).await?;
            let requests: Vec<Vec<u8>> = bodies
                .iter()
                .map(|body| api.request(method, body))
                .collect();
            let mut sent = 0;
            for request in requests.iter().cycle() {
                if Instant::now() >= deadline {
                    break;
                }
                api.exchange(request).await?;
                sent += publications;
            }
            Ok::<u64, anyhow::Error>(sent)
        }
    };
    let warm = Instant::now() + seconds(1);
    try_join_all((0..lanes).map(|_| lane(warm))).await?;
    let deadline = Instant::now() + seconds(args.seconds);
    costs(server, async {
        Ok(try_join_all((0..lanes).map(|_| lane(deadline)))
            .await?
            .into_iter()
            .sum())
    })
    .await
}

async fn grpc_lanes(args: &Args, server: &Server, prefix: &str) -> Result<Vec<Value>> {
    let api = grpc::Api::connect(server.grpc).await?;
    let data = Bytes::from(data());
    let channels: Vec<String> = (0..CHANNELS).map(|n| format!("{prefix}{n}")).collect();
    let lane = |deadline: Instant| {
        let (mut api, data, channels) = (api.clone(), data.clone(), &channels);
        async move {
            let mut sent = 0;
            for channel in channels.iter().cycle() {
                if Instant::now() >= deadline {
                    break;
                }
                api.publish(channel, data.clone()).await?;
                sent += 1;
            }
            Ok::<u64, anyhow::Error>(sent)
        }
    };
    let warm = Instant::now() + seconds(1);
    try_join_all((0..GRPC_LANES).map(|_| lane(warm))).await?;
    let deadline = Instant::now() + seconds(args.seconds);
    costs(server, async {
        Ok(try_join_all((0..GRPC_LANES).map(|_| lane(deadline)))
            .await?
            .into_iter()
            .sum())
    })
    .await
}

async fn costs(server: &Server, work: impl Future<Output = Result<u64>>) -> Result<Vec<Value>> {
    let (before, began) = (server.usage()?, Instant::now());
    let publications = float(work.await?);
    let (took, after) = (began.elapsed().as_secs_f64(), server.usage()?);
    Ok(vec![
        value(
            "CPU per publication",
            "µs",
            (after.cpu_us - before.cpu_us) / publications,
        ),
        value("publications", "1/s", publications / took),
    ])
}
