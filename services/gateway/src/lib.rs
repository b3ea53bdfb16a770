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
//! | `inlet` | what the engine delivers |
//! | `control` | what the API asks of connections |
//! | `revocation` | who is kept out |
//! | `online` | when users were there |
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
mod emulation;
mod endpoint;
mod endpoints;
mod grpc;
mod handle;
mod http;
mod inlet;
pub mod mailbox;
mod metrics;
mod mount;
mod node;
mod online;
mod opening;
mod outgoing;
mod revocation;
pub mod scratch;
mod service;
mod streams;
mod transport;
pub mod websocket;
mod webtransport;
pub mod wheel;

pub use control::Commands;
pub use inlet::Delivery;
pub use service::{BuildError, Deps, Gateway};
