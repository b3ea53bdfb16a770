//! The whole suite in one process, and its command line.
//!
//! Composition only: each service is a library that is built here and served on the addresses of
//! the configuration. The same libraries make the separate processes.

#![forbid(unsafe_code)]

pub mod cli;
mod commands;
mod compose;
