//! The server API over gRPC and HTTP from one set of methods.
//!
//! What an application's backend asks of the suite. A call goes through three hands: `http` or `grpc`
//! translates it, a file of `methods/` decides it, the engine or a gateway does it. Neither transport
//! knows a method by name: both are derived from the table in `methods.rs`.
//!
//! What a newcomer would get wrong: an error of a method is a *successful* answer with an `error`
//! field, unless the error mode `transport` is on; and the API bypasses every permission of clients.

#![forbid(unsafe_code)]

mod bearer;
mod error;
mod gateways;
mod grpc;
mod http;
mod keys;
mod live;
mod methods;
mod metrics;
mod mode;
mod mount;
mod service;
mod swagger;

#[cfg(test)]
mod tests;

pub use live::{Prepared, Reloader};
pub use service::{Api, BuildError, Config, Deps};
pub use swagger::swagger;
