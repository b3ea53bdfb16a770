use gyre_boot::Sites;
use gyre_config::Config;
use gyre_runtime::listen;
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
    pub fn mount(&mut self, config: &Config, sites: &mut Sites) -> Result<String, Failure> {
        self.mount_clients(config, sites);
        self.mount_webtransport(config, sites)?;
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

    fn mount_clients(&self, config: &Config, sites: &mut Sites) {
        if let Some(clients) = sites.at.clients {
            for intercept in self.intercepts() {
                sites.at(clients).intercept(intercept);
            }
            if config.http_server.external_http2_extended_connect {
                sites.at(clients).tunnels();
            }
            sites.route(clients, self.router());
        }
        if let Some(address) = sites.at.uni_grpc {
            let stream = self.uni_grpc(&config.uni_grpc);
            sites.at(address).intercept(stream);
        }
        if let Some(address) = sites.at.client_grpc {
            let stream = self.client_grpc(&config.client_grpc);
            sites.at(address).intercept(stream);
        }
    }

    fn mount_webtransport(&mut self, config: &Config, sites: &Sites) -> Result<(), Failure> {
        let (Some(clients), true) = (sites.at.clients, config.webtransport.enabled) else {
            return Ok(());
        };
        // The configuration was checked: there is TLS, and HTTP/3.
        let Some(tls) = sites.tls(clients).cloned() else {
            return Ok(());
        };
        let socket = listen::bind_udp(sites.bound(clients)).map_err(Failure::failed)?;
        self.listen_webtransport(&config.webtransport, socket, tls)
    }
}
