//! Every code that a client may see: number, text, and what the client does about it.

use std::borrow::Cow;

use crate::messages::ErrorMessage;

/// An error that answers one command; the connection lives on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error {
    /// Number on the wire.
    pub code: u32,
    /// Text on the wire.
    pub message: Cow<'static, str>,
    /// Whether the client should try again.
    pub temporary: bool,
}

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal $text:literal $temporary:literal;)*) => {
        impl Error {
            $($(#[$doc])* pub const $name: Self = Self {
                code: $code, message: Cow::Borrowed($text), temporary: $temporary,
            };)*

            /// All errors of the protocol, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

errors! {
    /// Something of ours failed.
    INTERNAL = 100 "internal server error" true;
    /// Not used by the server itself.
    UNAUTHORIZED = 101 "unauthorized" false;
    /// The channel's namespace is not configured.
    UNKNOWN_CHANNEL = 102 "unknown channel" false;
    /// The client may not do this.
    PERMISSION_DENIED = 103 "permission denied" false;
    /// No such method.
    METHOD_NOT_FOUND = 104 "method not found" false;
    /// The connection has this subscription already.
    ALREADY_SUBSCRIBED = 105 "already subscribed" false;
    /// A limit of the connection was reached.
    LIMIT_EXCEEDED = 106 "limit exceeded" false;
    /// The command cannot be right.
    BAD_REQUEST = 107 "bad request" false;
    /// The feature is off.
    NOT_AVAILABLE = 108 "not available" false;
    /// The token is out of date; the client fetches another.
    TOKEN_EXPIRED = 109 "token expired" false;
    /// The expiry lies in the past.
    EXPIRED = 110 "expired" false;
    /// Too many of these in a short time.
    TOO_MANY_REQUESTS = 111 "too many requests" true;
    /// The position is not in the stream.
    UNRECOVERABLE_POSITION = 112 "unrecoverable position" false;
    /// Another page of the same map is on its way.
    CONCURRENT_PAGINATION = 113 "concurrent pagination" true;
}

impl Error {
    /// The error as a message.
    #[must_use]
    pub fn to_message(&self) -> ErrorMessage {
        ErrorMessage {
            code: self.code,
            message: self.message.as_ref().into(),
            temporary: self.temporary,
        }
    }
}

/// The end of a connection, with its reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Disconnect {
    /// Number on the wire.
    pub code: u32,
    /// Text on the wire; at most `limits::REASON_BYTES_MAX` bytes.
    pub reason: Cow<'static, str>,
}

/// The end of a subscription by the server, with its reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsubscribe {
    /// Number on the wire.
    pub code: u32,
    /// Text on the wire.
    pub reason: Cow<'static, str>,
}

macro_rules! ends {
    ($type:ident: $($(#[$doc:meta])* $name:ident = $code:literal $text:literal;)*) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self {
                code: $code, reason: Cow::Borrowed($text),
            };)*

            /// All of the protocol, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

ends! { Disconnect:
    /// The peer went away. Never sent.
    CONNECTION_CLOSED = 3000 "connection closed";
    /// The server stops.
    SHUTDOWN = 3001 "shutdown";
    /// Something of ours failed.
    SERVER_ERROR = 3004 "internal server error";
    /// The connection was not refreshed in time.
    EXPIRED = 3005 "connection expired";
    /// A server-side subscription was not refreshed in time.
    SUBSCRIPTION_EXPIRED = 3006 "subscription expired";
    /// The client reads slower than its channels publish.
    SLOW = 3008 "slow";
    /// Writing to the client failed.
    WRITE_ERROR = 3009 "write error";
    /// A gap in a stream: the client has to recover.
    INSUFFICIENT_STATE = 3010 "insufficient state";
    /// An operator asks for a reconnect.
    FORCE_RECONNECT = 3011 "force reconnect";
    /// A ping was not answered in time.
    NO_PONG = 3012 "no pong";
    /// Too many commands in a short time.
    TOO_MANY_REQUESTS = 3013 "too many requests";
    /// The client must drop its token and its subscriptions' state.
    STATE_INVALIDATED = 3014 "state invalidated";
    /// The token is not valid.
    INVALID_TOKEN = 3500 "invalid token";
    /// The client broke the protocol.
    BAD_REQUEST = 3501 "bad request";
    /// No connect command in time.
    STALE = 3502 "stale";
    /// The API asks for it.
    FORCE_DISCONNECT = 3503 "force disconnect";
    /// The user has too many connections.
    CONNECTION_LIMIT = 3504 "connection limit";
    /// The connection has too many server-side subscriptions.
    CHANNEL_LIMIT = 3505 "channel limit";
    /// A payload that is not JSON for a JSON client.
    INAPPROPRIATE_PROTOCOL = 3506 "inappropriate protocol";
    /// The client may not connect.
    PERMISSION_DENIED = 3507 "permission denied";
    /// The feature is off.
    NOT_AVAILABLE = 3508 "not available";
    /// Too many errors in a short time.
    TOO_MANY_ERRORS = 3509 "too many errors";
}

ends! { Unsubscribe:
    /// The API asks for it.
    SERVER = 2000 "server unsubscribe";
    /// A gap in the stream: the client resubscribes and recovers.
    INSUFFICIENT_STATE = 2500 "insufficient state";
    /// The subscription was not refreshed in time.
    EXPIRED = 2501 "subscription expired";
    /// The client must drop the subscription's token and state.
    STATE_INVALIDATED = 2502 "state invalidated";
}

impl Disconnect {
    /// Whether a client comes back after this code.
    #[must_use]
    pub const fn reconnects(&self) -> bool {
        !matches!(self.code, 3500..=3999 | 4500..=4999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_errors_are_temporary() {
        let temporary: Vec<u32> = Error::ALL
            .iter()
            .filter(|error| error.temporary)
            .map(|error| error.code)
            .collect();
        assert_eq!(temporary, [100, 111, 113]);
    }

    #[test]
    fn codes_are_sorted_and_reasons_fit_a_close_frame() {
        assert!(Disconnect::ALL.is_sorted_by_key(|end| end.code));
        assert!(Unsubscribe::ALL.is_sorted_by_key(|end| end.code));
        for end in Disconnect::ALL {
            assert!(!end.reason.is_empty());
            assert!(end.reason.len() <= gyre_types::limits::REASON_BYTES_MAX);
            assert_eq!(end.reconnects(), end.code < 3500);
        }
    }
}
