//! Which channels are in use by any of several processes, on real servers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gyre_config::Millis;
use gyre_config::engine::Redis;
use gyre_engine::{ChannelOutbox, ChannelState, StateEvent, Transition};
use gyre_types::UnixMillis;
use tokio::time::{Instant, sleep};

use crate::servers::{Cluster, PRIMARIES, Server, until};
use crate::subject::{Opened, section};

const PROXY: &str = "shop";

/// Members and claims of a dead process go within so much, and a little.
const TTL: Duration = Duration::from_secs(2);

/// A process that sees channels come into use.
struct Gateway {
    opened: Opened,
    outbox: Arc<dyn ChannelOutbox>,
}

impl Gateway {
    async fn start(section: &Redis) -> Self {
        let opened = Opened::new(section, Arc::new(()));
        opened.redis.ready().await.unwrap();
        let outbox = opened.redis.channels();
        outbox.serve(&[PROXY]);
        Self { opened, outbox }
    }

    /// Records changes, written as `+channel` and `-channel`.
    async fn record(&self, changes: &[&str]) {
        let transitions: Vec<Transition> = changes.iter().map(|text| transition(text)).collect();
        self.outbox.record(&transitions).await.unwrap();
    }

    /// The next events, which count as told then.
    async fn tell(&self) -> Vec<StateEvent> {
        // It does not matter which of the processes knows first.
        let events = self.outbox.events(PROXY, 100).await.unwrap_or_default();
        if let Some(last) = events.last() {
            assert!(events.len() <= 100);
            let _ = self.outbox.told(PROXY, last.generation).await;
        }
        events
    }

    /// Ends as a kill does.
    async fn kill(self) {
        self.opened.close().await;
    }
}

fn transition(text: &str) -> Transition {
    let (sign, channel) = text.split_at(1);
    Transition {
        channel: channel.into(),
        proxy: PROXY.into(),
        state: match sign {
            "+" => ChannelState::Occupied,
            _ => ChannelState::Vacated,
        },
        at: UnixMillis(1_700_000_000_000),
    }
}

fn text(event: &StateEvent) -> String {
    let sign = match event.transition.state {
        ChannelState::Occupied => '+',
        ChannelState::Vacated => '-',
    };
    format!("{sign}{}", event.transition.channel)
}

fn short(change: impl FnOnce(&mut Redis)) -> Redis {
    section(|one| {
        one.presence_ttl = Millis(i64::try_from(TTL.as_millis()).unwrap());
        one.io_timeout = Millis(500);
        change(one);
    })
}

fn at(server: &Server) -> Redis {
    short(|one| one.address = vec![server.address()])
}

/// Collects what all of these tell until it is as much.
async fn told(gateways: &[&Gateway], count: usize) -> Vec<StateEvent> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while all.len() < count {
        assert!(begun.elapsed() < TTL * 20, "{all:?}");
        for gateway in gateways {
            all.extend(gateway.tell().await);
        }
        sleep(Duration::from_millis(5)).await;
    }
    all
}

/// Whatever any of these tell within a time in which much could happen.
async fn told_within(gateways: &[&Gateway], time: Duration) -> Vec<String> {
    let begun = Instant::now();
    let mut all = Vec::new();
    while begun.elapsed() < time {
        for gateway in gateways {
            all.extend(gateway.tell().await.iter().map(text));
        }
        sleep(Duration::from_millis(20)).await;
    }
    all
}

fn texts(events: &[StateEvent]) -> Vec<String> {
    events.iter().map(text).collect()
}

