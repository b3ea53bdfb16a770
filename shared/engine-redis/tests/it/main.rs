//! Against real Redis servers, which the tests start and stop themselves.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod agreement;
mod channels;
mod checker;
mod conformance;
mod costs;
mod faults;
mod leases;
mod options;
mod refusals;
mod schedules;
mod sentinels;
mod servers;
mod subject;
