use std::sync::Arc;

use axum::Router;
use gyre_boot::Sites;
use gyre_config::Config;
use gyre_policy::Policy;
use gyre_runtime::layers::{CallKind, CallTracer};
use gyre_runtime::process::Failure;
use gyre_runtime::{OnExit, Parts};

use crate::{Api, BuildError, Deps, swagger};

impl Api {
    /// Builds the API as configured and serves it at its addresses.
    ///
    /// # Errors
    ///
    /// The configuration asks for what cannot be, or something is not there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, but for the names of metrics, which stay taken.
    pub async fn mount(
        config: &Config,
        deps: Deps,
        sites: &mut Sites,
        parts: &Parts,
    ) -> Result<(), Failure> {
        let api = Self::build(&sections(config), deps)
            .await
            .map_err(failure)?;
        let is_traced = config.opentelemetry.api;
        let tracer = sites.tracer().filter(|_| is_traced).cloned();
        let at = sites.at;
        if let (Some(address), Some(routes)) = (at.http_api, api.http()) {
            sites.route(address, traced(tracer.as_ref(), routes, CallKind::Http));
        }
        if let (Some(address), Some(services)) = (at.grpc_api, api.grpc()) {
            let services = traced(tracer.as_ref(), services, CallKind::Grpc);
            sites.at(address).grpc(services);
        }
        if let Some(address) = at.swagger {
            let page = swagger(&sites.paths.swagger, &config.http_api.handler_prefix);
            sites.route(address, page);
        }
        let reloader = api.reloader();
        sites.on_reload(Box::new(move |config| {
            let policy = Policy::new(&config.channel, &config.client, &config.rpc)?;
            let prepared = reloader.prepare(&sections(config), Arc::new(policy))?;
            Ok(Box::new(move || prepared.commit()))
        }));
        api.tell_callers_of_the_drain(parts);
        Ok(())
    }

    /// Calls are answered to the last; callers that ask the health service go elsewhere before.
    fn tell_callers_of_the_drain(self, parts: &Parts) {
        let drain = parts.tasks.drain().clone();
        parts.tasks.spawn("api", OnExit::Ignore, async move {
            drain.draining().await;
            self.drain().await;
        });
    }
}

fn sections(config: &Config) -> crate::Config {
    crate::Config {
        http_api: config.http_api.clone(),
        grpc_api: config.grpc_api.clone(),
    }
}

fn traced(tracer: Option<&CallTracer>, routes: Router, kind: CallKind) -> Router {
    match tracer {
        Some(tracer) => tracer.around(routes, kind),
        None => routes,
    }
}

fn failure(error: BuildError) -> Failure {
    match error {
        BuildError::GrpcWithoutKey | BuildError::JwksWithoutEndpoint | BuildError::JwksTls(_) => {
            Failure::bad_configuration(error)
        }
        BuildError::Randomness | BuildError::Metrics(_) | BuildError::Reflection(_) => {
            Failure::failed(error)
        }
    }
}
