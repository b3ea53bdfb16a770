//! The sections of the option tree.

pub mod access;
pub mod api;
pub mod channel;
pub mod client;
pub mod database;
pub mod engine;
pub mod gateway;
pub mod http_server;
pub mod log;
pub mod observe;
pub mod process;
pub mod proxy;
pub mod rpc;
pub mod storage;
pub mod tls;
pub(crate) mod transports;
pub mod user_status;
