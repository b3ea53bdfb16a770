use gyre_boot::Sites;
use gyre_config::Config;
use gyre_runtime::process::Failure;

use crate::Gateway;

/// The port of gateways would let everybody in.
#[derive(Debug, thiserror::Error)]
#[error(
    "gateway.rpc would be open to everybody: set links.key, or gateway.rpc.tls with client_ca_pem"
)]
struct OpenToAll;

impl Gateway {
    /// Serves clients, and other processes if there are any; answers what the latter call, empty if
    /// there are none.
    ///
    /// # Errors
    ///
    /// The port for other processes would be open to everybody.
    pub fn mount(&self, config: &Config, sites: &mut Sites) -> Result<String, Failure> {
        if let Some(clients) = sites.at.clients {
            for intercept in self.intercepts() {
                sites.at(clients).intercept(intercept);
            }
            sites.route(clients, self.router());
        }
        let reloader = self.reloader();
        sites.on_reload(Box::new(move |config| {
            let prepared = reloader.prepare(config)?;
            Ok(Box::new(move || prepared.commit()))
        }));
        let Some(address) = sites.at.gateway_rpc else {
            return Ok(String::new());
        };
        let rpc = &config.gateway.rpc;
        let key = gyre_links::key(&config.links).map_err(Failure::bad_configuration)?;
        let asks_for_certificates = rpc.tls.enabled && !rpc.tls.client_ca_pem.is_empty();
        if key.is_none() && !asks_for_certificates {
            return Err(Failure::bad_configuration(OpenToAll));
        }
        sites.at(address).grpc(self.rpc(key));
        Ok(gyre_links::advertised(&rpc.advertise, sites.bound(address)))
    }
}
