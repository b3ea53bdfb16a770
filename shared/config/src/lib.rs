//! The whole typed option tree and its loader: JSON, YAML, TOML, environment, flags.
//!
//! Services take their sections as plain structs; they never see where a value came from. What a
//! newcomer would get wrong: an option's zero value stands for its default, as in the reference, so
//! `0` does not switch off what has a default that is not zero; −1 does.
//!
//! The crate reads files that it is told of. It does not read the environment: that is an argument.

#![forbid(unsafe_code)]

mod check;
pub mod document;
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
pub use listen::{AddressError, Endpoint, host_and_port};
pub use load::{Loaded, Reloaded, Source, load, reloaded};
pub use problem::{FileError, Origin, Problem, Problems, Warning};
pub use sections::access::{TokenRevoke, UserBlock, UserTokensInvalidate};
pub use sections::api::{GrpcApi, HttpApi};
pub use sections::channel::Channel;
pub use sections::client::Client;
pub use sections::database::Database;
pub use sections::engine::Engine;
pub use sections::gateway::{Gateway, Links};
pub use sections::http_server::{HttpServer, TlsAutocert};
pub use sections::log::Log;
pub use sections::observe::{Health, OpenTelemetry, Prometheus, Swagger};
pub use sections::process::{Drain, Node, Shutdown, UsageStats};
pub use sections::proxy::{NamedProxy, Proxy};
pub use sections::rpc::Rpc;
pub use sections::storage::Storage;
pub use sections::transports::grpc::{ClientGrpc, UniGrpc};
pub use sections::transports::streams::{
    Emulation, HttpStream, Init, Sse, UniHttpStream, UniSse, UniWebSocket, WebTransport,
};
pub use sections::transports::websocket::WebSocket;
pub use sections::transports::{streams, websocket};
pub use sections::user_status::UserStatus;
pub use sections::{
    access, api, channel, client, database, engine, gateway, http_server, log, observe, process,
    proxy, rpc, storage, tls, user_status,
};
pub use values::{ByteSize, Limit, Millis, Pairs, Secret, Shape};

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
        /// Backends that namespaces choose by their names.
        proxies: Vec<NamedProxy>;
        /// Server API over HTTP.
        http_api: HttpApi;
        /// Server API over gRPC.
        grpc_api: GrpcApi;
        /// The bidirectional WebSocket transport.
        websocket: WebSocket;
        /// HTTP streaming.
        http_stream: HttpStream;
        /// Server-sent events.
        sse: Sse;
        /// Where clients of HTTP streaming and server-sent events send their commands.
        emulation: Emulation;
        /// Unidirectional WebSocket.
        uni_websocket: UniWebSocket;
        /// Unidirectional server-sent events.
        uni_sse: UniSse;
        /// Unidirectional HTTP streaming.
        uni_http_stream: UniHttpStream;
        /// WebTransport.
        webtransport: WebTransport;
        /// Unidirectional gRPC stream.
        uni_grpc: UniGrpc;
        /// Bidirectional gRPC stream.
        client_grpc: ClientGrpc;
        /// An endpoint that warms connections up.
        init: Init;
        /// Health endpoint.
        health: Health;
        /// Metrics.
        prometheus: Prometheus;
        /// Traces.
        opentelemetry: OpenTelemetry;
        /// A page to try the server API.
        swagger: Swagger;
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
        /// The database that several processes share.
        database: Database;
        /// Where the server API's list of blocked users is kept.
        user_block: UserBlock;
        /// Where the server API's list of revoked tokens is kept.
        token_revoke: TokenRevoke;
        /// Where it is kept whose older tokens the server API has made void.
        user_tokens_invalidate: UserTokensInvalidate;
        /// What the server API is told and tells about the activity of users.
        user_status: UserStatus;
        /// Reports about use. There are none.
        usage_stats: UsageStats;
        /// File that the process id is written to. Empty: none.
        pid_file: String;
        /// Says that this is no playground: insecure options are refused.
        production: bool;
    }
}
