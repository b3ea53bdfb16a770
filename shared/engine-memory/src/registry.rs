use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use gyre_engine::{BoxFuture, Error, Gateway, Meter, Permits, Registry};
use gyre_types::Uptime;
use parking_lot::Mutex;

/// The gateways of this process, by id. They have no lease: they end with the process.
pub(crate) struct MemoryRegistry {
    gateways: Mutex<BTreeMap<String, Gateway>>,
    meters: Mutex<BTreeMap<String, Meter>>,
    clock: Box<dyn Fn() -> Uptime + Send + Sync>,
}

impl MemoryRegistry {
    pub(crate) fn new(clock: impl Fn() -> Uptime + Send + Sync + 'static) -> Self {
        Self {
            gateways: Mutex::default(),
            meters: Mutex::default(),
            clock: Box::new(clock),
        }
    }
}

impl fmt::Debug for MemoryRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRegistry").finish_non_exhaustive()
    }
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

    fn permits<'a>(
        &'a self,
        name: &'a str,
        per_second: NonZeroU32,
        wanted: u32,
    ) -> BoxFuture<'a, Result<Permits, Error>> {
        Box::pin(async move {
            let now_ns = (self.clock)().as_millis().saturating_mul(1_000_000);
            let mut meters = self.meters.lock();
            let meter = match meters.get_mut(name) {
                Some(meter) => meter,
                None => meters.entry(name.to_owned()).or_default(),
            };
            Ok(meter.take(now_ns, per_second, wanted))
        })
    }
}
