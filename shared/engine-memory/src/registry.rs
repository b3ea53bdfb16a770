use std::collections::BTreeMap;

use gyre_engine::{BoxFuture, Error, Gateway, Registry};
use parking_lot::Mutex;

/// The gateways of this process, by id. They have no lease: they end with the process.
#[derive(Debug, Default)]
pub(crate) struct MemoryRegistry {
    gateways: Mutex<BTreeMap<String, Gateway>>,
}

impl Registry for MemoryRegistry {
    fn announce(&self, gateway: Gateway) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.gateways.lock().insert(gateway.id.clone(), gateway);
            Ok(())
        })
    }

    fn withdraw<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.gateways.lock().remove(id);
            Ok(())
        })
    }

    fn gateways(&self) -> BoxFuture<'_, Result<Vec<Gateway>, Error>> {
        Box::pin(async move { Ok(self.gateways.lock().values().cloned().collect()) })
    }
}
