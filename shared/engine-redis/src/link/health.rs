use std::sync::Arc;
use std::time::Duration;

use gyre_runtime::Health;
use tokio::time::timeout;

use super::Link;
use super::agreement::Agreement;

/// Other processes on the same Redis keep things elsewhere.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Disagreement(Arc<str>);

/// Servers that serve something.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Servers {
    /// How many are known.
    pub known: usize,
    /// How many of them cannot be reached, or take no writes.
    pub away: usize,
}

impl Link {
    /// Waits until it is known whether others agree, `connect_timeout` at most.
    pub(crate) async fn agreed(&self) -> Result<(), Disagreement> {
        let mut agreement = self.shared.agreement.clone();
        let known = agreement.wait_for(|found| *found != Agreement::Unknown);
        let longest = self.options().connect_timeout + Duration::from_millis(100);
        // In vain if no server answers.
        let _ = timeout(longest, known).await;
        self.agrees()
    }

    /// Whether nobody has said anything against this process.
    pub(crate) fn agrees(&self) -> Result<(), Disagreement> {
        match self.disagreement() {
            Some(reason) => Err(Disagreement(reason)),
            None => Ok(()),
        }
    }

    /// What others have said against this process.
    pub(super) fn disagreement(&self) -> Option<Arc<str>> {
        match &*self.shared.agreement.borrow() {
            Agreement::Failed(reason) => Some(Arc::clone(reason)),
            Agreement::Unknown | Agreement::Reached => None,
        }
    }

    pub(crate) fn health(&self) -> Health {
        if self.disagreement().is_some() {
            let reason = "other processes on the same redis have other settings";
            return Health::Failed(reason.to_owned());
        }
        match self.servers() {
            Servers { known: 0, .. } => Health::Failed("redis was not reached yet".to_owned()),
            Servers { away: 0, .. } => Health::Good,
            Servers { known, away } if away == known => {
                Health::Failed("redis cannot be reached".to_owned())
            }
            Servers { known, away } => {
                Health::Degraded(format!("{away} of {known} redis servers cannot be reached"))
            }
        }
    }

    pub(crate) fn servers(&self) -> Servers {
        let table = Arc::clone(&self.shared.table.borrow());
        let nodes = table.nodes();
        Servers {
            known: nodes.len(),
            away: nodes.values().filter(|node| node.is_away()).count(),
        }
    }
}
