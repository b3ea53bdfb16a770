mod leaving;

use tokio_util::sync::CancellationToken;

pub(crate) use leaving::FAREWELL;
pub use leaving::{Hold, Leaving};

/// The moment from which a process takes no new work. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    draining: CancellationToken,
}

impl Drain {
    /// Begins the drain. There is no way back.
    pub fn begin(&self) {
        self.draining.cancel();
    }

    /// Whether it has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Ends when the drain begins: take no new work, finish what is under way.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }
}
