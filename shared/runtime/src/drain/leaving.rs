use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The time between the wish to stop and the drain: the process wants no new traffic and serves what
/// it has, while parts of it hand over what cannot be moved at once. Cheap to clone.
#[derive(Clone)]
pub struct Leaving {
    shared: Arc<Shared>,
}

struct Shared {
    asked: CancellationToken,
    /// How many parts are not done with it.
    holds: watch::Sender<usize>,
}

/// As long as it is there, the process does not drain.
#[derive(Debug)]
pub struct Hold {
    leaving: Leaving,
}

impl Default for Leaving {
    fn default() -> Self {
        let shared = Shared {
            asked: CancellationToken::new(),
            holds: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl fmt::Debug for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaving")
            .field("is_leaving", &self.is_leaving())
            .finish_non_exhaustive()
    }
}

impl Leaving {
    /// Says that the process shall go. There is no way back.
    pub fn begin(&self) {
        self.shared.asked.cancel();
    }

    /// Whether it was said.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.shared.asked.is_cancelled()
    }

    /// Ends when it is said.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn leaving(&self) {
        self.shared.asked.cancelled().await;
    }

    /// Has the process wait for a part of it, from the start on.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.shared.holds.send_modify(|holds| *holds += 1);
        Hold {
            leaving: self.clone(),
        }
    }

    /// Ends when every part has let go.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn left(&self) {
        let mut holds = self.shared.holds.subscribe();
        // The sender lives as long as we do.
        drop(holds.wait_for(|holds| *holds == 0).await);
    }
}

impl Hold {
    /// Waits for the wish to stop.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn asked(&self) {
        self.leaving.leaving().await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.leaving.shared.holds.send_modify(|holds| *holds -= 1);
    }
}

/// How long after the wish to stop a process that nobody holds is given for its answer to whoever
/// asked. 100 ms.
pub(crate) const FAREWELL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn nobody_drains_before_every_part_has_let_go() {
        let leaving = Leaving::default();
        let (one, other) = (leaving.hold(), leaving.hold());
        assert!(!leaving.is_leaving());
        assert_eq!(one.asked().now_or_never(), None);
        leaving.begin();
        one.asked().await;
        drop(one);
        assert_eq!(leaving.left().now_or_never(), None);
        drop(other);
        leaving.left().await;
    }

    #[tokio::test]
    async fn without_parts_there_is_nothing_to_wait_for() {
        let leaving = Leaving::default();
        leaving.begin();
        leaving.left().await;
    }
}
