//! How requests reach a backend.

pub(crate) mod connector;
pub(crate) mod grpc;
pub(crate) mod headers;
pub(crate) mod http;
pub(crate) mod signature;
