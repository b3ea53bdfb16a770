//! SIGHUP: the configuration is read again, and takes effect as a whole or not at all.

use std::net::SocketAddr;

use gyre_config::document::{Listed, Variable, variables};
use gyre_config::{Config, Loaded};
use gyre_runtime::Parts;
use gyre_runtime::tls::{Prepared, Tls};
use gyre_telemetry::logs::Levels;
use prometheus::IntGauge;

use crate::Role;
use crate::command::{Given, load};
use crate::links;
use crate::serve::{level, warn};

/// What a reload changes, and how it reads.
pub(crate) struct Reloader {
    pub(crate) given: Given,
    pub(crate) role: Role,
    pub(crate) config: Config,
    pub(crate) levels: Levels,
    pub(crate) tls: Vec<(SocketAddr, Tls)>,
    /// How often the configuration took effect: 1 at the start.
    pub(crate) version: IntGauge,
}

/// Options that a running process takes on.
const LIVE: &[&str] = &["GYRE_LOG_LEVEL"];

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
        let (Some(loaded), Some(prepared)) = (self.loaded(), self.prepared()) else {
            tracing::error!("configuration stays as it was");
            return;
        };
        // From here on nothing can fail.
        for prepared in prepared {
            prepared.commit();
        }
        self.take(loaded);
    }

    /// The configuration; what is wrong with it goes to the log.
    fn loaded(&self) -> Option<Loaded> {
        let problems = match load(&self.given, false) {
            Ok(mut loaded) => {
                links::settle(&mut loaded.config, self.role);
                return Some(loaded);
            }
            Err(problems) => problems,
        };
        for problem in &problems.problems {
            tracing::error!(%problem, "configuration cannot be used");
        }
        None
    }

    /// The certificates of every listener; what is wrong with them goes to the log.
    fn prepared(&self) -> Option<Vec<Prepared>> {
        let prepare = |(address, tls): &(_, Tls)| {
            tls.prepare()
                .inspect_err(|error| {
                    let error = error as &dyn std::error::Error;
                    tracing::error!(%address, error, "certificates cannot be used");
                })
                .ok()
        };
        self.tls.iter().map(prepare).collect()
    }

    fn take(&mut self, loaded: Loaded) {
        let Loaded { config, warnings } = loaded;
        warn(&warnings);
        for option in waiting(&self.config, &config) {
            tracing::warn!(option, "configuration: takes effect at the next start");
        }
        self.levels.set(level(&config));
        self.config.log.level = config.log.level;
        self.version.inc();
        tracing::info!(version = self.version.get(), "configuration was read again");
    }
}

/// The options whose change has to wait, by the names of their variables.
fn waiting(old: &Config, new: &Config) -> Vec<String> {
    let (old, new) = (variables(old, Listed::All), variables(new, Listed::All));
    let is_live = |variable: &Variable| LIVE.contains(&variable.name.as_str());
    new.into_iter()
        .filter(|variable| !is_live(variable) && !old.contains(variable))
        .map(|variable| variable.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_to_wait_is_named_and_its_value_is_not() {
        let old = Config::default();
        let mut new = old.clone();
        new.http_api.key = gyre_config::Secret::new("letmein");
        new.log.level = gyre_config::log::Level::Debug;
        assert_eq!(waiting(&old, &new), ["GYRE_HTTP_API_KEY"]);
        assert!(waiting(&new, &new).is_empty());
    }
}
