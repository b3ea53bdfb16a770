//! Connections that only go to the client, and what those need that cannot be answered by a reply.

use gyre_protocol::codes::{Disconnect, Error};
use gyre_protocol::messages::{ConnectRequest, DisconnectPush};
use gyre_protocol::{Command, Push, PushBody, Request, encode_push};
use gyre_types::Now;

use crate::frame::Frame;
use crate::message::Message;
use crate::session::Session;
use crate::transport::{Names, Transport};

impl Session {
    /// The same, with names that the client is told.
    #[must_use]
    pub fn with_names(mut self, names: Names) -> Self {
        self.names = Some(Box::new(names));
        self
    }

    /// Takes the request of a unidirectional client, which comes with the transport.
    pub fn handle_connect(&mut self, request: Box<ConnectRequest>, now: Now) {
        let request = Request::Connect(request);
        self.dispatch(Command { id: 0, request }, now);
    }

    /// With which error a connect over a unidirectional transport was refused.
    #[must_use]
    pub fn connect_error(&self) -> Option<&Error> {
        self.closing.as_ref()?.refused.as_ref()
    }

    /// Tells the client why it ends, where the transport cannot.
    pub(crate) fn say_disconnect(&mut self) {
        let Some(disconnect) = self.closing() else {
            return;
        };
        if !self.transport.tells_disconnect || *disconnect == Disconnect::CONNECTION_CLOSED {
            return;
        }
        let push = Push {
            id: 0,
            channel: "".into(),
            body: PushBody::Disconnect(DisconnectPush {
                code: disconnect.code,
                reason: disconnect.reason.as_ref().into(),
                reconnect: false,
            }),
        };
        let Transport {
            format, envelope, ..
        } = self.transport;
        // A code and a text are JSON.
        if let Ok(message) = encode_push(format, envelope, &push) {
            self.messages
                .push_back(Message::Own(message, Frame::DisconnectPush));
        }
    }

    /// Refuses a connect that nobody asked by a command: an error becomes a disconnect.
    pub(crate) fn refuse_one_way(&mut self, error: Error, now: Now) {
        let disconnect = self.settings.one_way.disconnect(&error);
        self.close(disconnect, now);
        if let Some(closing) = self.closing.as_mut() {
            closing.refused = Some(error);
        }
    }
}
