//! Ways between processes are cut.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::faults::{Fault, Loss, one_by_one};
use crate::http;
use crate::network::{self, Network};
use crate::servers::{Server, until};
use crate::world::{Redis, World};

/// Tests that run in a network of their own, under their own names.
macro_rules! in_a_network {
    ($($name:ident: $scenario:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs Redis: python3 tests/env/suite.py e2e"]
            async fn $name() {
                if network::enter(concat!("partitions::", stringify!($name))) == Network::Own {
                    $scenario.await;
                }
            }
        )*
    };
}

in_a_network! {
    a_primary_is_cut_off: on_a_cluster(Fault::Lose(Loss::Part));
    a_primary_is_cut_off_from_its_peers_only: on_a_cluster(Fault::Lose(Loss::PartFromPeers));
    a_gateway_is_cut_off_from_redis: on_a_cluster(Fault::PartGateway);
    an_api_is_cut_off_from_redis: on_a_cluster(Fault::PartApi);
    a_gateway_is_cut_off_from_the_apis: commands_say_who_did_not_answer();
}

async fn on_a_cluster(fault: Fault) {
    one_by_one(Redis::Cluster(network::cluster().await), &[fault]).await;
}

/// A command that cannot reach a gateway says so, in its time; publications take another way.
async fn commands_say_who_did_not_answer() {
    let world = World::start(Redis::One(Server::start(&[]).await)).await;
    let nobody = json!({"user": "nobody"});
    let disconnect = || http::call(world.apis[0].port, "disconnect", &nobody);
    assert_eq!(disconnect().await.unwrap(), json!({"result": {}}));
    network::close(world.gateways[0].rpc_port);
    let begun = Instant::now();
    let answer = disconnect().await.unwrap();
    println!("it took {:?} to say {answer}", begun.elapsed());
    assert_eq!(answer["error"]["unanswered"], json!(["g0"]), "{answer}");
    world.go_on(Duration::from_secs(1)).await;
    network::heal();
    until("commands reach it again", || async {
        disconnect()
            .await
            .is_ok_and(|answer| answer == json!({"result": {}}))
    })
    .await;
    world.end("a gateway is cut off from the APIs").await;
}
