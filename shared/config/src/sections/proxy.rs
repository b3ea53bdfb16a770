//! `client.proxy`, `channel.proxy`, `rpc.proxy` and `proxies`: how the application backend is asked.

use super::tls::Tls;
use crate::tree::{Item, options};
use crate::values::{ByteSize, Limit, Millis, Pairs, Secret};

options! {
    /// Which backend is asked about connections.
    pub struct ClientProxies {
        /// Asked when a client connects without a token.
        connect: EventProxy;
        /// Asked when a connection expires, in place of the client.
        refresh: EventProxy;
    }
}

options! {
    /// Which backend is asked about channels, where a namespace names none of `proxies`.
    pub struct ChannelProxies {
        /// Asked when a client subscribes.
        subscribe: Proxy;
        /// Asked when a client publishes.
        publish: Proxy;
        /// Asked when a subscription expires, in place of the client.
        sub_refresh: Proxy;
        /// Asked for a stream of publications when a client subscribes. gRPC only.
        subscribe_stream: Proxy;
        /// Asked when a client writes a key of a map channel.
        map_publish: Proxy;
        /// Asked when a client removes a key of a map channel.
        map_remove: Proxy;
        /// Asked for the values of shared poll channels.
        shared_poll_refresh: Proxy;
        /// Told that a client recovers the newest publication of a channel that has none.
        cache_empty: Proxy;
        /// Told that a channel got its first subscriber or lost its last.
        state: Proxy;
    }
}

options! {
    /// A backend that may be switched on.
    pub struct EventProxy {
        /// Asks the backend.
        enabled: bool;
        flatten
        /// How it is asked.
        proxy: Proxy;
    }
}

options! {
    /// A backend that namespaces choose by its name.
    pub struct NamedProxy {
        /// Name: 2 or more of letters, digits, `-`, `_`, `.`; unique, and not `default`.
        name: String;
        flatten
        /// How it is asked.
        proxy: Proxy;
    }
}

options! {
    /// How a backend is asked.
    pub struct Proxy {
        /// Where: `http://…` and `https://…` are asked over HTTP, `grpc://host:port` and `host:port`
        /// over gRPC.
        endpoint: String;
        /// More addresses of the same backend, of the same kind as `endpoint`. Calls are spread over
        /// all of them; one that fails is left out for a while.
        endpoints: Vec<String>;
        /// Longest wait for an answer, from the first try to the last byte. Unit: duration.
        timeout: Millis = Millis::from_secs(1);
        /// Headers of the client's HTTP request that are passed on.
        http_headers: Vec<String>;
        /// Metadata of the client's gRPC call that is passed on.
        grpc_metadata: Vec<String>;
        /// Headers that the client itself sent with its connect command and that are passed on. Clients
        /// choose them freely: never list one that carries a credential of yours.
        emulated_headers: Vec<String>;
        /// Passes payloads on as base64, for those that are not JSON.
        binary_encoding: bool;
        /// Shows the backend the connection's meta.
        include_connection_meta: bool;
        /// Longest answer. Unit: bytes. Negative: no limit.
        max_response_size: ByteSize = ByteSize(4_194_304);
        /// Lets the backend have a link-local address, where clouds have the credentials of machines.
        allow_link_local: bool;
        /// Calls at the same time.
        limit: CallLimit;
        /// When a backend that fails is left alone.
        circuit_breaker: CircuitBreaker;
        /// Repeats calls that failed.
        retry: Retry;
        /// What concerns backends over HTTP.
        http: ProxyHttp;
        /// What concerns backends over gRPC.
        grpc: ProxyGrpc;
    }
}

options! {
    /// How many calls may be under way.
    pub struct CallLimit {
        /// Calls that may be under way. 0: no limit.
        in_flight: Limit;
        /// Calls that may wait for their turn; more fail at once. Waiting counts towards `timeout`.
        queue: usize;
    }
}

options! {
    /// Fails calls at once while most of those before them failed.
    pub struct CircuitBreaker {
        /// Uses the circuit breaker.
        enabled: bool;
        /// Calls that count: those of the last. Unit: duration.
        window: Millis = Millis::from_secs(10);
        /// Fewest calls in the window that say anything. Unit: calls.
        min_calls: u32 = 20;
        /// Part of them that must have failed. Unit: per cent. Range: 1 to 100.
        failure_percent: u32 = 50, 1 to 100;
        /// How long calls then fail at once, before some are let through again. Unit: duration.
        open_interval: Millis = Millis::from_secs(5);
        /// Calls that are let through then; if all of them succeed, everything is as before. Unit: calls.
        probes: u32 = 1;
    }
}

options! {
    /// Repeats of calls that got no answer, within `timeout`. Only events that change nothing are
    /// repeated: connect, refresh, subscribe, sub_refresh, shared_poll_refresh and cache_empty.
    pub struct Retry {
        /// Repeats of one call. 0: none.
        attempts: u32;
        /// Repeats for every hundred calls, over the last ten seconds. Range: 1 to 100.
        budget_percent: u32 = 20, 1 to 100;
        /// Wait before the first repeat; each further one waits twice as long. Unit: duration.
        delay: Millis = Millis(25);
    }
}

options! {
    /// What concerns backends over HTTP.
    pub struct ProxyHttp {
        /// TLS of `https://` endpoints; without it the authorities of the system count.
        tls: Tls;
        /// Headers of every request.
        static_headers: Pairs;
        /// What clients are told when the backend answers with a status other than 200.
        status_to_code_transforms: Vec<StatusTransform>;
        /// Speaks HTTP/2 to `http://` endpoints without asking.
        h2c: bool;
        /// Key that requests are signed with (HMAC-SHA256). Empty: they are not.
        signature_key: Secret;
    }
}

options! {
    /// A status, and what takes its place: an error or a disconnect.
    pub struct StatusTransform {
        /// Status of the answer. Range: 100 to 999.
        status_code: u32, 100 to 999;
        /// The error.
        to_error: TransformedError;
        /// The disconnect.
        to_disconnect: BackendDisconnect;
    }
}

options! {
    /// The error that a client gets. Of the two the one with a code counts.
    pub struct TransformedError {
        /// Code of the error. Range: 1 to 4294967295.
        code: u32;
        /// Message: ASCII, at most 123 bytes.
        message: String;
        /// Whether the client may try again.
        temporary: bool;
    }
}

options! {
    /// The disconnect that a client gets.
    pub struct BackendDisconnect {
        /// Code of the disconnect. Range: 3000 to 4999.
        code: u32, 3000 to 4999;
        /// Reason: ASCII, at most 123 bytes.
        reason: String;
    }
}

options! {
    /// What concerns backends over gRPC.
    pub struct ProxyGrpc {
        /// TLS.
        tls: Tls;
        /// Name of a metadata entry of every call. Empty: none.
        credentials_key: String;
        /// Its value.
        credentials_value: Secret;
        /// Compresses requests with gzip.
        compression: bool;
        /// Metadata of every call.
        static_metadata: Pairs;
    }
}

impl Item for StatusTransform {
    const NAMED: bool = false;
}

impl Item for NamedProxy {
    const NAMED: bool = true;
}
