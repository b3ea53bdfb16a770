use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

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

/// How something is that a process cannot do without. Reasons are read by whoever may ask: no
/// addresses, no secrets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Health {
    /// As it should be.
    Good,
    /// A part of it fails: the process does what it still can.
    Degraded(String),
    /// Nothing of it works: traffic had better go elsewhere.
    Failed(String),
}

/// Whether the process wants traffic. Cheap to clone.
#[derive(Clone)]
pub struct Readiness {
    is_started: Arc<AtomicBool>,
    drain: Drain,
    leaving: Leaving,
    needs: Arc<Mutex<Vec<Need>>>,
}

/// Something that the process cannot do without.
struct Need {
    name: &'static str,
    health: Box<dyn Fn() -> Health + Send + Sync>,
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

impl Readiness {
    pub(crate) fn new(drain: Drain, leaving: Leaving) -> Self {
        Self {
            is_started: Arc::default(),
            drain,
            leaving,
            needs: Arc::default(),
        }
    }

    /// Everything runs: traffic may come.
    pub fn set_ready(&self) {
        self.is_started.store(true, Ordering::Release);
    }

    /// Has something looked at whenever somebody asks for readiness; `health` must not wait.
    pub fn depend(&self, name: &'static str, health: impl Fn() -> Health + Send + Sync + 'static) {
        let health = Box::new(health);
        self.needs.lock().push(Need { name, health });
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

    /// What the process needs and how it is, by name.
    pub(crate) fn needs(&self) -> Vec<(&'static str, Health)> {
        let needs = self.needs.lock();
        needs
            .iter()
            .map(|need| (need.name, (need.health)()))
            .collect()
    }
}
