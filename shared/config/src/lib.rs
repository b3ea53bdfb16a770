//! The whole typed option tree and its loader: JSON, YAML, TOML, environment, flags.
//!
//! Services take their sections as plain structs; they never see where a value came from. What a
//! newcomer would get wrong: an option's zero value stands for its default, as in the reference, so
//! `0` does not switch off what has a default that is not zero; −1 does.
//!
//! The crate reads files that it is told of. It does not read the environment: that is an argument.

#![forbid(unsafe_code)]

mod check;
mod flags;
mod listen;
mod load;
mod not_yet;
mod problem;
pub mod reference;
mod sections;
mod tree;
mod value;
mod values;

pub use flags::{Flag, Takes, flags};
pub use listen::{AddressError, Endpoint};
pub use load::{Loaded, Source, load};
pub use problem::{FileError, Origin, Problem, Problems, Warning};
pub use sections::api::{GrpcApi, HttpApi};
pub use sections::channel::Channel;
pub use sections::client::Client;
pub use sections::engine::Engine;
pub use sections::gateway::{Gateway, Links};
pub use sections::http_server::HttpServer;
pub use sections::log::Log;
pub use sections::observe::{Health, Prometheus};
pub use sections::process::{Drain, Node, Shutdown, UsageStats};
pub use sections::rpc::Rpc;
pub use sections::storage::Storage;
pub use sections::websocket::WebSocket;
pub use sections::{
    api, channel, client, engine, gateway, http_server, log, observe, process, rpc, storage,
    websocket,
};
pub use values::{ByteSize, Limit, Millis, Secret};

use tree::options;

options! {
    /// The whole option tree.
    pub struct Config {
        /// Where HTTP is served.
        http_server: HttpServer;
        /// What the process writes about itself.
        log: Log;
        /// Where publications, history and presence live.
        engine: Engine;
        /// Connections of clients, their limits and their tokens.
        client: Client;
        /// Channels, their namespaces and what is allowed in them.
        channel: Channel;
        /// Calls from clients to the application backend.
        rpc: Rpc;
        /// Server API over HTTP.
        http_api: HttpApi;
        /// Server API over gRPC.
        grpc_api: GrpcApi;
        /// The bidirectional WebSocket transport.
        websocket: WebSocket;
        /// Health endpoint.
        health: Health;
        /// Metrics.
        prometheus: Prometheus;
        /// This node among others.
        node: Node;
        /// The end of the process.
        shutdown: Shutdown;
        /// Paced closing of connections.
        drain: Drain;
        /// A gateway, as other processes see it.
        gateway: Gateway;
        /// How the processes of one installation find each other.
        links: Links;
        /// What survives a restart.
        storage: Storage;
        /// Reports about use. There are none.
        usage_stats: UsageStats;
        /// File that the process id is written to. Empty: none.
        pid_file: String;
        /// Says that this is no playground: insecure options are refused.
        production: bool;
    }
}
