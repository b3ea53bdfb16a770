use std::future::pending;

use std::sync::Arc;

use gyre_config::Config;
use gyre_engine::ChannelOutbox;
use gyre_runtime::Parts;
use gyre_runtime::process::Failure;
use gyre_store::{Access, OpenError, OpenRedis};

/// Opens the tables of who is kept out and of what became of channels; what writes the former works to
/// the last call.
///
/// # Errors
///
/// The configuration asks for what cannot be, or the database does not answer.
///
/// # Cancel safety
///
/// Cancel safe.
pub async fn open_store(
    config: &Config,
    parts: &Parts,
    redis: OpenRedis<'_>,
) -> Result<(Access, Arc<dyn ChannelOutbox>), Failure> {
    let store = gyre_store::open(config, &parts.clock, redis)
        .await
        .map_err(|error| match error {
            OpenError::NoDatabase(_) | OpenError::Redis { .. } => Failure::bad_configuration(error),
            OpenError::Sqlite(_) | OpenError::Postgres(_) | OpenError::Load(_) => {
                Failure::failed(error)
            }
        })?;
    for keeper in store.keepers {
        // Without anybody who writes it is done at once, which is no reason for the process to go.
        parts.tasks.spawn_background("store", async move {
            keeper.run().await;
            pending::<()>().await;
        });
    }
    Ok((store.access, store.channels))
}
