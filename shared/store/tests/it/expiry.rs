//! On virtual time.

use std::time::Duration;

use gyre_runtime::Clock;
use gyre_store::{Access, Kind};
use gyre_types::UnixMillis;
use tokio::time::advance;

use crate::{NOW, block};

#[tokio::test(start_paused = true)]
async fn a_block_ends_with_its_second_and_gives_its_memory_back() {
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let (access, keeper) = Access::in_memory(&clock);
    let view = access.view().clone();
    let story = async {
        access.change(block("ann", Some(3))).await.unwrap();
        access.change(block("bob", None)).await.unwrap();
        assert!(view.is_blocked("ann", access.now()));
        advance(Duration::from_millis(2_999)).await;
        assert!(view.is_blocked("ann", access.now()));
        advance(Duration::from_millis(1)).await;
        assert!(!view.is_blocked("ann", access.now()));
        assert_eq!(view.len(Kind::User), 2);
        advance(Duration::from_secs(30)).await;
        // A change that is answered tells that the sweep before it is done.
        while view.len(Kind::User) != 1 {
            tokio::task::yield_now().await;
        }
        assert!(view.is_blocked("bob", access.now()));
    };
    tokio::select! {
        () = keeper.run() => panic!("nobody has left"),
        () = story => {}
    }
}
