//! What every process needs around its services: tasks, drain, listeners, signals.
//!
//! A process has four phases: it starts, it serves, it leaves, it drains. [`process::run`] leads it through
//! them, [`Tasks`] is the only place that spawns, and [`Listeners`] is the only place that accepts
//! connections: what is configured on the same address is served together. Nothing here knows an
//! option or a service.

#![forbid(unsafe_code)]

pub mod admin;
mod clock;
mod drain;
pub mod layers;
pub mod listen;
mod parts;
pub mod process;
mod readiness;
mod reload;
mod signals;
mod tasks;
pub mod tls;

pub use clock::Clock;
pub use drain::{Drain, Hold, Leaving};
pub use listen::{Duplex, Head, Intercept, Listeners, Responder, Site, Stream, Taken};
pub use parts::{Identity, Parts};
pub use readiness::{Health, Phase, Readiness};
pub use reload::Reload;
pub use tasks::{OnExit, Stopped, Tasks};
