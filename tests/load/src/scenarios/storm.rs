//! All clients lose their connection at once and come back with recovery, while publishing goes on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value as Json;

use super::fan_out::{body, paced_data};
use super::{float, until};
use crate::args::Args;
use crate::client::{Client, Format, Scratch};
use crate::payload;
use crate::report::{Value, value};
use crate::server::Server;

const CHANNELS: u32 = 100;
const RATE: u32 = 200;
const DATA_BYTES: usize = 128;
/// Clients that come back at the same time; the others wait for their turn, as a listener's queue would make them.
const AT_ONCE: usize = 512;
/// Publishing goes on for so long; clients that need more are still counted.
const SECONDS: u32 = 6;

/// What a client knows of its channel.
#[derive(Debug, Clone, Default)]
struct Position {
    channel: String,
    offset: u64,
    epoch: String,
    /// Publications that were missed or doubled.
    wrong: u64,
}

impl Position {
    /// Follows the publications in some bytes: their numbers must go on by one.
    fn follow(&mut self, bytes: &[u8]) {
        for number in payload::numbers(bytes) {
            self.wrong += u64::from(number != self.offset + 1);
            self.offset = number;
        }
    }
}

pub(super) async fn storm(args: &Args, server: &Server) -> Result<Vec<Value>> {
    let scratch = Scratch::new();
    let count = args.storm_clients;
    let known = arrive(server, &scratch, (0..count).map(fresh).collect()).await?;
    let (mut clients, mut positions): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    // Gone without a word, as after a failed network.
    clients.clear();

    let start = Instant::now();
    let published = RefCell::new(vec![0_u64; usize::try_from(CHANNELS)?]);
    let publish = paced_data(server, RATE, SECONDS, |n| {
        let channel = n % CHANNELS;
        let number = u64::from(n / CHANNELS) + 1;
        if let Some(top) = published
            .borrow_mut()
            .get_mut(usize::try_from(channel).unwrap_or(0))
        {
            *top = number;
        }
        body(&name(channel), &payload::data(start, number, DATA_BYTES))
    });
    let come_back = async {
        let (before, began) = (server.usage()?, Instant::now());
        let back = arrive(server, &scratch, std::mem::take(&mut positions)).await?;
        let took = began.elapsed().as_secs_f64();
        let cpu = server.usage()?.cpu_us - before.cpu_us;
        // They follow until publishing ends.
        let followed = Followed::start(back, &scratch);
        Ok::<_, anyhow::Error>((took, cpu, followed))
    };
    let (_, (took, cpu, followed)) = tokio::try_join!(publish, come_back)?;
    let tops = published.into_inner();
    until("every client is at the top of its channel", || {
        followed.all_at(&tops)
    })
    .await?;
    let wrong = followed.wrong();
    ensure!(wrong == 0, "{wrong} publications were missed or doubled");
    Ok(vec![
        value("until all are back", "s", took),
        value("CPU per client", "µs", cpu / float(u64::from(count))),
        value("missed or doubled", "publications", float(wrong)),
    ])
}

fn fresh(client: u32) -> Position {
    Position {
        channel: name(client % CHANNELS),
        ..Position::default()
    }
}

fn name(channel: u32) -> String {
    format!("rec:storm-{channel}")
}

/// Connects a client per position, and recovers from there on.
async fn arrive(
    server: &Server,
    scratch: &Scratch,
    positions: Vec<Position>,
) -> Result<Vec<(Client, Position)>> {
    stream::iter(positions.into_iter().zip(0..))
        .map(|(position, number)| recover(server, scratch, number, position))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn recover(
    server: &Server,
    scratch: &Scratch,
    number: u32,
    mut position: Position,
) -> Result<(Client, Position)> {
    let mut client = Client::open(server.address, number, Format::Json, &[], scratch).await?;
    let since = match position.epoch.as_str() {
        "" => String::new(),
        epoch => format!(
            r#","recover":true,"offset":{},"epoch":"{epoch}""#,
            position.offset
        ),
    };
    let command = format!(
        r#"{{"id":2,"subscribe":{{"channel":"{}"{since}}}}}"#,
        position.channel
    );
    client.send(command.as_bytes()).await?;
    client
        .replies(1, scratch, |message| {
            if message.starts_with(br#"{"id":2"#) {
                let reply: Json = serde_json::from_slice(message)?;
                let result = reply.get("subscribe").context("not a subscribe result")?;
                let recovered = result.get("recovered").and_then(Json::as_bool);
                ensure!(
                    position.epoch.is_empty() || recovered == Some(true),
                    "not recovered: {reply}"
                );
                let epoch = result
                    .get("epoch")
                    .and_then(Json::as_str)
                    .context("no epoch")?;
                epoch.clone_into(&mut position.epoch);
            }
            position.follow(message);
            Ok(())
        })
        .await?;
    Ok((client, position))
}

/// Clients that follow their channels in the background.
struct Followed {
    positions: Vec<Rc<RefCell<Position>>>,
    lost: Rc<Cell<u64>>,
    _tasks: tokio::task::JoinSet<()>,
}

impl Followed {
    fn start(clients: Vec<(Client, Position)>, scratch: &Scratch) -> Self {
        let mut tasks = tokio::task::JoinSet::new();
        let lost = Rc::new(Cell::new(0));
        let mut positions = Vec::with_capacity(clients.len());
        for (mut client, position) in clients {
            let position = Rc::new(RefCell::new(position));
            positions.push(Rc::clone(&position));
            let (scratch, lost) = (scratch.clone(), Rc::clone(&lost));
            tasks.spawn_local(async move {
                let mut follow = |frame: &[u8]| {
                    position.borrow_mut().follow(frame);
                    Ok(())
                };
                while client.read(&scratch, &mut follow).await.is_ok() {}
                lost.set(lost.get() + 1);
            });
        }
        Self {
            positions,
            lost,
            _tasks: tasks,
        }
    }

    fn all_at(&self, tops: &[u64]) -> bool {
        self.positions.iter().all(|position| {
            let position = position.borrow();
            let channel = position
                .channel
                .rsplit('-')
                .next()
                .and_then(|number| number.parse::<usize>().ok());
            let top = channel
                .and_then(|channel| tops.get(channel))
                .copied()
                .unwrap_or_default();
            position.offset >= top
        })
    }

    fn wrong(&self) -> u64 {
        self.lost.get()
            + self
                .positions
                .iter()
                .map(|position| position.borrow().wrong)
                .sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_or_doubled_is_counted() {
        let mut position = Position::default();
        position.follow(br#"{"n":1} {"n":2}"#);
        assert_eq!(position.wrong, 0);
        position.follow(br#"{"n":4}"#);
        assert_eq!(position.wrong, 1, "3 is missing");
        position.follow(br#"{"n":4}"#);
        assert_eq!(position.wrong, 2, "4 came twice");
    }
}
