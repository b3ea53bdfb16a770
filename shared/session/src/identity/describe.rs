//! A connection as the server API shows it, for whoever asks. Nothing is kept ready for that.

use std::time::Duration;

use bytes::Bytes;
use gyre_policy::Source;
use gyre_protocol::messages::ConnectRequest;
use gyre_types::{ChannelName, Now, UnixMillis, UserId};

use crate::effect::TokenMark;
use crate::session::Session;

/// Longest name and longest version of a client that are kept. Unit: bytes.
///
/// 64: they are words like `js`; a connection must not cost what its client likes.
const APP_BYTES_MAX: usize = 64;

/// What the client says of itself.
#[derive(Debug)]
pub(crate) struct App {
    name: Box<str>,
    version: Box<str>,
}

/// A connection at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Description {
    /// Whose it is; empty: anonymous.
    pub user: UserId,
    /// What the client calls itself, at most 64 bytes of it; empty: nothing.
    pub app_name: String,
    /// The version that it says it is, cut in the same way.
    pub app_version: String,
    /// When it was known who it is.
    pub connected_at: UnixMillis,
    /// From the latest ping that was answered to its pong; `None`: not known.
    pub latency: Option<Duration>,
    /// Token that it came with, or that last prolonged it.
    pub token: Option<TokenMark>,
    /// What the backend sees of it.
    pub meta: Bytes,
    /// Its subscriptions.
    pub channels: Vec<Held>,
}

/// A subscription of a described connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// To what.
    pub channel: ChannelName,
    /// By which right.
    pub source: Source,
    /// By which token, if by one that says what it is.
    pub token: Option<TokenMark>,
}

impl Session {
    /// The connection as it is; `None` before its connect is answered and after its end.
    #[must_use]
    pub fn describe(&self) -> Option<Description> {
        if !self.is_connected() {
            return None;
        }
        let identity = &self.identity;
        let app = identity.app.as_deref();
        let live = self.table.iter().filter(|(_, one)| one.is_live());
        let channels = live.map(|(_, one)| Held {
            channel: one.channel.clone(),
            source: one.source,
            token: one
                .rare
                .as_ref()
                .and_then(|rare| rare.token.as_deref().cloned()),
        });
        Some(Description {
            user: identity.user.clone(),
            app_name: app.map(|app| app.name.to_string()).unwrap_or_default(),
            app_version: app.map(|app| app.version.to_string()).unwrap_or_default(),
            connected_at: identity.connected_at,
            latency: self
                .liveness
                .as_ref()
                .and_then(|liveness| liveness.round_trip()),
            token: identity.token.as_deref().cloned(),
            meta: identity.meta.clone(),
            channels: channels.collect(),
        })
    }

    /// Notes what the client says of itself.
    pub(crate) fn introduce(&mut self, request: &ConnectRequest, now: Now) {
        let (name, version) = (cut(&request.name), cut(&request.version));
        self.identity.connected_at = now.unix;
        self.identity.app = (!name.is_empty() || !version.is_empty()).then(|| {
            Box::new(App {
                name: name.into(),
                version: version.into(),
            })
        });
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(APP_BYTES_MAX))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_calls_itself_is_cut_at_a_character() {
        assert_eq!(cut("js"), "js");
        assert_eq!(cut(&"x".repeat(65)).len(), 64);
        assert_eq!(cut(&"\u{e9}".repeat(40)).len(), 64);
        assert_eq!(cut(&format!("x{}", "\u{e9}".repeat(40))).len(), 63);
    }
}
