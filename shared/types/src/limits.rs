//! Every limit that is not an option, with its unit and its reason.

use std::time::Duration;

/// Messages that are joined into one transport frame. Unit: messages.
///
/// 16, as the reference, which its SDKs and our conformance cases know.
pub const FRAME_MESSAGES_MAX: usize = 16;

/// Deliveries that one turn of a connection takes from its mailbox. Unit: deliveries.
///
/// 64: a few frames' worth, so that a busy channel does not keep a connection from reading.
pub const TURN_DELIVERIES_MAX: usize = 64;

/// Commands that one turn of a connection takes. Unit: commands.
///
/// 16: a frame may hold thousands, and each may be a publication to thousands; in between, the other
/// connections of the thread have their turn.
pub const TURN_COMMANDS_MAX: usize = 16;

/// Longest wait of an unsubscribe for the subscribe before it. Source: client protocol, 3.2.4.
pub const UNSUBSCRIBE_WAIT: Duration = Duration::from_secs(5);

/// Longest wait for the peer's close frame after ours. Source: client protocol, 8.3.
pub const CLOSE_HANDSHAKE_WAIT: Duration = Duration::from_secs(5);

/// Longest lifetime that an expiry may give. Unit: seconds. 365 days; source: client protocol, 3.1.1.
pub const TTL_SECONDS_MAX: i64 = 365 * 24 * 3600;

/// Default depth of a tags filter. Unit: levels.
///
/// 32: SDKs build two or three; the bound keeps evaluation off the end of the stack.
pub const FILTER_DEPTH_MAX: usize = 32;

/// Commands of the server API that one connection holds back until something else is over. Unit:
/// commands.
///
/// 64: they wait for a connect or for the engine, which is a matter of moments; what comes beyond
/// fails, and the caller is told.
pub const CONTROLS_HELD_MAX: usize = 64;

/// Longest reason of a disconnect. Unit: bytes. What a WebSocket close frame holds.
pub const REASON_BYTES_MAX: usize = 123;

/// Publications that a subscribing subscription may hold back. Unit: publications.
///
/// 16 384: what 10 000 publications a second bring in the longest history read we allow; more means
/// that the stream cannot be followed, and the client has to recover (3010).
pub const RECOVERY_BUFFER_MAX: usize = 16_384;

/// Entries in the capabilities of one connection. Unit: entries.
///
/// 64: each is looked at for every command that they decide.
pub const CAPABILITIES_MAX: usize = 64;

/// Patterns in the capabilities of one connection, over all entries. Unit: patterns.
///
/// 256: a pattern is compiled once per connection and may take kilobytes.
pub const CAPABILITY_PATTERNS_MAX: usize = 256;

/// How long what has expired lives on where the backend was asked to prolong it and did not answer.
/// Unit: seconds. 60, as the reference.
pub const UNREFRESHED_EXTENSION_SECONDS: i64 = 60;
