use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use axum::Router;
use gyre_config::{Config, host_and_port};
use gyre_runtime::layers::{CallTracer, RequestCounter};
use gyre_runtime::process::Failure;
use gyre_runtime::tls::Tls;
use gyre_runtime::{Listeners, Parts, Site, admin};
use gyre_telemetry::{Traces, VERSION};

use crate::addresses::{Addresses, Role};
use crate::autocert::Autocert;
use crate::paths::{self, Paths};
use crate::tls;

/// The TLS of each address that has any.
pub type Secured = Vec<(SocketAddr, Tls)>;

/// Looks at another configuration: all that can fail, and then what puts it into effect.
pub type Prepare = Box<dyn Fn(&Config) -> Result<Commit, Box<dyn Error>> + Send>;

/// Puts a configuration into effect that was looked at.
pub type Commit = Box<dyn FnOnce()>;

/// What runs, as a reload needs it.
pub struct Running {
    pub(crate) secured: Secured,
    pub(crate) prepares: Vec<Prepare>,
}

/// What is wrong with where a configuration wants its endpoints; files are read, nothing is bound.
#[must_use]
pub fn check(config: &Config) -> Vec<String> {
    let paths = paths::check(config).err().map(|clash| clash.to_string());
    let tls = match Addresses::of(config, Role::Everything) {
        Ok(at) => tls::of(config, &at, None)
            .err()
            .map(|unusable| unusable.to_string()),
        Err(error) => Some(error.to_string()),
    };
    [paths, tls].into_iter().flatten().collect()
}

/// Where an authority looks for proof by HTTP, if it is to.
fn proof_address(config: &Config) -> Result<Option<SocketAddr>, Failure> {
    let options = &config.http_server.tls_autocert;
    if !options.enabled || !options.http {
        return Ok(None);
    }
    let address = host_and_port(&options.http_addr).map_err(Failure::bad_configuration)?;
    Ok(Some(address))
}

/// The listeners of a process, bound and not serving.
pub struct Sites {
    /// Where each endpoint is.
    pub at: Addresses,
    /// The paths of those that have one of their own.
    pub paths: Paths,
    listeners: Listeners,
    tls: BTreeMap<SocketAddr, Tls>,
    autocert: Option<Autocert>,
    counter: Option<RequestCounter>,
    tracer: Option<CallTracer>,
    prepares: Vec<Prepare>,
}

impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sites")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

impl Sites {
    /// Looks at everything that says where something is served, and binds it.
    ///
    /// # Errors
    ///
    /// The configuration asks for what cannot be, or an address is taken.
    pub fn bind(config: &Config, role: Role, parts: &Parts) -> Result<Self, Failure> {
        let paths = paths::check(config).map_err(Failure::bad_configuration)?;
        let at = Addresses::of(config, role).map_err(Failure::bad_configuration)?;
        let autocert = tls::automatic(config).map_err(Failure::bad_configuration)?;
        let automatic = autocert.as_ref().map(|autocert| &autocert.tls);
        let tls = tls::of(config, &at, automatic).map_err(Failure::bad_configuration)?;
        let proof = proof_address(config)?;
        let addresses = at.all().chain(proof);
        let mut listeners = Listeners::bind(addresses, &parts.registry).map_err(Failure::failed)?;
        if let (Some(address), Some(autocert)) = (proof, &autocert) {
            listeners.at(address).route(autocert.routes());
        }
        parts
            .registry
            .add_process(VERSION)
            .map_err(Failure::failed)?;
        let counter = RequestCounter::new(&parts.registry).map_err(Failure::failed)?;
        let is_counted = config.prometheus.instrument_http_handlers;
        Ok(Self {
            at,
            paths,
            listeners,
            tls,
            autocert,
            counter: is_counted.then_some(counter),
            tracer: tracer(config, parts)?,
            prepares: Vec::new(),
        })
    }

    /// What is served at an address.
    pub fn at(&mut self, address: SocketAddr) -> &mut Site {
        self.listeners.at(address)
    }

    /// The TLS of an address, if it has any.
    #[must_use]
    pub fn tls(&self, address: SocketAddr) -> Option<&Tls> {
        self.tls.get(&address)
    }

    /// The address as bound: port 0 is a number there.
    #[must_use]
    pub fn bound(&self, address: SocketAddr) -> SocketAddr {
        let mut all = self.listeners.addresses();
        let found = all.find(|(given, _)| *given == address);
        found.map_or(address, |(_, bound)| bound)
    }

    /// Serves routes over HTTP, and counts their requests if somebody wants to know.
    pub fn route(&mut self, address: SocketAddr, routes: Router) {
        let routes = match &self.counter {
            Some(counter) => counter.around(routes),
            None => routes,
        };
        self.listeners.at(address).route(routes);
    }

    /// What sends spans, if anything is traced.
    #[must_use]
    pub const fn tracer(&self) -> Option<&CallTracer> {
        self.tracer.as_ref()
    }

    /// Where spans go, if anything is traced.
    #[must_use]
    pub fn traces(&self) -> Option<Traces> {
        self.tracer.as_ref().map(CallTracer::traces)
    }

    /// Has a part take on another configuration when the process reads it again.
    ///
    /// All parts prepare before the first commits, so that a reload is whole or not at all.
    pub fn on_reload(&mut self, prepare: Prepare) {
        self.prepares.push(prepare);
    }

    /// Serves what operators ask: health, readiness, metrics.
    pub fn serve_operators(&mut self, parts: &Parts) {
        let (at, paths) = (self.at, self.paths.clone());
        if let Some(address) = at.health {
            self.route(address, admin::health(&paths.health, parts));
        }
        if let Some(address) = at.prometheus {
            self.route(address, admin::prometheus(&paths.prometheus, parts));
        }
    }

    /// Begins to serve, with TLS where it is wanted; ends with the drain.
    ///
    /// # Errors
    ///
    /// A socket cannot be used.
    pub fn run(mut self, parts: &Parts) -> Result<Running, Failure> {
        let served: Vec<SocketAddr> = self.listeners.addresses().map(|(at, _)| at).collect();
        self.tls.retain(|address, _| served.contains(address));
        for (address, tls) in &self.tls {
            tls.watch(parts);
            self.listeners.at(*address).tls(tls.clone());
        }
        self.listeners.run(parts).map_err(Failure::failed)?;
        if let Some(autocert) = self.autocert {
            autocert.run(parts);
        }
        Ok(Running {
            secured: self.tls.into_iter().collect(),
            prepares: self.prepares,
        })
    }
}

fn tracer(config: &Config, parts: &Parts) -> Result<Option<CallTracer>, Failure> {
    if !config.opentelemetry.enabled {
        return Ok(None);
    }
    let traces = Traces::open(&parts.identity.id, VERSION).map_err(Failure::bad_configuration)?;
    Ok(Some(CallTracer::new(traces, parts)))
}
