//! A channel of which a quarter stops reading: what the others notice, and what becomes of it.

use std::error::Error;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::member::{Buffers, End, Member};
use crate::server::Server;
use crate::websocket::{CLOSE, Frame};
use crate::{Outcome, QUEUE_BYTES, TURN, part, start};

const READERS: usize = 1_500;
const SLOW: usize = 500;

/// Payload of a publication. Unit: bytes.
const PAYLOAD_BYTES: usize = 16 * 1024;

/// Publications while everybody reads: the control group, the same readers in the same run.
const CONTROL: usize = 20;

/// Publications by which the slow ones have to be gone. Linux buffers 4 MiB for a socket at most, 256
/// publications, and the queue holds four. How much it really buffers is up to its congestion control.
const OVERFLOW_MAX: usize = 300;

/// How much the slow ones may make the server grow: their queues, as if nothing was shared. Unit: bytes.
const GROWTH_MAX: u64 = (SLOW * QUEUE_BYTES) as u64;

/// What scheduling adds. The readers' slowest hundredth may take three times as long as without slow
/// ones, and this; a server that waits for a slow client waits for a second.
const SLACK: Duration = Duration::from_millis(500);

#[test]
fn a_slow_quarter_is_closed_and_delays_nobody() -> Outcome {
    let _turn = TURN.lock();
    let mut server = start()?;
    let runtime = Runtime::new()?;
    let started = Instant::now();
    let mut room = part(&runtime, Room::open(server.port))??;
    println!("opened after {:?}", started.elapsed());

    let (control, slow) = part(&runtime, room.load(&server))??;
    println!(
        "p50 {:?} p99 {:?} of the control group, p50 {:?} p99 {:?} beside slow ones; {:?} in all",
        control.share(50),
        control.share(99),
        slow.share(50),
        slow.share(99),
        started.elapsed(),
    );
    assert!(slow.share(99) <= 3 * control.share(99) + SLACK);

    room.release.send_replace(true);
    let slow_ends = part(&runtime, room.slow.join_all())?;
    let cut = slow_ends.iter().filter(|end| **end == End::Cut).count();
    println!(
        "{} slow ones read why they were closed, {cut} were cut",
        SLOW - cut
    );
    for end in slow_ends {
        assert!(
            matches!(end, End::Closed(3008 | 3009) | End::Cut),
            "{end:?}"
        );
    }

    // The others are all there, and end when the server does.
    drop(room.publisher);
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(0));
    let ends = part(&runtime, room.readers.join_all())?;
    assert_eq!(ends, [End::Closed(3001); READERS]);
    Ok(())
}

/// Everybody in the channel, and who publishes into it.
struct Room {
    publisher: Member,
    published: usize,
    readers: JoinSet<End>,
    slow: JoinSet<End>,
    receipts: mpsc::Receiver<Receipt>,
    release: watch::Sender<bool>,
}

/// A publication has been read.
#[derive(Clone, Copy, Debug)]
struct Receipt {
    number: usize,
    at: Instant,
    by: Group,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Group {
    Readers,
    Slow,
}

impl Room {
    async fn open(port: u16) -> std::io::Result<Self> {
        let (sender, receipts) = mpsc::channel(READERS + SLOW);
        let (release, _) = watch::channel(false);
        let mut room = Self {
            publisher: Member::connected(port, Buffers::Usual).await?,
            published: 0,
            readers: JoinSet::new(),
            slow: JoinSet::new(),
            receipts,
            release,
        };
        for _ in 0..READERS {
            let member = Member::subscribed(port, Buffers::Usual, "room").await?;
            room.readers.spawn(read(member, sender.clone()));
        }
        for number in (0..u16::MAX).take(SLOW) {
            let buffers = Buffers::Small(number);
            let member = Member::subscribed(port, buffers, "room").await?;
            let release = room.release.subscribe();
            room.slow
                .spawn(stop_reading(member, sender.clone(), release));
        }
        Ok(room)
    }

