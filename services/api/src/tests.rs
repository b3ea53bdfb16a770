//! The API in one process: over HTTP and over gRPC, on a fake engine and a fake gateway.

mod broken;
mod doors;
mod fake;
mod golden;
mod modes;
mod world;
