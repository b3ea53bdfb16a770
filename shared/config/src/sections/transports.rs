//! How clients connect.

pub(crate) mod grpc;
pub mod streams;
pub mod websocket;
