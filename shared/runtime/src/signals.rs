use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Reload;

/// The signals that a process obeys.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    reload: Reload,
}

impl Signals {
    /// Listens from now on, in place of the system's defaults.
    pub(crate) fn listen(reload: Reload) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            reload,
        })
    }

    /// Ends with the next SIGTERM or SIGINT. SIGHUP asks for a reload.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a signal that came meanwhile is seen by the next call.
    pub(crate) async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => self.reload.ask(),
            }
        }
    }
}
