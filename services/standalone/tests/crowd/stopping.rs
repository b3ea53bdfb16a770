//! The end of a server that many are connected to.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::member::{Buffers, End, Member};
use crate::{Outcome, TURN, part, start};

const CLIENTS: usize = 1_000;

/// From the signal to the end of the process.
const EXIT_MAX: Duration = Duration::from_secs(2);

#[test]
fn sigterm_ends_a_thousand_connections_with_3001_within_two_seconds() -> Outcome {
    let _turn = TURN.lock();
    let mut server = start()?;
    let runtime = Runtime::new()?;
    let clients = part(&runtime, open(server.port))??;

    let signalled = Instant::now();
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(0), "everything ended by itself");
    let took = signalled.elapsed();
    assert!(took < EXIT_MAX, "{took:?}");
    println!("{CLIENTS} connections closed, process gone after {took:?}");

    let ends = part(&runtime, clients.join_all())?;
    assert_eq!(ends, [End::Closed(3001); CLIENTS]);
    Ok(())
}

/// Opens clients that read until they are told to go: every other one has sent its connect command.
async fn open(port: u16) -> std::io::Result<JoinSet<End>> {
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let client = if n % 2 == 0 {
            Member::connected(port, Buffers::Usual).await?
        } else {
            Member::open(port, Buffers::Usual).await?
        };
        clients.spawn(client.ended());
    }
    Ok(clients)
}
