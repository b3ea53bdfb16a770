//! Many connections at once, all of which the backend is asked about.

use std::time::{Duration, Instant};

use gyre_config::Limit;
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::{Client, World};

/// Connections that come at once.
const CROWD: usize = 2_000;

/// Time that the backend takes for each.
const BACKEND_TIME: Duration = Duration::from_millis(50);

/// Calls that may be under way.
const IN_FLIGHT: u32 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_connects_take_what_the_limit_of_calls_allows() {
    let world = World::serve(|config| {
        let connect = &mut config.client.proxy.connect;
        connect.enabled = true;
        connect.proxy.limit.in_flight = Limit(i64::from(IN_FLIGHT));
        connect.proxy.limit.queue = CROWD;
        config.client.allow_anonymous_connect_without_token = false;
    })
    .await;
    let said = json!({"result": {"user": "u"}});
    world.backend.always("connect", said, BACKEND_TIME);
    let mut clients = Vec::new();
    for _ in 0..CROWD {
        clients.push(Client::open(world.address).await);
    }
    let begun = Instant::now();
    let mut crowd = JoinSet::new();
    for mut client in clients {
        crowd.spawn(async move {
            let reply = client.ask(json!({"connect": {}})).await;
            assert!(reply.get("connect").is_some(), "{reply}");
            client
        });
    }
    let connected = crowd.join_all().await;
    let took = begun.elapsed();
    assert_eq!(connected.len(), CROWD);
    assert_eq!(world.backend.called("connect", CROWD).await.len(), CROWD);
    let rounds = u32::try_from(CROWD).unwrap().div_ceil(IN_FLIGHT);
    let least = BACKEND_TIME * rounds;
    println!("{CROWD} connects took {took:?}, at best {least:?}");
    assert!(took >= least - BACKEND_TIME, "the limit is kept: {took:?}");
    // Coarse, for machines are noisy; one after the other it were 100 s.
    assert!(took < least * 20, "{took:?}, where {least:?} are enough");
    world.stop().await;
}
