use std::sync::Arc;

use gyre_telemetry::Registry;
use uuid::Uuid;

use crate::{Clock, Leaving, Readiness, Reload, Tasks};

/// Who this process is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// A UUID of version 4, made at each start.
    pub id: String,
    /// Name for people. Option `node.name`.
    pub name: String,
    /// Version of the build.
    pub version: String,
}

impl Identity {
    /// An identity of its own under this name.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }
}

/// What the process gives every service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Where tasks are spawned.
    pub tasks: Tasks,
    /// Where time is read.
    pub clock: Clock,
    /// Where metrics are registered.
    pub registry: Registry,
    /// Who the process is.
    pub identity: Arc<Identity>,
    /// Whether it wants traffic.
    pub readiness: Readiness,
    /// Whether it shall go, and who is not done with that.
    pub leaving: Leaving,
    /// Whether an operator wants the configuration to be read again.
    pub reload: Reload,
}

impl Parts {
    /// Parts of a process that starts now.
    #[must_use]
    pub fn new(registry: Registry, identity: Identity) -> Self {
        let (tasks, leaving) = (Tasks::default(), Leaving::default());
        Self {
            readiness: Readiness::new(tasks.drain().clone(), leaving.clone()),
            leaving,
            clock: Clock::start(),
            reload: Reload::default(),
            registry,
            identity: Arc::new(identity),
            tasks,
        }
    }
}
