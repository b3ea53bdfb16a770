use std::sync::Arc;

use tokio::sync::Notify;

/// An operator's wish that the process reads its configuration again: SIGHUP. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Reload {
    asked: Arc<Notify>,
}

impl Reload {
    /// Asks for it. Several wishes before it begins are one.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    /// Ends with the next wish. For one task only.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a wish that came meanwhile is seen by the next call.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }
}
