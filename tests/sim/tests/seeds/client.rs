//! A client, its session, and what it has seen.

use std::collections::VecDeque;
use std::sync::Arc;

use gyre_hub::Subscriber;
use gyre_protocol::frame::Commands;
use gyre_protocol::prepared::Prepared;
use gyre_protocol::{Envelope, Format};
use gyre_session::{Effect, Message, Session, Settings, Transport};
use gyre_types::{ClientId, HubSlot, Now, SubscriptionId, Ticket};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The longest command. Unit: bytes.
const COMMAND_BYTES_MAX: usize = 64 * 1024;

const TRANSPORT: Transport = Transport {
    format: Format::Json,
    envelope: Envelope::Reply,
    app_pings: true,
    tells_disconnect: false,
};

/// What the hub has for a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mailbox(pub(crate) Arc<Mutex<VecDeque<Delivery>>>);

type Delivery = (SubscriptionId, Arc<Prepared>);

impl Subscriber for Mailbox {
    fn offer(&self, subscription: SubscriptionId, prepared: &Arc<Prepared>) {
        self.0
            .lock()
            .push_back((subscription, Arc::clone(prepared)));
    }
}

/// A connection: what the server has of it.
pub(crate) struct Connection {
    pub(crate) gateway: usize,
    pub(crate) session: Session,
    pub(crate) mailbox: Mailbox,
    /// Effects that were asked for and not run.
    pub(crate) pending: VecDeque<(Ticket, Effect)>,
    /// Where it stands in the hub, while it does.
    pub(crate) slot: Option<(HubSlot, SubscriptionId)>,
    waiting: VecDeque<Commands>,
}

/// A time in which every publication after `from` up to `to` was received.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    pub(crate) epoch: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// What the client knows, whatever becomes of its connections.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) channel: String,
    pub(crate) connection: Option<Connection>,
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) received: usize,
    pub(crate) told: usize,
    pub(crate) broken: Vec<String>,
    pub(crate) id: u32,
}

impl Client {
    pub(crate) fn connect(
        &mut self,
        gateway: usize,
        settings: &Arc<Settings>,
        random: u64,
        now: Now,
    ) {
        let name = ClientId::new(&format!("c{random}"));
        let session = Session::new(Arc::clone(settings), TRANSPORT, name, random, now);
        self.connection = Some(Connection {
            gateway,
            session,
            mailbox: Mailbox::default(),
            pending: VecDeque::new(),
            slot: None,
            waiting: VecDeque::new(),
        });
        self.say(&json!({"id": 1, "connect": {}}), now);
    }

    fn say(&mut self, command: &Value, now: Now) {
        let frame = command.to_string().into_bytes().into();
        if let Some(connection) = &mut self.connection {
            let commands = Commands::new(Format::Json, frame, COMMAND_BYTES_MAX);
            connection.waiting.push_back(commands);
        }
        self.settle(now);
    }

    /// Takes what the session puts out, and hands it what waits.
    pub(crate) fn settle(&mut self, now: Now) {
        loop {
            let Some(connection) = &mut self.connection else {
                return;
            };
            let session = &mut connection.session;
            while let Some((ticket, effect)) = session.poll_effect() {
                connection.pending.push_back((ticket, effect));
            }
            drop(session.poll_observations());
            if let Some(message) = session.poll_message() {
                let value = read(&message);
                self.hear(&value, now);
                continue;
            }
            if !session.accepts_command() {
                return;
            }
            match connection.waiting.front_mut().map(Commands::next_command) {
                Some(Some(Ok(command))) => session.handle_command(command, now),
                Some(Some(Err(error))) => panic!("{error}"),
                Some(None) => drop(connection.waiting.pop_front()),
                None => return,
            }
        }
    }

    fn hear(&mut self, message: &Value, now: Now) {
        if *message == json!({}) {
            return self.say(&json!({}), now); // A pong.
        }
        let push = &message["push"];
        if push["pub"].is_object() {
            self.publication(&push["pub"]);
        } else if message["connect"].is_object() || push["unsubscribe"].is_object() {
            self.subscribe(now);
        } else if message["subscribe"].is_object() {
            self.entered(&message["subscribe"]);
        } else if message["error"].is_object() {
            // The engine did not answer: come back.
            self.connection = self.connection.take().filter(|_| false);
        }
    }

    fn subscribe(&mut self, now: Now) {
        self.id += 1;
        let mut subscribe = json!({"channel": self.channel});
        if let Some(Stretch { epoch, to, .. }) = self.stretches.last() {
            subscribe["recover"] = json!(true);
            subscribe["epoch"] = json!(epoch);
            subscribe["offset"] = json!(to);
        }
        let id = self.id + 1;
        self.say(&json!({"id": id, "subscribe": subscribe}), now);
    }

    fn entered(&mut self, reply: &Value) {
        if reply["recovered"] != json!(true) {
            self.told += usize::from(!self.stretches.is_empty());
            let at = reply["offset"].as_u64().unwrap_or_default();
            self.stretches.push(Stretch {
                epoch: reply["epoch"].as_str().unwrap_or_default().to_owned(),
                from: at,
                to: at,
            });
        }
        for publication in reply["publications"].as_array().into_iter().flatten() {
            self.publication(publication);
        }
    }

    fn publication(&mut self, publication: &Value) {
        let offset = publication["offset"].as_u64().unwrap_or_default();
        let data = publication["data"].as_u64().unwrap_or_default();
        self.received += 1;
        let Some(last) = self.stretches.last_mut() else {
            return self
                .broken
                .push("a publication before the reply".to_owned());
        };
        if offset != last.to + 1 {
            let what = format!("{offset} after {} in {}", last.to, self.channel);
            self.broken.push(what);
        }
        // What is published says its own place.
        if data != offset {
            self.broken
                .push(format!("{offset} has the content of {data}"));
        }
        last.to = offset;
    }
}

fn read(message: &Message) -> Value {
    let text = match message {
        Message::Own(bytes, _) => bytes.clone(),
        Message::TransportPing => return Value::Null,
        shared @ Message::Shared { .. } => {
            let encoded = shared.shared(TRANSPORT).unwrap();
            encoded.bytes().clone()
        }
    };
    serde_json::from_slice(&text).unwrap()
}
