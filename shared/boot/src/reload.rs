//! SIGHUP: the configuration is read again, and takes effect as a whole or not at all.

use gyre_config::{Config, Reloaded, Warning};
use gyre_runtime::Parts;
use gyre_runtime::tls::{Prepared, Tls};
use gyre_telemetry::logs::Levels;
use prometheus::IntGauge;

use crate::command::{Given, load};
use crate::serve::{level, warn};
use crate::sites::Commit;
use crate::{Role, Running, links};

/// What a reload changes, and how it reads.
pub(crate) struct Reloader {
    pub(crate) given: Given,
    pub(crate) role: Role,
    pub(crate) config: Config,
    pub(crate) levels: Levels,
    pub(crate) running: Running,
    /// How often the configuration took effect: 1 at the start.
    pub(crate) version: IntGauge,
}

/// A configuration of which nothing can fail any more.
struct Ready {
    tls: Vec<Prepared>,
    commits: Vec<Commit>,
}

impl Ready {
    fn commit(self) {
        for tls in self.tls {
            tls.commit();
        }
        for commit in self.commits {
            commit();
        }
    }
}

impl Reloader {
    /// Reloads whenever the process is asked to.
    pub(crate) fn run(mut self, parts: &Parts) {
        let reload = parts.reload.clone();
        parts.tasks.spawn_background("reload", async move {
            loop {
                reload.asked().await;
                self.reload();
            }
        });
    }

    fn reload(&mut self) {
        let prepared = self.reloaded().and_then(|(reloaded, warnings)| {
            Some((self.prepare(&reloaded.config)?, reloaded, warnings))
        });
        let Some((prepared, reloaded, warnings)) = prepared else {
            tracing::error!("configuration stays as it was");
            return;
        };
        prepared.commit();
        tell(&warnings, &reloaded.waiting);
        self.levels.set(level(&reloaded.config));
        self.config = reloaded.config;
        self.version.inc();
        tracing::info!(version = self.version.get(), "configuration was read again");
    }

    /// The configuration as it would be, and what is odd about it; what is wrong goes to the log.
    fn reloaded(&self) -> Option<(Reloaded, Vec<Warning>)> {
        let reloaded = load(&self.given, false).and_then(|mut loaded| {
            links::settle(&mut loaded.config, self.role);
            let reloaded = gyre_config::reloaded(&self.config, &loaded.config)?;
            Ok((reloaded, loaded.warnings))
        });
        reloaded
            .inspect_err(|problems| {
                for problem in &problems.problems {
                    tracing::error!(%problem, "configuration cannot be used");
                }
            })
            .ok()
    }

    /// All that can fail, done and not in effect; what is wrong goes to the log.
    fn prepare(&self, config: &Config) -> Option<Ready> {
        let mut ready = Ready {
            tls: self.certificates()?,
            commits: Vec::new(),
        };
        for prepare in &self.running.prepares {
            match prepare(config) {
                Ok(commit) => ready.commits.push(commit),
                Err(error) => {
                    tracing::error!(error, "configuration cannot be used");
                    return None;
                }
            }
        }
        Some(ready)
    }

    /// The certificates of every listener; what is wrong with them goes to the log.
    fn certificates(&self) -> Option<Vec<Prepared>> {
        let prepare = |(address, tls): &(_, Tls)| {
            tls.prepare()
                .inspect_err(|error| {
                    let error = error as &dyn std::error::Error;
                    tracing::error!(%address, error, "certificates cannot be used");
                })
                .ok()
        };
        self.running.secured.iter().map(prepare).collect()
    }
}

/// Tells what is odd about the configuration, and what of it waits.
fn tell(warnings: &[Warning], waiting: &[String]) {
    warn(warnings);
    for option in waiting {
        tracing::warn!(option, "configuration: takes effect at the next start");
    }
}