    /// Publishes while all read, then while a quarter does not, until that is closed.
    async fn load(&mut self, server: &Server) -> Result<(Latencies, Latencies), Box<dyn Error>> {
        let mut control = Latencies::default();
        for _ in 0..CONTROL {
            self.publish(READERS + SLOW, &mut control).await?;
        }
        let before = memory(server, "VmRSS:")?;
        let mut beside_slow = Latencies::default();
        let mut count = 0;
        while count < CONTROL || slow_disconnects(server)? < SLOW {
            assert!(count < OVERFLOW_MAX, "{} closed", slow_disconnects(server)?);
            self.publish(READERS, &mut beside_slow).await?;
            count += 1;
        }
        let growth = memory(server, "VmHWM:")?.saturating_sub(before);
        println!("closed after {count} publications; {before} bytes resident, grown by {growth}");
        assert!(growth <= GROWTH_MAX, "{growth} bytes");
        // The last word: it reaches all who read.
        self.publish(READERS, &mut Latencies::default()).await?;
        let metrics = server.get("/metrics")?;
        assert_eq!(sum(&metrics, "gyre_client_num_server_disconnects"), SLOW);
        Ok((control, beside_slow))
    }

    /// Publishes once and waits until so many have read it: the load is as fast as its receivers.
    async fn publish(
        &mut self,
        receivers: usize,
        latencies: &mut Latencies,
    ) -> Result<(), Box<dyn Error>> {
        let number = self.published;
        self.published += 1;
        let filler = "x".repeat(PAYLOAD_BYTES);
        let command = format!(
            "{{\"id\":{},\"publish\":{{\"channel\":\"room\",\"data\":{{\"n\":{number},\"x\":\"{filler}\"}}}}}}",
            number + 2,
        );
        let sent = Instant::now();
        self.publisher.ask(&command).await?;
        for _ in 0..receivers {
            let receipt = self.receipts.recv().await.ok_or("everybody is gone")?;
            assert_eq!(
                receipt.number, number,
                "in order, nothing lost, nothing doubled"
            );
            if receipt.by == Group::Readers {
                latencies.0.push(receipt.at.duration_since(sent));
            }
        }
        Ok(())
    }
}

/// Reads and reports until the connection ends.
async fn read(mut member: Member, receipts: mpsc::Sender<Receipt>) -> End {
    while let Ok(Some(frame)) = member.frame().await {
        if frame.first == CLOSE {
            return member.close(&frame).await;
        }
        let by = Group::Readers;
        // Who does not listen any more does not care.
        let _ = receipts.send(receipt(&frame, by)).await;
    }
    End::Cut
}

/// Reads the publications of the control group, then nothing until it is released.
async fn stop_reading(
    mut member: Member,
    receipts: mpsc::Sender<Receipt>,
    mut release: watch::Receiver<bool>,
) -> End {
    for _ in 0..CONTROL {
        let Ok(Some(frame)) = member.frame().await else {
            return End::Cut;
        };
        let _ = receipts.send(receipt(&frame, Group::Slow)).await;
    }
    drop(receipts);
    let _ = release.wait_for(|released| *released).await;
    member.ended().await
}

fn receipt(frame: &Frame, by: Group) -> Receipt {
    let at = Instant::now();
    Receipt {
        number: number(&frame.payload).unwrap_or(usize::MAX),
        at,
        by,
    }
}

/// The number in a publication's data.
fn number(payload: &[u8]) -> Option<usize> {
    let head = payload.get(..100)?;
    let head = std::str::from_utf8(head).ok()?;
    let (_, rest) = head.split_once("\"n\":")?;
    rest.split(',').next()?.parse().ok()
}

#[derive(Debug, Default)]
struct Latencies(Vec<Duration>);

impl Latencies {
    /// What this share of the deliveries, in per cent, took at most.
    fn share(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let index = (sorted.len() * percent / 100).min(last);
        sorted.get(index).copied().unwrap_or_default()
    }
}

/// Connections that the server has ended because their clients were slow.
fn slow_disconnects(server: &Server) -> std::io::Result<usize> {
    let metrics = server.get("/metrics")?;
    let of = |code| {
        sum(
            &metrics,
            &format!("gyre_client_num_server_disconnects{{code=\"{code}\"}}"),
        )
    };
    Ok(of(3008) + of(3009))
}

/// The sum of the samples whose lines begin like this.
fn sum(metrics: &str, prefix: &str) -> usize {
    let lines = metrics.lines().filter(|line| line.starts_with(prefix));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok());
    values.sum()
}

/// A line of what the system says about the server's memory. Unit: bytes.
fn memory(server: &Server, name: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kibibytes.ok_or("not told")?.parse::<u64>()? * 1024)
}
