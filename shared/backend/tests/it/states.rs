//! Channels in use, told to a backend.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gyre_backend::{Backends, ChannelStates};
use gyre_config::{Config, Millis};
use gyre_engine::ChannelOutbox;
use gyre_runtime::Parts;
use gyre_store::{MemoryOutbox, Sqlite};

use crate::backend::{Reply, Script, Server};
use crate::world::parts;

/// Longest wait for what has to come.
const WAIT: Duration = Duration::from_secs(15);

/// A process with a backend behind it.
struct Process {
    states: ChannelStates,
    parts: Parts,
}

impl Process {
    async fn start(server: &Server, outbox: Arc<dyn ChannelOutbox>, delay_ms: i64) -> Self {
        Self::start_with(server, outbox, delay_ms, |_config| {}).await
    }

    async fn start_with(
        server: &Server,
        outbox: Arc<dyn ChannelOutbox>,
        delay_ms: i64,
        edit: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Box::new(Config::default());
        config.channel.proxy.state.endpoint = server.url("/");
        config.channel.state.vacated_event_delay = Millis(delay_ms);
        config.channel.state.batch_size = 3;
        edit(&mut config);
        let parts = parts();
        let backends = Backends::build(&config, &parts, None).unwrap();
        let opened = ChannelStates::open(&config, &backends, outbox, &parts).await;
        let (states, tasks) = opened.unwrap();
        tasks.run(&parts);
        Self { states, parts }
    }

    /// Ends as a kill does: nothing is said any more.
    async fn kill(self) {
        self.parts.tasks.stop(Duration::ZERO).await;
    }
}

/// What a backend was told, as `+channel` and `-channel`, with the generations.
fn told(script: &Script) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for asked in script.asked.lock().iter() {
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        let events = body["events"].as_array().unwrap();
        assert!(events.len() <= 3, "no more than a batch");
        for event in events {
            let state = event["type"].as_str().unwrap();
            assert!(matches!(state, "occupied" | "vacated"), "{state}");
            let sign = if state == "occupied" { '+' } else { '-' };
            assert!(event["time_ms"].as_i64().unwrap() > 1_600_000_000_000);
            let channel = event["channel"].as_str().unwrap();
            all.push((
                format!("{sign}{channel}"),
                event["generation"].as_u64().unwrap(),
            ));
        }
    }
    all
}

