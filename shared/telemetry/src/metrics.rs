//! The registry of one process, and the list of what is in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    PullingGauge, TextEncoder,
};

/// Content type of [`Registry::encode`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Why a metric could not be made or shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The prefix is not one that a metric name may begin with.
    #[error(
        "prometheus.namespace {0:?} may have ASCII letters, digits and underscores, and no digit first"
    )]
    Namespace(String),
    /// A name was given twice, or is malformed.
    #[error("metric {name} cannot be registered")]
    Register {
        /// Full name of the metric.
        name: String,
        /// What the library said.
        source: prometheus::Error,
    },
    /// The current values cannot be written as text.
    #[error("metrics cannot be encoded")]
    Encode(#[source] prometheus::Error),
}

/// What a metric counts, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Description {
    /// Full name, prefix included.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it means.
    pub help: String,
    /// Names of its labels, in the order in which they are given.
    pub labels: Vec<String>,
}

/// Type of a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        })
    }
}

/// Every metric of this process. Cheap to clone.
///
/// Handles are taken from it at start and kept: a look-up by label has no place on a hot path. Names
/// are given without the prefix, which is joined with an underscore.
#[derive(Clone, Debug)]
pub struct Registry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    namespace: String,
    registry: prometheus::Registry,
    inventory: Mutex<BTreeMap<String, Description>>,
}

