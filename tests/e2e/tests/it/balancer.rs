//! A balancer before the gateways: SDKs know one address.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Serves until it is dropped; gives connections to the gateways in turn, to those that take them.
pub(crate) async fn start(tasks: &mut JoinSet<()>, gateways: Vec<u16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let gateways: Arc<[u16]> = gateways.into();
    tasks.spawn(async move {
        let turn = Arc::<AtomicUsize>::default();
        let mut connections = JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            connections.spawn(serve(client, Arc::clone(&gateways), Arc::clone(&turn)));
            while connections.try_join_next().is_some() {}
        }
    });
    port
}

async fn serve(mut client: TcpStream, gateways: Arc<[u16]>, turn: Arc<AtomicUsize>) {
    for _ in 0..gateways.len() {
        let port = gateways[turn.fetch_add(1, Ordering::Relaxed) % gateways.len()];
        if let Ok(mut gateway) = TcpStream::connect(("127.0.0.1", port)).await {
            // However it ends: both sides are closed.
            let _ = copy_bidirectional(&mut client, &mut gateway).await;
            return;
        }
    }
}
