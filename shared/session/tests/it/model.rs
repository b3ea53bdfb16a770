//! Random commands, publications, losses and cuts against a small model of an SDK: whatever happens,
//! a client sees every publication of a positioned channel in order and once, or is told so.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use crate::support::{World, config};

const CHANNELS: [&str; 2] = ["rec:a", "rec:b"];
const CLIENTS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Op {
    Subscribe(usize, usize),
    Unsubscribe(usize, usize),
    Publish(usize),
    /// A publication that reaches history and no mailbox.
    Lose(usize),
    /// The stream begins anew.
    Reset(usize),
    Step(usize),
    Deliver(usize),
    /// The connection breaks, and the SDK comes back with what it knows.
    Cut(usize),
}

/// What an SDK knows of a subscription.
#[derive(Clone, Debug, Default)]
struct Known {
    wanted: bool,
    live: bool,
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
    Subscribe,
    Unsubscribe,
}

fn op() -> impl Strategy<Value = Op> {
    let (client, channel) = (0..CLIENTS, 0..CHANNELS.len());
    prop_oneof![
        4 => (client.clone(), channel.clone()).prop_map(|(c, ch)| Op::Subscribe(c, ch)),
        2 => (client.clone(), channel.clone()).prop_map(|(c, ch)| Op::Unsubscribe(c, ch)),
        6 => channel.clone().prop_map(Op::Publish),
        1 => channel.clone().prop_map(Op::Lose),
        1 => channel.prop_map(Op::Reset),
        8 => client.clone().prop_map(Op::Step),
        6 => client.clone().prop_map(Op::Deliver),
        2 => client.prop_map(Op::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_missed_or_doubled_in_silence(ops in prop::collection::vec(op(), 1..120)) {
        let mut model = Model::new();
        for op in ops {
            model.apply(op)?;
        }
        model.finish()?;
    }
}

struct Model {
    world: World,
    sdks: Vec<Sdk>,
}

impl Model {
    fn new() -> Self {
        let mut world = World::default();
        let sdks = (0..CLIENTS)
            .map(|_| {
                let connection = world.connect();
                drop(world.sent(connection));
                Sdk {
                    connection,
                    next_id: 2,
                    ..Sdk::default()
                }
            })
            .collect();
        Self { world, sdks }
    }

    fn apply(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Subscribe(sdk, channel) => self.subscribe(sdk, CHANNELS[channel]),
            Op::Unsubscribe(sdk, channel) => self.unsubscribe(sdk, CHANNELS[channel]),
            Op::Publish(channel) => self.world.publish(CHANNELS[channel], "{}"),
            Op::Lose(channel) => self
                .world
                .publish_tagged(CHANNELS[channel], "{}", &[], false),
            Op::Reset(channel) => self.world.reset(CHANNELS[channel]),
            Op::Step(sdk) => drop(self.world.step(self.sdks[sdk].connection)),
            Op::Deliver(sdk) => drop(self.world.deliver(self.sdks[sdk].connection)),
            Op::Cut(sdk) => self.reconnect(sdk)?,
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
        for sdk in 0..CLIENTS {
            self.read(sdk)?;
            for (channel, known) in &self.sdks[sdk].known {
                if known.live {
                    prop_assert_eq!(&known.epoch, &self.world.epoch_of(channel));
                    prop_assert_eq!(known.offset, self.world.top(channel), "{}", channel);
                }
            }
        }
        let live = |channel: &str| {
            self.sdks
                .iter()
                .filter(|sdk| sdk.known.get(channel).is_some_and(|known| known.live))
                .count()
        };
        for channel in CHANNELS {
            prop_assert_eq!(self.world.subscribers(channel), live(channel));
        }
        Ok(())
    }

    fn subscribe(&mut self, sdk: usize, channel: &str) {
        let one = &mut self.sdks[sdk];
        if one.asked.values().next().is_some() {
            return; // One command at a time: the world keeps one frame per client.
        }
        let known = one.known.entry(channel.to_owned()).or_default();
        known.wanted = true;
        let recover = if known.epoch.is_empty() {
            String::new()
        } else {
            format!(
                r#","recover":true,"offset":{},"epoch":"{}""#,
                known.offset, known.epoch
            )
        };
        let command = format!(r#""subscribe":{{"channel":"{channel}"{recover}}}"#);
        self.ask(sdk, Asked::Subscribe, channel, &command);
    }

    fn unsubscribe(&mut self, sdk: usize, channel: &str) {
        if self.sdks[sdk].asked.values().next().is_some() {
            return;
        }
        self.sdks[sdk]
            .known
            .entry(channel.to_owned())
            .or_default()
            .wanted = false;
        let command = format!(r#""unsubscribe":{{"channel":"{channel}"}}"#);
        self.ask(sdk, Asked::Unsubscribe, channel, &command);
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

    fn reconnect(&mut self, sdk: usize) -> Result<(), TestCaseError> {
        let old = self.sdks[sdk].connection;
        self.world
            .disconnect(old, gyre_protocol::codes::Disconnect::CONNECTION_CLOSED);
        drop(self.world.sent(old)); // Lost with the connection.
        let connection = self.world.open(&config());
        self.world.command(connection, r#"{"id":1,"connect":{}}"#);
        while self.world.step(connection) {}
        drop(self.world.sent(connection));
        let one = &mut self.sdks[sdk];
        one.connection = connection;
        one.asked.clear();
        for known in one.known.values_mut() {
            known.live = false;
        }
        // Its old connection cleans up in its own time.
        prop_assert!(self.world.closed(old).is_some());
        Ok(())
    }

    fn read(&mut self, sdk: usize) -> Result<(), TestCaseError> {
        let connection = self.sdks[sdk].connection;
        for message in self.world.sent(connection) {
            self.sdks[sdk].take(&message)?;
        }
        if self.world.closed(connection).is_some() {
            self.reconnect(sdk)?;
        }
        Ok(())
    }
}

impl Sdk {
    fn take(&mut self, message: &Value) -> Result<(), TestCaseError> {
        if let Some(push) = message.get("push") {
            return self.take_push(push);
        }
        let Some(id) = message.get("id").and_then(Value::as_u64) else {
            return Ok(()); // A ping.
        };
        let asked = self.asked.remove(&id);
        prop_assert!(asked.is_some(), "a reply to nothing: {message}");
        let Some((asked, channel)) = asked else {
            return Ok(());
        };
        let known = self.known.entry(channel).or_default();
        match asked {
            Asked::Unsubscribe => {
                prop_assert!(message.get("unsubscribe").is_some(), "{message}");
                *known = Known::default();
            }
            Asked::Subscribe => match message.get("subscribe") {
                Some(result) => known.subscribed(result)?,
                None => prop_assert_eq!(&message["error"]["code"], 105, "{}", message),
            },
        }
        Ok(())
    }

    fn take_push(&mut self, push: &Value) -> Result<(), TestCaseError> {
        let channel = push["channel"].as_str().unwrap_or_default().to_owned();
        let known = self.known.entry(channel).or_default();
        if let Some(publication) = push.get("pub") {
            prop_assert!(known.live, "a push before its reply: {push}");
            let offset = publication["offset"].as_u64().unwrap_or(0);
            prop_assert_eq!(offset, known.offset + 1, "a hole or a double");
            known.offset = offset;
        }
        if push.get("unsubscribe").is_some() {
            prop_assert_eq!(&push["unsubscribe"]["code"], 2500);
            known.live = false;
        }
        Ok(())
    }
}

impl Known {
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

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