impl Registry {
    /// An empty registry with this prefix; none if it is empty. Option `prometheus.namespace`.
    ///
    /// # Errors
    ///
    /// [`Error::Namespace`].
    pub fn new(namespace: &str) -> Result<Self, Error> {
        let is_valid = namespace
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_valid || namespace.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(Error::Namespace(namespace.to_owned()));
        }
        Ok(Self {
            shared: Arc::new(Shared {
                namespace: namespace.to_owned(),
                registry: prometheus::Registry::new(),
                inventory: Mutex::default(),
            }),
        })
    }

    /// A counter without labels.
    ///
    /// # Errors
    ///
    /// [`Error::Register`].
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        let made = IntCounter::with_opts(self.opts(name, help));
        self.add(Kind::Counter, name, help, &[], made)
    }

    /// A counter with labels.
    ///
    /// # Errors
    ///
    /// [`Error::Register`].
    pub fn counter_by(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, Error> {
        let made = IntCounterVec::new(self.opts(name, help), labels);
        self.add(Kind::Counter, name, help, labels, made)
    }

    /// A gauge without labels.
    ///
    /// # Errors
    ///
    /// [`Error::Register`].
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        let made = IntGauge::with_opts(self.opts(name, help));
        self.add(Kind::Gauge, name, help, &[], made)
    }

    /// A gauge with labels.
    ///
    /// # Errors
    ///
    /// [`Error::Register`].
    pub fn gauge_by(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        let made = IntGaugeVec::new(self.opts(name, help), labels);
        self.add(Kind::Gauge, name, help, labels, made)
    }

    /// A gauge that is read when somebody asks: `read` must be quick and must not block.
    ///
    /// # Errors
    ///
    /// [`Error::Register`].
    pub fn gauge_from<F>(&self, name: &str, help: &str, read: F) -> Result<(), Error>
    where
        F: Fn() -> f64 + Send + Sync + 'static,
    {
        let made = PullingGauge::new(self.full_name(name), help, Box::new(read));
        self.add(Kind::Gauge, name, help, &[], made).map(drop)
    }

    /// A histogram without labels; `buckets` are upper bounds in the metric's unit.
    ///
    /// # Errors
    ///
    /// [`Error::Register`].
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, Error> {
        let made = Histogram::with_opts(self.histogram_opts(name, help, buckets));
        self.add(Kind::Histogram, name, help, &[], made)
    }

    /// A histogram with labels; `buckets` are upper bounds in the metric's unit.
    ///
    /// # Errors
    ///
    /// [`Error::Register`].
    pub fn histogram_by(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, Error> {
        let made = HistogramVec::new(self.histogram_opts(name, help, buckets), labels);
        self.add(Kind::Histogram, name, help, labels, made)
    }

    /// Adds `node_build`, and what the system knows of this process (`process_…`, without prefix).
    ///
    /// # Errors
    ///
    /// [`Error::Register`] on a second call.
    pub fn add_process(&self, version: &str) -> Result<(), Error> {
        let build = self.gauge_by(
            "node_build",
            "Always 1; the label tells the build.",
            &["version"],
        )?;
        build.with_label_values(&[version]).set(1);
        #[cfg(target_os = "linux")]
        self.add_system()?;
        Ok(())
    }

    /// Everything that was made here, by name.
    #[must_use]
    pub fn describe(&self) -> Vec<Description> {
        self.shared.inventory.lock().values().cloned().collect()
    }

    /// The current values in the text format of Prometheus, of type [`CONTENT_TYPE`].
    ///
    /// # Errors
    ///
    /// [`Error::Encode`].
    pub fn encode(&self) -> Result<String, Error> {
        let families = self.shared.registry.gather();
        TextEncoder::new()
            .encode_to_string(&families)
            .map_err(Error::Encode)
    }

    #[cfg(target_os = "linux")]
    fn add_system(&self) -> Result<(), Error> {
        let system = prometheus::process_collector::ProcessCollector::for_self();
        let described = system.desc().into_iter().map(|desc| Description {
            kind: match desc.fq_name.ends_with("_total") {
                true => Kind::Counter,
                false => Kind::Gauge,
            },
            name: desc.fq_name.clone(),
            help: desc.help.clone(),
            labels: Vec::new(),
        });
        let described: Vec<_> = described.collect();
        let registered = self.shared.registry.register(Box::new(system));
        registered.map_err(|source| Error::Register {
            name: "process".to_owned(),
            source,
        })?;
        let mut inventory = self.shared.inventory.lock();
        inventory.extend(described.into_iter().map(|one| (one.name.clone(), one)));
        Ok(())
    }

    fn add<C>(
        &self,
        kind: Kind,
        name: &str,
        help: &str,
        labels: &[&str],
        made: prometheus::Result<C>,
    ) -> Result<C, Error>
    where
        C: Collector + Clone + 'static,
    {
        let name = self.full_name(name);
        let registered = made.and_then(|metric| {
            let registered = self.shared.registry.register(Box::new(metric.clone()));
            registered.map(|()| metric)
        });
        let metric = registered.map_err(|source| Error::Register {
            name: name.clone(),
            source,
        })?;
        let description = Description {
            name: name.clone(),
            kind,
            help: help.to_owned(),
            labels: labels.iter().map(ToString::to_string).collect(),
        };
        self.shared.inventory.lock().insert(name, description);
        Ok(metric)
    }

    fn full_name(&self, name: &str) -> String {
        match self.shared.namespace.as_str() {
            "" => name.to_owned(),
            namespace => format!("{namespace}_{name}"),
        }
    }

    fn opts(&self, name: &str, help: &str) -> Opts {
        Opts::new(self.full_name(name), help)
    }

    fn histogram_opts(&self, name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
        HistogramOpts::new(self.full_name(name), help).buckets(buckets.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_prefix_and_nothing_else() {
        let registry = Registry::new("gyre").unwrap();
        let errors = registry
            .counter_by("client_num_reply_errors", "Errors.", &["method", "code"])
            .unwrap();
        errors.with_label_values(&["publish", "103"]).inc();
        registry
            .gauge_from("node_num_clients", "Clients.", || 7.0)
            .unwrap();

        let text = registry.encode().unwrap();
        assert!(
            text.contains("gyre_client_num_reply_errors{code=\"103\",method=\"publish\"} 1"),
            "{text}"
        );
        assert!(text.contains("# TYPE gyre_node_num_clients gauge\ngyre_node_num_clients 7"));
    }

    #[test]
    fn the_inventory_tells_what_there_is() {
        let registry = Registry::new("").unwrap();
        registry.histogram("b_seconds", "B.", &[0.1, 1.0]).unwrap();
        registry.counter_by("a_count", "A.", &["op"]).unwrap();
        let described = registry.describe();
        let names: Vec<_> = described.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["a_count", "b_seconds"]);
        assert_eq!(described[0].labels, ["op"]);
        assert_eq!(described[1].kind, Kind::Histogram);
    }

    #[test]
    fn a_second_metric_of_that_name_is_refused() {
        let registry = Registry::new("gyre").unwrap();
        registry.counter("x_total", "X.").unwrap();
        let error = registry.counter("x_total", "X.").unwrap_err();
        assert_eq!(
            error.to_string(),
            "metric gyre_x_total cannot be registered"
        );
    }

    #[test]
    fn a_prefix_is_checked() {
        assert!(Registry::new("centrifugo").is_ok());
        assert!(Registry::new("9lives").is_err());
        assert!(Registry::new("a-b").is_err());
    }

    #[test]
    fn the_process_tells_about_itself() {
        let registry = Registry::new("gyre").unwrap();
        registry.add_process("0.1.0").unwrap();
        let text = registry.encode().unwrap();
        assert!(
            text.contains("gyre_node_build{version=\"0.1.0\"} 1"),
            "{text}"
        );
        let described = registry.describe();
        let exported = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        for name in exported.filter_map(|line| line.split(' ').next()) {
            assert!(described.iter().any(|one| one.name == name), "{name}");
        }
    }
}
