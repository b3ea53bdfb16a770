//! Random commands, publications, losses and cuts against a small model of an SDK: whatever happens,
//! a client sees every publication of a positioned channel in order and once, or is told so; its
//! joins and leaves alternate; every command of the server API is reported; and nothing stays behind.

use std::collections::BTreeMap;

use gyre_config::{Config, Millis};
use gyre_policy::Override;
use gyre_protocol::codes::{Disconnect, Error, Unsubscribe};
use gyre_session::{Control, ControlSubscribe, Refusal, Terms};
use gyre_types::ChannelName;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{World, config};

/// The second one tells who comes and goes, the backend is asked about the others, and the publications
/// of the last come by a stream.
const CHANNELS: [&str; 4] = ["rec:a", "recjl:b", "askrec:c", "feed:d"];
/// Those that the server API gives.
const GIVEN: usize = 2;
/// Those with a history.
const KEPT: usize = 3;
const CLIENTS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Op {
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    /// The server API subscribes a client.
    Give(usize, usize),
    /// The server API unsubscribes a client.
    Take(usize, usize),
    Publish(usize),
    /// A publication that reaches history and no mailbox.
    Lose(usize),
    /// The stream begins anew.
    Reset(usize),
    Step(usize),
    Deliver(usize),
    /// The backend changes its mind about a client.
    Decide(usize),
    /// One of a client's streams ends.
    EndStream(usize),
    /// The connection breaks, and the SDK comes back with what it knows.
    Cut(usize),
}

/// What an SDK knows of a subscription.
#[derive(Clone, Debug, Default)]
struct Known {
    live: bool,
    /// The server made it.
    is_server_side: bool,
    epoch: String,
    offset: u64,
}

#[derive(Debug, Default)]
struct Sdk {
    /// Index of its present connection in the world.
    connection: usize,
    known: BTreeMap<String, Known>,
    asked: BTreeMap<u64, (Asked, String)>,
    next_id: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Connect,
    Subscribe,
    Unsubscribe,
}

