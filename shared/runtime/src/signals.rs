use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a process obeys.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on, in place of the system's defaults.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Ends with the next SIGTERM or SIGINT. SIGHUP is answered with a warning.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a signal that came meanwhile is seen by the next call.
    pub(crate) async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    tracing::warn!("SIGHUP ignored: restart to read the configuration again");
                }
            }
        }
    }
}
