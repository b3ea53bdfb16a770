//! How services call each other.
//!
//! A [`Link`] is the way to one service, in this process ([`local`]) or across the network
//! ([`remote`]). Generated clients take it as their transport, so a caller looks the same in the
//! binary that holds everything, in a deployment of many, and in a test; the encoding is the real one
//! in all three. Whose fault an error is becomes a gRPC code or an HTTP status in one table
//! ([`grpc_code`], [`http_status`], [`kind`]).
//!
//! What a newcomer would get wrong: a link has no deadline of its own until [`with_deadline`] gave it
//! one, and shows no key until [`with_key`] gave it one.

#![forbid(unsafe_code)]

mod again;
mod deadline;
mod fault;
mod key;
mod link;
mod remote;
mod secret;

pub use again::repeated;
pub use deadline::{time_allowed, with_deadline};
pub use fault::{grpc_code, http_status, kind};
pub use key::{KeyError, LinkKey, Locked, with_key};
pub use link::{Link, LinkError, local};
pub use remote::{BadAddress, RemoteTls, host_and_port, remote};
pub use secret::{NoRandomness, SecretTag};