fn op() -> impl Strategy<Value = Op> {
    let (client, channel) = (0..CLIENTS, 0..CHANNELS.len());
    let (given, kept) = (0..GIVEN, 0..KEPT);
    prop_oneof![
        4 => (client.clone(), channel.clone()).prop_map(|(c, ch)| Op::Subscribe(c, ch)),
        2 => (client.clone(), channel.clone()).prop_map(|(c, ch)| Op::Unsubscribe(c, ch)),
        2 => (client.clone(), given).prop_map(|(c, ch)| Op::Give(c, ch)),
        1 => (client.clone(), channel).prop_map(|(c, ch)| Op::Take(c, ch)),
        6 => kept.clone().prop_map(Op::Publish),
        1 => kept.clone().prop_map(Op::Lose),
        1 => kept.prop_map(Op::Reset),
        10 => client.clone().prop_map(Op::Step),
        6 => client.clone().prop_map(Op::Deliver),
        1 => client.clone().prop_map(Op::Decide),
        1 => client.clone().prop_map(Op::EndStream),
        2 => client.prop_map(Op::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_missed_or_doubled_in_silence(
        concurrency in prop_oneof![Just(1_usize), Just(8)],
        ops in prop::collection::vec(op(), 1..120),
    ) {
        let mut model = Model::new(concurrency)?;
        for op in ops {
            model.apply(op)?;
        }
        model.finish()?;
    }
}

struct Model {
    world: World,
    config: Config,
    sdks: Vec<Sdk>,
    /// Commands of the server API, by connection.
    controls: BTreeMap<usize, usize>,
}

impl Model {
    fn new(concurrency: usize) -> Result<Self, TestCaseError> {
        let mut config = config();
        config.client.concurrency = concurrency;
        // Nobody answers pings here, and time has to pass.
        config.client.ping_interval = Millis::from_secs(-1);
        config.client.pong_timeout = Millis::from_secs(-2);
        let mut model = Self {
            world: World::default(),
            config,
            sdks: (0..CLIENTS).map(|_| Sdk::default()).collect(),
            controls: BTreeMap::new(),
        };
        for sdk in 0..CLIENTS {
            model.connect(sdk);
        }
        model.world.settle();
        for sdk in 0..CLIENTS {
            model.read(sdk)?;
        }
        Ok(model)
    }

    fn apply(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Subscribe(sdk, channel) => self.subscribe(sdk, CHANNELS[channel]),
            Op::Unsubscribe(sdk, channel) => self.unsubscribe(sdk, CHANNELS[channel]),
            Op::Give(sdk, channel) => self.control(sdk, give(CHANNELS[channel])),
            Op::Take(sdk, channel) => self.control(sdk, take(CHANNELS[channel])),
            Op::Publish(channel) => self.world.publish(CHANNELS[channel], "{}"),
            Op::Lose(channel) => self
                .world
                .publish_tagged(CHANNELS[channel], "{}", &[], false),
            Op::Reset(channel) => self.world.reset(CHANNELS[channel]),
            Op::Step(sdk) => drop(self.world.step(self.sdks[sdk].connection)),
            Op::Deliver(sdk) => drop(self.world.deliver(self.sdks[sdk].connection)),
            Op::Decide(sdk) => {
                let backend = &mut self.world.clients[self.sdks[sdk].connection].backend;
                let denied = Err(Refusal::Error(Error::PERMISSION_DENIED));
                backend.subscribe = match backend.subscribe {
                    Ok(_) => denied,
                    Err(_) => Ok(Terms::default()),
                };
            }
            Op::EndStream(sdk) => {
                let connection = self.sdks[sdk].connection;
                let streams = &self.world.clients[connection].backend.streams;
                if let Some(id) = streams.first().copied() {
                    self.world.stream_end(connection, id, Unsubscribe::SERVER);
                }
            }
            Op::Cut(sdk) => {
                let connection = self.sdks[sdk].connection;
                self.world
                    .disconnect(connection, Disconnect::CONNECTION_CLOSED);
                drop(self.world.sent(connection)); // Lost with the connection.
            }
        }
        for sdk in 0..CLIENTS {
            self.read(sdk)?;
        }
        Ok(())
    }

    /// Everything arrives; then a check of positions finds what was lost.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..3 {
            self.world.settle();
            for sdk in 0..CLIENTS {
                self.read(sdk)?;
            }
            self.world.advance(std::time::Duration::from_secs(90));
        }
        self.world.settle();
        for sdk in 0..CLIENTS {
            self.read(sdk)?;
            self.world.settle();
            self.read(sdk)?;
        }
        for sdk in &self.sdks {
            prop_assert!(sdk.asked.is_empty(), "no answer: {:?}", sdk.asked);
            for (channel, known) in &sdk.known {
                if known.live && channel != CHANNELS[KEPT] {
                    prop_assert_eq!(&known.epoch, &self.world.epoch_of(channel));
                    prop_assert_eq!(known.offset, self.world.top(channel), "{}", channel);
                }
            }
        }
        for channel in CHANNELS {
            let live = self.sdks.iter().filter(|sdk| sdk.is_live(channel));
            prop_assert_eq!(self.world.subscribers(channel), live.count());
        }
        for sdk in &self.sdks {
            let streams = &self.world.clients[sdk.connection].backend.streams;
            prop_assert_eq!(streams.len(), usize::from(sdk.is_live(CHANNELS[KEPT])));
        }
        self.check_comings()?;
        for (connection, asked) in &self.controls {
            let reported = self.world.clients[*connection].controlled.len();
            prop_assert_eq!(reported, *asked, "commands of the server API");
        }
        Ok(())
    }

    /// Who came leaves before it comes again; who is there has not left.
    fn check_comings(&self) -> Result<(), TestCaseError> {
        let mut present: BTreeMap<&str, bool> = BTreeMap::new();
        for coming in &self.world.comings {
            let (sign, client) = coming.split_at(1);
            let was_present = present.insert(client, sign == "+").unwrap_or(false);
            prop_assert_eq!(was_present, sign == "-", "{:?}", self.world.comings);
        }
        for sdk in &self.sdks {
            let client = self.world.clients[sdk.connection].session.client();
            let is_present = present.get(client.as_str()).copied().unwrap_or(false);
            prop_assert_eq!(is_present, sdk.is_live(CHANNELS[1]));
        }
        Ok(())
    }

    fn subscribe(&mut self, sdk: usize, channel: &str) {
        let one = &self.sdks[sdk];
        let is_asked = one.asked.values().any(|(_, asked)| asked == channel);
        if is_asked || !self.accepts(sdk) {
            return;
        }
        let known = self.sdks[sdk].known.entry(channel.to_owned()).or_default();
        let recover = known.recover();
        let command = format!(r#""subscribe":{{"channel":"{channel}"{recover}}}"#);
        self.ask(sdk, Asked::Subscribe, channel, &command);
    }

    fn unsubscribe(&mut self, sdk: usize, channel: &str) {
        if !self.accepts(sdk) {
            return;
        }
        let command = format!(r#""unsubscribe":{{"channel":"{channel}"}}"#);
        self.ask(sdk, Asked::Unsubscribe, channel, &command);
    }

    /// Whether a command would be taken at once: the world keeps one frame per client.
    fn accepts(&self, sdk: usize) -> bool {
        let connection = self.sdks[sdk].connection;
        self.world.clients[connection].session.accepts_command()
    }

    fn ask(&mut self, sdk: usize, asked: Asked, channel: &str, command: &str) {
        let one = &mut self.sdks[sdk];
        let id = one.next_id;
        one.next_id += 1;
        one.asked.insert(id, (asked, channel.to_owned()));
        let connection = one.connection;
        self.world
            .command(connection, &format!(r#"{{"id":{id},{command}}}"#));
    }

    fn control(&mut self, sdk: usize, control: Control) {
        let connection = self.sdks[sdk].connection;
        *self.controls.entry(connection).or_default() += 1;
        self.world.control(connection, control);
    }

    /// Comes back, and asks for the server-side subscriptions that it had.
    fn connect(&mut self, sdk: usize) {
        let connection = self.world.open(&self.config);
        let one = &mut self.sdks[sdk];
        one.connection = connection;
        one.asked.clear();
        one.next_id = 1;
        let mut subs = Vec::new();
        for (channel, known) in &mut one.known {
            known.live = false;
            if known.is_server_side {
                let recover = known.recover();
                let recover = recover.trim_start_matches(',');
                subs.push(format!(r#""{channel}":{{{recover}}}"#));
            }
        }
        let command = format!(r#""connect":{{"subs":{{{}}}}}"#, subs.join(","));
        self.ask(sdk, Asked::Connect, "", &command);
    }

    fn read(&mut self, sdk: usize) -> Result<(), TestCaseError> {
        let connection = self.sdks[sdk].connection;
        for message in self.world.sent(connection) {
            self.sdks[sdk].take(&message)?;
        }
        if self.world.closed(connection).is_some() {
            self.connect(sdk);
        }
        Ok(())
    }
}

impl Sdk {
    fn is_live(&self, channel: &str) -> bool {
        self.known.get(channel).is_some_and(|known| known.live)
    }

    fn take(&mut self, message: &Value) -> Result<(), TestCaseError> {
        if let Some(push) = message.get("push") {
            return self.take_push(push);
        }
        let id = message.get("id").and_then(Value::as_u64).unwrap_or(0);
        let asked = self.asked.remove(&id);
        prop_assert!(asked.is_some(), "a reply to nothing: {message}");
        let Some((asked, channel)) = asked else {
            return Ok(());
        };
        match asked {
            Asked::Connect => return self.connected(message),
            Asked::Unsubscribe => {
                prop_assert!(message.get("unsubscribe").is_some(), "{message}");
                self.known.insert(channel, Known::default());
            }
            Asked::Subscribe => match message.get("subscribe") {
                Some(result) => self.known.entry(channel).or_default().subscribed(result)?,
                // It has it already, or the backend does not want it to.
                None => {
                    let code = message["error"]["code"].as_u64();
                    prop_assert!(matches!(code, Some(105 | 103)), "{message}");
                }
            },
        }
        Ok(())
    }

    fn connected(&mut self, message: &Value) -> Result<(), TestCaseError> {
        let result = message.get("connect");
        prop_assert!(result.is_some(), "{message}");
        for (channel, known) in &mut self.known {
            let given = message["connect"]["subs"].get(channel);
            prop_assert_eq!(given.is_some(), known.is_server_side, "{}", message);
            if let Some(result) = given {
                known.subscribed(result)?;
            }
        }
        Ok(())
    }

    fn take_push(&mut self, push: &Value) -> Result<(), TestCaseError> {
        let is_first = self
            .asked
            .values()
            .any(|(asked, _)| *asked == Asked::Connect);
        prop_assert!(!is_first, "a push before the connect reply: {push}");
        let channel = push["channel"].as_str().unwrap_or_default().to_owned();
        let known = self.known.entry(channel).or_default();
        if let Some(subscribe) = push.get("subscribe") {
            return known.given(subscribe);
        }
        prop_assert!(known.live, "not subscribed: {push}");
        if let Some(publication) = push.get("pub") {
            let offset = publication["offset"].as_u64().unwrap_or(0);
            prop_assert_eq!(offset, known.offset + 1, "a hole or a double");
            known.offset = offset;
        }
        if let Some(unsubscribe) = push.get("unsubscribe") {
            let code = unsubscribe["code"].as_u64();
            prop_assert!(matches!(code, Some(2000 | 2500)), "{push}");
            known.live = false;
            known.is_server_side = false;
        }
        Ok(())
    }
}

impl Known {
    /// What it asks for when it comes back.
    fn recover(&self) -> String {
        if self.epoch.is_empty() {
            return String::new();
        }
        let Self { offset, epoch, .. } = self;
        format!(r#","recover":true,"offset":{offset},"epoch":"{epoch}""#)
    }

    /// The server has made a subscription, or has taken one over.
    fn given(&mut self, push: &Value) -> Result<(), TestCaseError> {
        let (offset, epoch) = (push["offset"].as_u64().unwrap_or(0), text(&push["epoch"]));
        if self.live {
            prop_assert_eq!((offset, &epoch), (self.offset, &self.epoch), "{}", push);
        }
        self.offset = offset;
        self.epoch = epoch;
        self.live = true;
        self.is_server_side = true;
        Ok(())
    }

    fn subscribed(&mut self, result: &Value) -> Result<(), TestCaseError> {
        prop_assert!(!self.live);
        let offset = result["offset"].as_u64().unwrap_or(0);
        if result.get("recovered").is_some() {
            prop_assert_eq!(offset, self.offset);
            prop_assert_eq!(result["epoch"].as_str().unwrap_or_default(), &self.epoch);
            for publication in result["publications"].as_array().into_iter().flatten() {
                let next = publication["offset"].as_u64().unwrap_or(0);
                prop_assert_eq!(next, self.offset + 1);
                self.offset = next;
            }
        } else {
            // Told that it could not be recovered, or it did not ask.
            self.offset = offset;
            self.epoch = text(&result["epoch"]);
        }
        self.live = true;
        Ok(())
    }
}

fn give(channel: &str) -> Control {
    Control::Subscribe(Box::new(ControlSubscribe {
        channel: ChannelName::new(channel).expect("it has a name"),
        info: bytes::Bytes::new(),
        data: bytes::Bytes::new(),
        expire_at: None,
        recover_since: None,
        overrides: Override::default(),
    }))
}

fn take(channel: &str) -> Control {
    Control::Unsubscribe {
        channel: channel.to_owned(),
        unsubscribe: Unsubscribe::SERVER,
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
