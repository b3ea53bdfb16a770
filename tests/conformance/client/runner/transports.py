"""What a case may call a transport."""

from .connection import GRPC, SSE, HTTPStream, UniGRPC, UniHTTPStream, UniSSE, UniWebSocket, WebSocket
from .http2 import WebSocketOverHTTP2
from .http3 import WebTransport

TRANSPORTS = {
    "websocket": WebSocket,
    "http_stream": HTTPStream,
    "sse": SSE,
    "uni_websocket": UniWebSocket,
    "uni_sse": UniSSE,
    "uni_http_stream": UniHTTPStream,
    "uni_grpc": UniGRPC,
    "grpc": GRPC,
    "ws-h2": WebSocketOverHTTP2,
    "webtransport": WebTransport,
}
