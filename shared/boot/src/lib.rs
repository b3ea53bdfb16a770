//! How every binary of the suite starts.
//!
//! The same configuration file serves all of them: each reads what its [`Role`] needs. A binary is a
//! name, a sentence and a function that puts its services together; [`run`] does the rest: command
//! line, configuration, logs, signals, reload, drain.
//!
//! What a newcomer would get wrong: addresses are bound by [`Sites::bind`] before anything is built,
//! and served by [`Sites::run`] after everything is.

#![forbid(unsafe_code)]

mod addresses;
mod autocert;
pub mod command;
mod links;
mod paths;
mod reload;
mod serve;
mod sites;
mod store;
mod tls;

pub use addresses::{Addresses, Role};
pub use command::{Given, run};
pub use paths::{Clash, Paths};
pub use serve::{level, serve, version};
pub use sites::{Commit, Prepare, Running, Secured, Sites, check};
pub use store::open_store;
pub use tls::Unusable;
