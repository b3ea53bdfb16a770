//! Which gateways live.

use std::num::NonZeroU32;
use std::time::Duration;

use super::bench::{Bench, same};
use super::{Check, cases};
use crate::Gateway;

cases![
    Nothing at_first_there_is_none,
    Nothing gateways_are_listed_by_id,
    Nothing announcing_again_replaces_the_entry,
    Nothing a_gateway_withdrawn_is_out_at_once,
    Nothing withdrawing_whoever_is_not_there_changes_nothing,
    Nothing permits_are_no_more_than_the_rate,
];

async fn at_first_there_is_none(bench: &Bench<'_>) -> Check {
    same("gateways", bench.engine.registry.gateways().await?, vec![])
}

async fn gateways_are_listed_by_id(bench: &Bench<'_>) -> Check {
    for id in ["b", "c", "a"] {
        bench.engine.registry.announce(gateway(id, "")).await?;
    }
    ids_are(bench, &["a", "b", "c"]).await
}

async fn announcing_again_replaces_the_entry(bench: &Bench<'_>) -> Check {
    bench
        .engine
        .registry
        .announce(gateway("a", "first:1"))
        .await?;
    bench
        .engine
        .registry
        .announce(gateway("a", "second:2"))
        .await?;
    same(
        "gateways",
        bench.engine.registry.gateways().await?,
        vec![gateway("a", "second:2")],
    )
}

async fn a_gateway_withdrawn_is_out_at_once(bench: &Bench<'_>) -> Check {
    for id in ["a", "b"] {
        bench.engine.registry.announce(gateway(id, "")).await?;
    }
    bench.engine.registry.withdraw("a").await?;
    ids_are(bench, &["b"]).await
}

async fn withdrawing_whoever_is_not_there_changes_nothing(bench: &Bench<'_>) -> Check {
    bench.engine.registry.announce(gateway("a", "")).await?;
    bench.engine.registry.withdraw("b").await?;
    ids_are(bench, &["a"]).await
}

/// At one a second the first is granted at once, and no second one within the case.
async fn permits_are_no_more_than_the_rate(bench: &Bench<'_>) -> Check {
    let registry = &bench.engine.registry;
    let one = NonZeroU32::MIN;
    let first = registry.permits("a", one, 3).await?;
    let second = registry.permits("a", one, 3).await?;
    let other = registry.permits("b", one, 1).await?;
    let granted = [first.granted, second.granted, other.granted];
    same("granted", granted, [1, 0, 1])?;
    let is_soon = second.wait > Duration::ZERO && second.wait <= Duration::from_secs(1);
    same("waits up to a second", is_soon, true)
}

async fn ids_are(bench: &Bench<'_>, expected: &[&str]) -> Check {
    let gateways = bench.engine.registry.gateways().await?;
    let ids: Vec<&str> = gateways.iter().map(|gateway| gateway.id.as_str()).collect();
    same("ids", ids, expected.to_vec())
}

fn gateway(id: &str, address: &str) -> Gateway {
    Gateway {
        id: id.to_owned(),
        name: format!("gateway {id}"),
        address: address.to_owned(),
    }
}
