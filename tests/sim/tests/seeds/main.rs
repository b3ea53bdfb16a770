//! Sessions of two gateways, their hubs and one engine, one random step at a time.
//!
//! The bus between engine and hubs loses publications, with and without a word about it; links to
//! clients break. Minutes pass in a step. Whatever happens, a subscriber gets every publication of its
//! stream in order exactly once, or is told that it could not be caught up. `GYRE_SIM_SEED` repeats a
//! run, `GYRE_SIM_SEEDS` says how many there are.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and says which seed it was"
)]

mod client;
mod world;

use world::World;

/// Seeds of a run unless `GYRE_SIM_SEEDS` says otherwise.
const SEEDS: u64 = 100;

/// Steps of a seed.
const STEPS: usize = 1_500;

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_without_a_word() {
    let first = number_of("GYRE_SIM_SEED").unwrap_or(0);
    let count = number_of("GYRE_SIM_SEEDS").unwrap_or(SEEDS);
    let mut told = 0;
    let mut received = 0;
    for seed in first..first + count {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        let broken = world.verdict();
        assert!(broken.is_empty(), "GYRE_SIM_SEED={seed}: {broken:#?}");
        told += world.told();
        received += world.received();
    }
    println!("{count} seeds: {received} publications received, subscribers told {told} times");
    assert!(
        received > 0 && told > 0,
        "nothing happened: {received}, {told}"
    );
}
