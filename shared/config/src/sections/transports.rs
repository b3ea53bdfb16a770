//! How clients connect.

pub mod streams;
pub mod websocket;
