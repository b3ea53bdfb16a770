//! Caches that are empty: one call for all who found them so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;

use crate::backend::{Reply, Script, Server};
use crate::world::proxy;

fn script(populated: &Arc<AtomicBool>) -> Arc<Script> {
    let populated = Arc::clone(populated);
    Script::new(move |_| match populated.load(Ordering::SeqCst) {
        true => Reply::json(r#"{"result":{"populated":true}}"#),
        false => Reply::json("{}"),
    })
}

#[tokio::test]
async fn a_crowd_asks_once() {
    let populated = Arc::new(AtomicBool::new(true));
    let script = script(&populated);
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&server.url("/"), |_| {});
    let answers = join_all((0..1000).map(|_| proxy.notify_cache_empty("a"))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap()));
    assert_eq!(script.asked.lock().len(), 1);
    assert_eq!(script.last().body, r#"{"channel":"a"}"#);
    assert!(proxy.notify_cache_empty("a").await.unwrap());
    assert_eq!(
        script.asked.lock().len(),
        2,
        "what was populated is asked anew"
    );
}

#[tokio::test]
async fn nothing_counts_for_a_while() {
    let populated = Arc::new(AtomicBool::new(false));
    let script = script(&populated);
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&server.url("/"), |_| {});
    assert!(!proxy.notify_cache_empty("a").await.unwrap());
    populated.store(true, Ordering::SeqCst);
    assert!(!proxy.notify_cache_empty("a").await.unwrap());
    assert!(
        proxy.notify_cache_empty("b").await.unwrap(),
        "each channel for itself"
    );
    assert_eq!(script.asked.lock().len(), 2);
}

#[tokio::test]
async fn a_failure_is_told_to_all_and_not_remembered() {
    let script = Script::new(|_| Reply::Http(500, "".into()));
    let server = Server::http(&script).await;
    let (proxy, _parts) = proxy(&server.url("/"), |_| {});
    let answers = join_all((0..10).map(|_| proxy.notify_cache_empty("a"))).await;
    assert!(answers.iter().all(Result::is_err));
    assert!(proxy.notify_cache_empty("a").await.is_err());
    assert_eq!(script.asked.lock().len(), 2);
}