/// Waits until the backend was told as many.
async fn wait_for(script: &Script, count: usize) -> Vec<(String, u64)> {
    let started = Instant::now();
    loop {
        let told = told(script);
        if told.len() >= count {
            return told;
        }
        assert!(started.elapsed() < WAIT, "{told:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn texts(told: &[(String, u64)]) -> Vec<&str> {
    told.iter().map(|(text, _)| text.as_str()).collect()
}

fn database(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("gyre-states-{name}"));
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory.join("gyre.db")
}

/// The file again, once the tasks that had it are dropped.
async fn reopened(path: &Path) -> Sqlite {
    let started = Instant::now();
    loop {
        match Sqlite::open(path).await {
            Ok(opened) => return opened,
            Err(error) => assert!(started.elapsed() < WAIT, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn agrees() -> Arc<Script> {
    Script::new(|_| Reply::json(r#"{"result":{}}"#))
}

#[tokio::test]
async fn first_and_last_are_told_in_order_and_growing() {
    let script = agrees();
    let server = Server::http(&script).await;
    let process = Process::start(&server, Arc::new(MemoryOutbox::default()), 1).await;
    for channel in ["a", "b", "not\0told", "c", "d"] {
        process.states.occupied(channel, "default");
    }
    wait_for(&script, 4).await;
    process.states.vacated("a");
    wait_for(&script, 5).await;
    process.states.occupied("a", "default");
    let told = wait_for(&script, 6).await;
    assert_eq!(texts(&told), ["+a", "+b", "+c", "+d", "-a", "+a"]);
    assert!(told.is_sorted_by(|one, two| one.1 < two.1), "{told:?}");
    process.kill().await;
}

#[tokio::test]
async fn what_the_backend_does_not_take_is_told_again_and_nothing_is_lost() {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let script = Script::new(move |_| match well.load(Ordering::SeqCst) {
        true => Reply::json("{}"),
        false => Reply::json(r#"{"error":{"code":500,"message":"later"}}"#),
    });
    let server = Server::http(&script).await;
    let process = Process::start(&server, Arc::new(MemoryOutbox::default()), 1).await;
    for number in 0..10 {
        process.states.occupied(&number.to_string(), "default");
    }
    wait_for(&script, 6).await;
    is_well.store(true, Ordering::SeqCst);
    let started = Instant::now();
    let all: Vec<String> = (0..10).map(|number| format!("+{number}")).collect();
    loop {
        let mut seen: Vec<String> = told(&script).into_iter().map(|(text, _)| text).collect();
        seen.sort();
        seen.dedup();
        if seen == all {
            break;
        }
        assert!(started.elapsed() < WAIT, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.kill().await;
}

#[tokio::test]
async fn a_full_queue_waits_for_the_backend() {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let script = Script::new(move |_| match well.load(Ordering::SeqCst) {
        true => Reply::json("{}"),
        false => Reply::json(r#"{"error":{"code":500,"message":"later"}}"#),
    });
    let server = Server::http(&script).await;
    let outbox = Arc::new(MemoryOutbox::default());
    let edit = |config: &mut Config| config.channel.state.queue_size = 2;
    let process = Process::start_with(&server, Arc::clone(&outbox) as _, 1, edit).await;
    let started = Instant::now();
    for channel in ["a", "b"] {
        process.states.occupied(channel, "default");
    }
    while outbox.waiting().await.unwrap() < 2 {
        assert!(started.elapsed() < WAIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.states.occupied("c", "default");
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(outbox.waiting().await.unwrap(), 2);
    }
    is_well.store(true, Ordering::SeqCst);
    while !texts(&told(&script)).contains(&"+c") {
        assert!(started.elapsed() < WAIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.kill().await;
}

#[tokio::test]
async fn a_restart_tells_what_was_not_told_and_what_nobody_came_back_to() {
    let path = database("restart");
    let hangs = Script::new(|_| Reply::Hang);
    let server = Server::http(&hangs).await;
    let outbox = Arc::new(Sqlite::open(&path).await.unwrap());
    let process = Process::start(&server, Arc::clone(&outbox) as _, 1).await;
    process.states.occupied("a", "default");
    process.states.occupied("b", "default");
    let started = Instant::now();
    while outbox.waiting().await.unwrap() < 2 {
        assert!(started.elapsed() < WAIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.kill().await;
    drop(outbox);

    let script = agrees();
    let server = Server::http(&script).await;
    let outbox = Arc::new(reopened(&path).await);
    let process = Process::start(&server, Arc::clone(&outbox) as _, 1).await;
    let told = wait_for(&script, 2).await;
    assert_eq!(texts(&told), ["+a", "+b"]);
    // Somebody comes back to one of them: the backend knows that it is in use.
    process.states.occupied("a", "default");
    process.states.vacated("b");
    process.states.occupied("c", "default");
    let told = wait_for(&script, 3).await;
    assert_eq!(texts(&told), ["+a", "+b", "+c"]);
    let in_use = outbox.in_use("", 10).await.unwrap();
    assert_eq!(in_use.len(), 3);
    process.kill().await;
}

#[tokio::test]
async fn what_is_for_a_proxy_that_is_no_more_is_forgotten() {
    let script = agrees();
    let server = Server::http(&script).await;
    let outbox = Arc::new(MemoryOutbox::default());
    let process = Process::start(&server, Arc::clone(&outbox) as _, 1).await;
    process.states.occupied("a", "gone");
    let started = Instant::now();
    while outbox.waiting().await.unwrap() < 1 {
        assert!(started.elapsed() < WAIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.kill().await;
    let process = Process::start(&server, Arc::clone(&outbox) as _, 1).await;
    assert_eq!(outbox.waiting().await.unwrap(), 0);
    assert!(outbox.in_use("", 10).await.unwrap().is_empty());
    process.kill().await;
}
