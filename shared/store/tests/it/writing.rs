//! The one writer: order, failures, callers that give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt as _;
use gyre_runtime::Clock;
use gyre_store::{
    Access, BoxFuture, Change, DatabaseError, Error, Exclusion, Exclusions, Key, Kind,
};
use gyre_types::{UnixMillis, UnixSeconds};

use crate::{NOW, block, key};

/// Takes everything, or nothing.
#[derive(Debug, Default)]
struct Fragile {
    is_down: AtomicBool,
}

impl Exclusions for Fragile {
    fn is_shared(&self) -> bool {
        false
    }

    fn version(&self) -> BoxFuture<'_, Result<i64, DatabaseError>> {
        Box::pin(std::future::ready(Ok(0)))
    }

    fn since(&self, _: i64, _: u32) -> BoxFuture<'_, Result<Vec<(i64, Change)>, DatabaseError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn apply<'a>(
        &'a self,
        _: &'a [Change],
        _: UnixSeconds,
    ) -> BoxFuture<'a, Result<(), DatabaseError>> {
        let outcome = match self.is_down.load(Ordering::Relaxed) {
            true => Err(DatabaseError::Query(sqlx::Error::PoolTimedOut)),
            false => Ok(()),
        };
        Box::pin(std::future::ready(outcome))
    }

    fn page<'a>(
        &'a self,
        _: Kind,
        _: Option<&'a Key>,
        _: UnixSeconds,
        _: u32,
    ) -> BoxFuture<'a, Result<Vec<Exclusion>, DatabaseError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn purge(&self, _: UnixSeconds, _: u32) -> BoxFuture<'_, Result<u64, DatabaseError>> {
        Box::pin(std::future::ready(Err(DatabaseError::Query(
            sqlx::Error::PoolTimedOut,
        ))))
    }
}

#[tokio::test]
async fn a_database_that_is_down_refuses_and_what_is_known_still_holds() {
    let database = Arc::<Fragile>::default();
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let opened = Access::in_repository(Arc::clone(&database) as Arc<dyn Exclusions>, &clock);
    let (access, keeper) = opened.await.unwrap();
    let story = async {
        access.change(block("ann", None)).await.unwrap();
        database.is_down.store(true, Ordering::Relaxed);
        let refused = access.change(block("bob", None)).await.unwrap_err();
        assert!(matches!(refused, Error::Database(_)), "{refused:?}");
        let refused = access.remove(key(Kind::User, "ann")).await.unwrap_err();
        assert!(matches!(refused, Error::Database(_)), "{refused:?}");
        assert!(access.view().is_blocked("ann", NOW));
        assert!(!access.view().is_blocked("bob", NOW));
        database.is_down.store(false, Ordering::Relaxed);
        access.remove(key(Kind::User, "ann")).await.unwrap();
        assert!(!access.view().is_blocked("ann", NOW));
    };
    tokio::select! {
        () = keeper.run() => panic!("nobody has left"),
        () = story => {}
    }
}

#[tokio::test]
async fn changes_are_made_in_order_even_if_their_callers_gave_up() {
    let (access, keeper) = Access::in_memory(&Clock::fixed(UnixMillis(NOW.0 * 1000)));
    // Nobody makes them yet: each is queued and its caller leaves.
    for user in ["ann", "bob"] {
        assert!(access.change(block(user, None)).now_or_never().is_none());
    }
    let unblock = access.remove(key(Kind::User, "ann"));
    assert!(unblock.now_or_never().is_none());
    let view = access.view().clone();
    drop(access);
    keeper.run().await;
    assert!(!view.is_blocked("ann", NOW));
    assert!(view.is_blocked("bob", NOW));
}

#[tokio::test]
async fn after_the_end_nothing_is_promised() {
    let (access, keeper) = Access::in_memory(&Clock::fixed(UnixMillis(NOW.0 * 1000)));
    drop(keeper);
    let refused = access.change(block("ann", None)).await.unwrap_err();
    assert!(matches!(refused, Error::Stopped), "{refused:?}");
}
