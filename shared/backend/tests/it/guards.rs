//! Limits, the breaker, repeats and several addresses, over real calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gyre_config::{Limit, Millis};
use gyre_proto::proxy as pb;
use tokio::time::sleep;

use crate::backend::{Reply, Script, Server, read_request, write_all_that_goes};
use crate::world::{connect, metric, name, proxy, rpc};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// A backend that takes as long for every request, and the most that were under way at a time.
async fn slow(time: Duration) -> (Server, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let server = Server::raw(move |mut stream| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        Box::pin(async move {
            loop {
                read_request(&mut stream).await;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(time).await;
                now.fetch_sub(1, Ordering::SeqCst);
                if write_all_that_goes(&mut stream, ANSWER).await < ANSWER.len() {
                    return;
                }
            }
        })
    })
    .await;
    (server, seen)
}

#[tokio::test]
async fn a_crowd_goes_through_as_fast_as_the_limit_allows() {
    let (server, most) = slow(Duration::from_millis(500)).await;
    let (proxy, _parts) = proxy(&server.url("/"), |options| {
        options.timeout = Millis(60_000);
        options.limit.in_flight = Limit(100);
        options.limit.queue = 10_000;
    });
    let started = Instant::now();
    let outcomes = join_all((0..400).map(|_| connect(&proxy))).await;
    let took = started.elapsed();
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(most.load(Ordering::SeqCst), 100);
    // What 400 calls of half a second take, a hundred at a time; one after the other they were 200 s.
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert!(took < Duration::from_secs(40), "{took:?}");
}

#[tokio::test]
async fn what_exceeds_limit_and_queue_fails_at_once() {
    let (server, most) = slow(Duration::from_millis(200)).await;
    let (proxy, _parts) = proxy(&server.url("/"), |options| {
        options.limit.in_flight = Limit(2);
        options.limit.queue = 3;
    });
    let outcomes = join_all((0..10).map(|_| rpc(&proxy))).await;
    let count = |what: &str| outcomes.iter().filter(|one| name(one) == what).count();
    assert_eq!((count("result"), count("shed")), (5, 5));
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn waiting_counts_towards_the_deadline() {
    let (server, _) = slow(Duration::from_secs(60)).await;
    let (proxy, _parts) = proxy(&server.url("/"), |options| {
        options.timeout = Millis(200);
        options.limit.in_flight = Limit(1);
        options.limit.queue = 10;
    });
    let started = Instant::now();
    let outcomes = join_all((0..3).map(|_| rpc(&proxy))).await;
    assert!(outcomes.iter().all(|one| name(one) == "timeout"));
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn the_breaker_opens_on_failures_and_closes_when_they_are_over() {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let script = Script::new(move |_| match well.load(Ordering::SeqCst) {
        true => Reply::json("{}"),
        false => Reply::Http(500, "".into()),
    });
    let server = Server::http(&script).await;
    let (proxy, parts) = proxy(&server.url("/"), |options| {
        options.circuit_breaker.enabled = true;
        options.circuit_breaker.min_calls = 5;
        options.circuit_breaker.open_interval = Millis(200);
    });
    let is_open = || {
        let labels = "{name=\"default\",protocol=\"http\"}";
        metric(&parts, &format!("proxy_circuit_breaker_open{labels}"))
    };
    for _ in 0..5 {
        assert_eq!(name(&rpc(&proxy).await), "status");
    }
    assert_eq!(name(&rpc(&proxy).await), "open");
    assert_eq!(is_open(), Some(1.0));
    assert_eq!(script.asked.lock().len(), 5, "the backend is left alone");
    is_well.store(true, Ordering::SeqCst);
    let started = Instant::now();
    while name(&rpc(&proxy).await) == "open" {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    assert_eq!(name(&rpc(&proxy).await), "result");
    assert_eq!(is_open(), Some(0.0));
}

#[tokio::test]
async fn a_question_is_repeated_and_a_change_is_not() {
    let count = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&count);
    let script = Script::new(move |_| match calls.fetch_add(1, Ordering::SeqCst) % 3 {
        2 => Reply::json("{}"),
        _ => Reply::Http(503, "".into()),
    });
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&server.url("/"), |options| {
        options.retry.attempts = 2;
        options.retry.delay = Millis(1);
    });
    assert_eq!(name(&connect(&proxy).await), "result");
    assert_eq!(count.load(Ordering::SeqCst), 3);
    assert_eq!(name(&rpc(&proxy).await), "status");
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn calls_are_spread_and_a_dead_address_costs_nobody_an_answer() {
    let mut servers = Vec::new();
    let mut scripts = Vec::new();
    for _ in 0..3 {
        let script = Script::new(|_| Reply::message(&pb::RpcResponse::default()));
        servers.push(Server::http(&script).await);
        scripts.push(script);
    }
    let addresses: Vec<String> = servers
        .iter()
        .map(|server| server.address.to_string())
        .collect();
    let (proxy, _parts) = proxy(&addresses[0], |options| {
        options.endpoints = addresses[1..].to_vec();
    });
    for _ in 0..30 {
        assert_eq!(name(&rpc(&proxy).await), "result");
    }
    let asked = || -> Vec<usize> { scripts.iter().map(|one| one.asked.lock().len()).collect() };
    assert_eq!(asked(), [10, 10, 10]);
    servers.remove(1).kill().await;
    for _ in 0..60 {
        let outcome = rpc(&proxy).await;
        // The one call that finds the dead connection may not be repeated elsewhere.
        assert!(
            matches!(name(&outcome), "result" | "unreachable"),
            "{outcome:?}"
        );
    }
    let asked = asked();
    assert_eq!(asked[1], 10);
    assert!(asked[0] + asked[2] >= 79, "{asked:?}");
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_turn_and_is_no_failure() {
    let (server, _) = slow(Duration::from_secs(60)).await;
    let (proxy, parts) = proxy(&server.url("/"), |options| {
        options.limit.in_flight = Limit(1);
    });
    for _ in 0..3 {
        let mut call = Box::pin(rpc(&proxy));
        assert!(futures_util::poll!(&mut call).is_pending());
        drop(call);
    }
    let labels = "{name=\"default\",protocol=\"http\",type=\"rpc\"}";
    let count = |name: &str| metric(&parts, &format!("proxy_{name}{labels}"));
    assert_eq!(count("inflight_requests"), Some(0.0));
    assert_eq!(count("errors"), Some(0.0));
}
