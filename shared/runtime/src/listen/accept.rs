use std::error::Error;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::connection;
use super::site::Server;
use crate::OnExit;

/// Pause after the system could not give us a connection, out of file descriptors say.
///
/// 100 ms: connections wait in the backlog meanwhile, and the log gets ten lines a second at most.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections until the drain begins.
pub(super) async fn accept(listener: TcpListener, server: Arc<Server>) {
    let drain = server.tasks.drain().clone();
    let mut draining = pin!(drain.draining());
    loop {
        let accepted = tokio::select! {
            () = &mut draining => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                no_delay(&stream);
                let opened = connection::open(Arc::clone(&server), stream, peer);
                server.tasks.spawn("connection", OnExit::Ignore, opened);
            }
            // Theirs: it is gone before we had it.
            Err(error) if is_peers(&error) => {}
            Err(error) => {
                server.metrics.accept_errors.inc();
                tracing::warn!(
                    error = &error as &dyn Error,
                    "connection cannot be accepted"
                );
                tokio::select! {
                    () = &mut draining => return,
                    () = sleep(ERROR_PAUSE) => {}
                }
            }
        }
    }
}

/// Frames are coalesced before they are written; the kernel must not wait for more.
fn no_delay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
}

fn is_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}
