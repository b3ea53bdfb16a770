//! Endpoints as the configuration has them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use gyre_config::streams::ConnectCodeToHttp;
use gyre_config::{
    ByteSize, ClientGrpc, Config, Millis, UniGrpc, UniWebSocket, WebSocket, WebTransport,
};
use gyre_links::Directory;
use gyre_protocol::Envelope;
use gyre_runtime::listen::path;
use gyre_types::limits::FRAME_MESSAGES_MAX;
use http::header::CONTENT_TYPE;

use crate::admission::Admission;
use crate::connection::Limits;
use crate::emulation::{self, Emulation, Routes};
use crate::endpoint::Endpoint;
use crate::grpc;
use crate::node::Node;
use crate::service::BuildError;
use crate::streams::{Endpoint as StreamEndpoint, Streams};
use crate::transport::grpc::Padding;
use crate::transport::http_stream::Framing;
use crate::transport::websocket::Ways;
use crate::websocket::{Compression, Settings};
use crate::webtransport;

/// Limit of a message where the option sets none. Unit: bytes. 4 MiB: what gRPC allows too.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Limit of a command over gRPC where the option sets none. Unit: bytes. As over the other transports.
const COMMAND_BYTES_MAX: usize = 65_536;

/// How long one write over HTTP may take. One second, as over WebSocket.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// What all endpoints have in common.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) node: Arc<Node>,
    pub(crate) admission: Arc<Admission>,
}

/// The options that both WebSocket endpoints have.
struct Sizes {
    compression: bool,
    compression_level: u32,
    compression_min: ByteSize,
    message_max: ByteSize,
    decompressed_max: ByteSize,
    write_timeout: Millis,
}

/// `websocket`.
pub(crate) fn websocket(options: &WebSocket, shared: &Shared) -> Result<Endpoint, BuildError> {
    let sizes = Sizes {
        compression: options.compression,
        compression_level: options.compression_level,
        compression_min: options.compression_min_size,
        message_max: options.message_size_limit,
        decompressed_max: options.decompressed_message_size_limit,
        write_timeout: options.write_timeout,
    };
    sizes.endpoint(&options.handler_prefix, shared)
}

/// `uni_websocket`.
pub(crate) fn uni_websocket(
    options: &UniWebSocket,
    shared: &Shared,
) -> Result<Endpoint, BuildError> {
    let sizes = Sizes {
        compression: options.compression,
        compression_level: options.compression_level,
        compression_min: options.compression_min_size,
        message_max: options.message_size_limit,
        decompressed_max: options.decompressed_message_size_limit,
        write_timeout: options.write_timeout,
    };
    let endpoint = sizes.endpoint(&options.handler_prefix, shared)?;
    Ok(Endpoint {
        frame_messages_max: if options.join_push_messages {
            FRAME_MESSAGES_MAX
        } else {
            1
        },
        ways: Ways::ToClient {
            says_close: !options.disable_closing_handshake,
        },
        tells_disconnect: !options.disable_disconnect_push,
        ..endpoint
    })
}

/// `http_stream`, `sse`, `uni_http_stream`, `uni_sse`: those that are on.
pub(crate) fn streams(config: &Config, shared: &Shared) -> Result<Streams, BuildError> {
    let (http_stream, sse) = (&config.http_stream, &config.sse);
    let (uni_http_stream, uni_sse) = (&config.uni_http_stream, &config.uni_sse);
    let rows = [
        (
            http_stream.enabled,
            &http_stream.handler_prefix,
            http_stream.max_request_body_size,
            (Framing::Lines, Envelope::Reply),
            None,
        ),
        (
            sse.enabled,
            &sse.handler_prefix,
            sse.max_request_body_size,
            (Framing::Events, Envelope::Reply),
            None,
        ),
        (
            uni_http_stream.enabled,
            &uni_http_stream.handler_prefix,
            uni_http_stream.max_request_body_size,
            (Framing::Lines, Envelope::Bare),
            transforms(&uni_http_stream.connect_code_to_http_response),
        ),
        (
            uni_sse.enabled,
            &uni_sse.handler_prefix,
            uni_sse.max_request_body_size,
            (Framing::Events, Envelope::Bare),
            transforms(&uni_sse.connect_code_to_http_response),
        ),
    ];
    let mut endpoints = Vec::new();
    for (is_on, prefix, size, (framing, envelope), on_refusal) in rows {
        if is_on {
            endpoints.push(StreamEndpoint {
                path: path::parse(prefix)?,
                framing,
                envelope,
                body_bytes_max: size.get().unwrap_or(MESSAGE_BYTES_MAX),
                on_refusal,
                has_ids: (framing, envelope) == (Framing::Events, Envelope::Bare)
                    && uni_sse.event_ids,
            });
        }
    }
    let command_bytes_max = endpoints
        .iter()
        .map(|endpoint| endpoint.body_bytes_max)
        .max();
    Ok(Streams {
        node: Arc::clone(&shared.node),
        admission: Arc::clone(&shared.admission),
        endpoints,
        limits: Limits {
            command_bytes_max: command_bytes_max.unwrap_or(MESSAGE_BYTES_MAX),
            write_timeout: WRITE_TIMEOUT,
        },
    })
}

