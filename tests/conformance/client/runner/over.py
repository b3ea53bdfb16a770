"""Cases written for WebSocket, run over another bidirectional transport.

A case that says nothing of its transport is about the protocol, and holds wherever the protocol is spoken. Left out are
cases about WebSocket itself: about its handshake, its frames, or a client that does not read.
"""

from fnmatch import fnmatch

LOCAL = {"enabled": True, "address": "127.0.0.1"}
OPTIONS = {
    "http_stream": {"http_stream": {"enabled": True}},
    "sse": {"sse": {"enabled": True}},
    "grpc": {"client_grpc": {**LOCAL, "port": "{grpc_port}"}},
    "ws-h2": {"http_server": {"external_http2_extended_connect": True}},
    "webtransport": {
        "http_server": {
            "tls": {"enabled": True, "cert_pem": "{certificate}", "key_pem": "{key}"},
            "http3": {"enabled": True},
        },
        "webtransport": {"enabled": True},
    },
}
FORMATS = {"sse": ["json"], "grpc": ["protobuf"]}

# WebSocket, whatever carries it.
WEBSOCKETS = ("websocket", "ws-h2")

# Words of a step that speak of WebSocket, or of a certain transport.
OF_A_TRANSPORT = {"transport", "path", "query", "headers", "subprotocols", "deflate", "refused", "reading", "max_queue",
                  "native_ping", "response_headers", "cf_connect"}

# Frames as bytes: on gRPC there is nothing but messages.
OF_FRAMES = {"raw", "raw_hex", "raw_repeat"}

# Cases that say nothing of a transport and are about WebSocket all the same, with the reason.
OF_WEBSOCKET = {
    "websocket/*": "named after it",
    "limits/*message-over-limit": "the limit is that of a WebSocket message",
    "limits/message-too-big": "the same",
    "limits/fragments-over-limit": "the same",
    "framing/*-in-*-frame": "only WebSocket has frames for text and for bytes",
}
UNTOLD = {
    "http_stream": {
        "connect/stale": "the request of a stream is its first command",
        "tokens-connect/expired": "without a connect reply nobody knows where to send the next command",
    },
    "sse": {
        "connect/stale": "the same",
        "tokens-connect/expired": "the same",
        "framing/empty-frame": "an empty query is refused before there is a stream",
    },
    "grpc": {
        "protobuf/binary-publication": "needs a client that speaks JSON",
        "protobuf/other-json-subscribers-live": "the same",
    },
    "ws-h2": {
        "websocket/*": "named after its handshake over HTTP/1.1",
    },
    "webtransport": {
        "framing/protobuf-huge-length": "what cannot be read closes a stream without a code",
        "framing/protobuf-empty-frame": "nothing in a stream is nothing",
        "join-leave/drop": "over UDP, who goes without a word is missed only after a while",
        "ping/first-not-early": "measures the client, whose QUIC is written in Python",
    },
}


def applies(case, transport):
    words = {word for step in case["steps"] for word in step}
    if words & OF_A_TRANSPORT or (transport == "grpc" and words & OF_FRAMES):
        return False
    patterns = [*UNTOLD[transport], *(() if transport in WEBSOCKETS else OF_WEBSOCKET)]
    return not any(fnmatch(case["id"], pattern) for pattern in patterns)
