//! Holds client connections and delivers publications to them.
//!
//! | module | what |
//! |---|---|
//! | `service`, `mount` | [`Gateway`]: build, serve, run |
//! | `endpoint`, `streams`, `grpc`, `webtransport` | a request becomes a connection |
//! | `opening` | what a connection is made of |
//! | `outgoing` | what a session has to say, counted |
//! | `transport` | how frames travel, one file each |
//! | `emulation` | commands of clients whose transport only goes down |
//! | `connection` | the driver: the only place where a session meets time and I/O |
//! | `effects` | what sessions ask for |
//! | `inlet`, `repair` | what the engine delivers, and what it lost |
//! | `control` | what the API asks of connections |
//! | `drain` | handing connections over to other gateways |
//! | `revocation` | who is kept out |
//! | `online` | when users were there |
//! | `states` | which channels are in use |
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
mod drain;
mod effects;
mod emulation;
mod endpoint;
mod endpoints;
mod grpc;
mod handle;
mod http;
mod inlet;
mod live;
pub mod mailbox;
mod metrics;
mod mount;
mod node;
mod online;
mod opening;
mod outgoing;
mod repair;
mod revocation;
pub mod scratch;
mod service;
mod states;
mod streams;
mod transport;
pub mod websocket;
mod webtransport;
pub mod wheel;

pub use control::Commands;
pub use inlet::Delivery;
pub use live::{Prepared, Reloader};
pub use service::{BuildError, Deps, Gateway};