/// The first of all occupies, the last of all vacates.
async fn first_and_last(section: &Redis) {
    let (a, b) = (Gateway::start(section).await, Gateway::start(section).await);
    a.record(&["+room", "+only"]).await;
    b.record(&["+room"]).await;
    let occupied = told(&[&a, &b], 2).await;
    let names: BTreeSet<String> = texts(&occupied).into_iter().collect();
    assert_eq!(names, ["+only", "+room"].map(str::to_owned).into());
    // What it has already changes nothing, nor what it has not.
    a.record(&["-room"]).await;
    a.record(&["-room", "-never"]).await;
    b.record(&["+room"]).await;
    assert_eq!(told_within(&[&a, &b], TTL).await, [""; 0]);
    b.record(&["-room"]).await;
    b.record(&["+room"]).await;
    let after = told(&[&a, &b], 2).await;
    assert_eq!(texts(&after), ["-room", "+room"]);
    let room = |event: &&StateEvent| &*event.transition.channel == "room";
    let generations = occupied.iter().chain(&after).filter(room);
    assert!(generations.is_sorted_by(|one, other| one.generation < other.generation));
    assert!(after[0].generation > 1_600_000_000_000_000, "microseconds");
    a.kill().await;
    b.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn the_first_and_the_last_of_all_processes_are_told() {
    let server = Server::start(&[]).await;
    first_and_last(&at(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn so_they_are_on_a_cluster_and_through_a_failover() {
    let mut cluster = Cluster::start().await;
    let section = short(|one| one.cluster_address = cluster.addresses());
    first_and_last(&section).await;

    let (a, b) = (
        Gateway::start(&section).await,
        Gateway::start(&section).await,
    );
    let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let all = |sign: char| names.iter().map(move |name| format!("{sign}{name}"));
    let occupied: Vec<String> = all('+').collect();
    let occupied: Vec<&str> = occupied.iter().map(String::as_str).collect();
    a.record(&occupied).await;
    b.record(&occupied).await;
    let first: BTreeSet<String> = texts(&told(&[&a, &b], 100).await).into_iter().collect();
    assert_eq!(first, all('+').collect());
    cluster.servers[0].kill();
    until("its replica took over", || async {
        cluster.primary_of(0).await == PRIMARIES
            && cluster.servers[1].cluster_info("cluster_state").await == "ok"
    })
    .await;
    let vacated: Vec<Transition> = all('-').map(|text| transition(&text)).collect();
    for gateway in [&a, &b] {
        until("it is taken", || async {
            gateway.outbox.record(&vacated).await.is_ok()
        })
        .await;
    }
    // Repeats are allowed; what comes last is true.
    let mut last = std::collections::BTreeMap::new();
    while last.len() < 100 || last.values().any(|state| *state == ChannelState::Occupied) {
        for event in told(&[&a, &b], 1).await {
            last.insert(event.transition.channel, event.transition.state);
        }
    }
    a.kill().await;
    b.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn what_a_dead_process_used_is_vacated_once() {
    let server = Server::start(&[]).await;
    let section = at(&server);
    let (dead, a, b) = (
        Gateway::start(&section).await,
        Gateway::start(&section).await,
        Gateway::start(&section).await,
    );
    let mine: Vec<String> = (0..50).map(|number| format!("+{number}")).collect();
    let mine: Vec<&str> = mine.iter().map(String::as_str).collect();
    dead.record(&mine).await;
    dead.record(&["+shared"]).await;
    a.record(&["+shared"]).await;
    told(&[&a, &b], 51).await;
    let killed = Instant::now();
    dead.kill().await;
    let mut vacated = texts(&told(&[&a, &b], 50).await);
    assert!(killed.elapsed() < TTL * 5, "{:?}", killed.elapsed());
    vacated.sort();
    vacated.dedup();
    assert_eq!(vacated.len(), 50);
    assert!(
        vacated
            .iter()
            .all(|one| one.starts_with('-') && one != "-shared")
    );
    assert_eq!(told_within(&[&a, &b], TTL).await, [""; 0], "told once");
    a.record(&["-shared"]).await;
    assert_eq!(texts(&told(&[&a, &b], 1).await), ["-shared"]);
    a.kill().await;
    b.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_redis_that_was_away_has_nobody_vacated_and_one_that_forgot_is_told_again() {
    let mut server = Server::start(&[]).await;
    let section = at(&server);
    let (a, b) = (
        Gateway::start(&section).await,
        Gateway::start(&section).await,
    );
    a.record(&["+room", "+gone"]).await;
    b.record(&["+hall"]).await;
    told(&[&a, &b], 3).await;
    server.pause();
    // Much longer than every lease.
    sleep(TTL * 2).await;
    server.resume();
    assert_eq!(told_within(&[&a, &b], TTL * 2).await, [""; 0]);

    server.kill();
    server.start_again().await;
    let again: BTreeSet<String> = texts(&told(&[&a, &b], 3).await).into_iter().collect();
    assert_eq!(again, ["+gone", "+hall", "+room"].map(str::to_owned).into());
    a.record(&["-gone"]).await;
    assert_eq!(texts(&told(&[&a, &b], 1).await), ["-gone"]);
    a.kill().await;
    b.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn what_was_taken_without_an_answer_is_given_up_again() {
    let server = Server::start(&[]).await;
    let a = Gateway::start(&at(&server)).await;
    server.pause();
    a.outbox.record(&[transition("+room")]).await.unwrap_err();
    server.resume();
    // The subscriber is gone by now, so that nobody will ever say that it left.
    until("what the server took is given up", || async {
        let counts: Vec<String> = server.run(&["KEYS", "*:cn:*"]).await;
        let mut rooms = 0;
        for key in counts {
            let count: Option<String> = server.run(&["HGET", &key, "room"]).await;
            rooms += usize::from(count.is_some());
        }
        let claims: Vec<String> = server.run(&["KEYS", "*:cc:*"]).await;
        rooms == 0 && !claims.is_empty()
    })
    .await;
    assert_eq!(texts(&told(&[&a], 2).await), ["+room", "-room"]);
    a.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn an_event_is_with_one_process_until_that_has_told_it_or_died() {
    let server = Server::start(&[]).await;
    let section = at(&server);
    let (a, b) = (
        Gateway::start(&section).await,
        Gateway::start(&section).await,
    );
    a.record(&["+room"]).await;
    let taken = a.outbox.events(PROXY, 10).await.unwrap();
    assert_eq!(texts(&taken), ["+room"]);
    assert_eq!(told_within(&[&b], TTL).await, [""; 0]);
    // Not told: it is given again.
    assert_eq!(a.outbox.events(PROXY, 10).await.unwrap(), taken);
    a.kill().await;
    let all = told(&[&b], 2).await;
    assert_eq!(all[0], taken[0]);
    assert_eq!(texts(&all), ["+room", "-room"]);
    assert_eq!(b.outbox.waiting().await.unwrap(), 0);
    b.kill().await;
}
