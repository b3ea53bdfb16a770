//! Holds client connections and delivers publications to them.
//!
//! | module | what |
//! |---|---|
//! | `service` | [`Gateway`]: build, run |
//! | `endpoint` | an upgrade request becomes a connection |
//! | `connection` | the driver: the only place where a session meets time and I/O |
//! | `effects` | what sessions ask for |
//! | `inlet` | what the engine delivers |
//! | `control` | what the API asks of connections |
//! | `node` | what all connections have in common |
//! | `mailbox`, `wheel`, `scratch` | what makes ten thousand of them cheap |
//! | `websocket` | our own codec |
//!
//! What a newcomer would get wrong: a connection is one task and one [`gyre_session::Session`]; nothing
//! else touches the session, and everything that wants something of it goes through the mailbox.

#![forbid(unsafe_code)]

mod admission;
mod connection;
mod connections;
mod control;
mod effects;
mod endpoint;
mod handle;
mod inlet;
pub mod mailbox;
mod metrics;
mod node;
pub mod scratch;
mod service;
pub mod websocket;
pub mod wheel;

pub use control::Commands;
pub use inlet::Delivery;
pub use service::{BuildError, Deps, Gateway};
