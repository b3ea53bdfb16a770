//! The suite of the traits.

use gyre_engine::conformance::{self, Subject};

use crate::servers::{Cluster, Server};
use crate::subject::{Real, section};

async fn all(subject: &dyn Subject) {
    conformance::presence(subject).await.unwrap();
    conformance::registry(subject).await.unwrap();
    conformance::broker(subject).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn one_server_does_what_the_traits_say() {
    let server = Server::start(&[]).await;
    all(&Real::new(section(|one| {
        one.address = vec![server.address()];
    })))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: python3 tests/env/suite.py redis"]
async fn a_cluster_does_what_the_traits_say() {
    let cluster = Cluster::start().await;
    let section = section(|one| one.cluster_address = cluster.addresses());
    all(&Real::new(section)).await;
}
