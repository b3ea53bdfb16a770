//! The API in one process: over HTTP and over gRPC, on a fake engine and a fake gateway.

mod access;
mod broken;
mod calls;
mod doors;
mod fake;
mod fuzz;
mod golden;
mod modes;
mod openapi;
mod swagger;
mod world;
