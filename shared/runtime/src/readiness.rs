use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Drain, Leaving};

/// What a process is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Not serving yet.
    Starting,
    /// Serving.
    Ready,
    /// Handing over what it has, or finishing what is under way.
    Draining,
}

/// Whether the process wants traffic. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readiness {
    is_started: Arc<AtomicBool>,
    drain: Drain,
    leaving: Leaving,
}

impl Readiness {
    pub(crate) fn new(drain: Drain, leaving: Leaving) -> Self {
        Self {
            is_started: Arc::default(),
            drain,
            leaving,
        }
    }

    /// Everything runs: traffic may come.
    pub fn set_ready(&self) {
        self.is_started.store(true, Ordering::Release);
    }

    /// What the process is doing now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.drain.is_draining() || self.leaving.is_leaving() {
            Phase::Draining
        } else if self.is_started.load(Ordering::Acquire) {
            Phase::Ready
        } else {
            Phase::Starting
        }
    }
}