/// `webtransport`.
pub(crate) fn webtransport(
    options: &WebTransport,
    shared: &Shared,
) -> Result<webtransport::Endpoint, BuildError> {
    Ok(webtransport::Endpoint {
        node: Arc::clone(&shared.node),
        admission: Arc::clone(&shared.admission),
        path: path::parse(&options.handler_prefix)?,
        limits: Limits {
            command_bytes_max: options
                .message_size_limit
                .get()
                .unwrap_or(MESSAGE_BYTES_MAX),
            write_timeout: WRITE_TIMEOUT,
        },
    })
}

/// `uni_grpc`.
pub(crate) fn uni_grpc(options: &UniGrpc, shared: &Shared) -> grpc::Endpoint {
    let padding = padding(options.disable_padding);
    let max = options.max_receive_message_size.get();
    grpc::Endpoint::new(
        grpc::Kind::Consume,
        padding,
        max.unwrap_or(MESSAGE_BYTES_MAX),
        shared,
    )
}

/// `client_grpc`.
pub(crate) fn client_grpc(options: &ClientGrpc, shared: &Shared) -> grpc::Endpoint {
    let padding = padding(options.disable_padding);
    let max = options.max_receive_message_size.get();
    grpc::Endpoint::new(
        grpc::Kind::Connect,
        padding,
        max.unwrap_or(COMMAND_BYTES_MAX),
        shared,
    )
}

const fn padding(is_off: bool) -> Padding {
    if is_off { Padding::Off } else { Padding::On }
}

/// What hyper serves to clients: the emulation endpoint and `init`.
pub(crate) fn router(
    config: &Config,
    shared: &Shared,
    directory: Directory,
) -> Result<Router, BuildError> {
    let mut router = Router::new();
    if config.http_stream.enabled || config.sse.enabled {
        let emulation = Emulation {
            node: Arc::clone(&shared.node),
            routes: Routes::new(directory),
            body_bytes_max: config
                .emulation
                .max_request_body_size
                .get()
                .unwrap_or(MESSAGE_BYTES_MAX),
        };
        let path = path::parse(&config.emulation.handler_prefix)?;
        router = router.merge(emulation::routes(&path, emulation));
    }
    if config.init.enabled {
        let path = path::parse(&config.init.handler_prefix)?;
        router = router.route(
            &path,
            get(async || ([(CONTENT_TYPE, "application/json")], "{}")),
        );
    }
    Ok(router)
}

impl Sizes {
    /// An endpoint that goes both ways.
    fn endpoint(&self, prefix: &str, shared: &Shared) -> Result<Endpoint, BuildError> {
        let message_bytes_max = self.message_max.get().unwrap_or(MESSAGE_BYTES_MAX);
        let inflated_bytes_max = self
            .decompressed_max
            .get()
            .unwrap_or(10 * message_bytes_max);
        let settings = Settings {
            message_bytes_max,
            inflated_bytes_max,
            // The option's range is 1 to 9.
            deflate_level: u8::try_from(self.compression_level).unwrap_or(9),
            deflate_above_bytes: self.compression_min.get().unwrap_or(0),
        };
        let (compression, command_bytes_max) = if self.compression {
            (Compression::Deflate, inflated_bytes_max)
        } else {
            (Compression::Off, message_bytes_max)
        };
        let limits = Limits {
            command_bytes_max,
            write_timeout: self.write_timeout.duration().unwrap_or(WRITE_TIMEOUT),
        };
        Ok(Endpoint {
            node: Arc::clone(&shared.node),
            admission: Arc::clone(&shared.admission),
            path: path::parse(prefix)?,
            compression,
            settings: Arc::new(settings),
            limits,
            frame_messages_max: FRAME_MESSAGES_MAX,
            ways: Ways::Both,
            tells_disconnect: false,
        })
    }
}

fn transforms(options: &ConnectCodeToHttp) -> Option<Arc<ConnectCodeToHttp>> {
    options.enabled.then(|| Arc::new(options.clone()))
}
