//! What an expression may ask about a connection.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::Value;

/// The names, in the order in which errors list them.
pub(crate) const NAMES: [&str; 10] = [
    "user",
    "client",
    "meta",
    "labels",
    "channels",
    "transport",
    "protocol",
    "app_name",
    "app_version",
    "connected_at",
];

/// What is known about a connection.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `user`. Empty: the connection is anonymous.
    pub user: &'a str,
    /// `client`: the connection's id.
    pub client: &'a str,
    /// `meta`: JSON. Empty or not JSON: an object without members.
    pub meta: &'a [u8],
    /// `labels`: texts by name.
    pub labels: &'a BTreeMap<String, String>,
    /// `channels`: a list of names.
    pub channels: &'a [&'a str],
    /// `transport`, as `websocket`.
    pub transport: &'a str,
    /// `protocol`: `json` or `protobuf`.
    pub protocol: &'a str,
    /// `app_name`, as the client gave it.
    pub app_name: &'a str,
    /// `app_version`, as the client gave it.
    pub app_version: &'a str,
    /// `connected_at`. Unit: Unix milliseconds.
    pub connected_at: i64,
}

impl Facts<'_> {
    /// The value of one of [`NAMES`].
    pub(crate) fn value(&self, name: &str) -> Value {
        match name {
            "user" => text(self.user),
            "client" => text(self.client),
            "meta" => meta(self.meta),
            "labels" => {
                let labels = self.labels.iter();
                map(labels.map(|(name, value)| (name.clone(), text(value))))
            }
            "channels" => list(self.channels.iter().map(|channel| text(channel))),
            "transport" => text(self.transport),
            "protocol" => text(self.protocol),
            "app_name" => text(self.app_name),
            "app_version" => text(self.app_version),
            "connected_at" => Value::Int(self.connected_at),
            _ => Value::Null,
        }
    }
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::List(Arc::new(items.collect()))
}

fn map(entries: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Map(entries.collect::<HashMap<_, _>>().into())
}

fn meta(json: &[u8]) -> Value {
    let parsed = serde_json::from_slice::<serde_json::Value>(json);
    parsed.map_or_else(|_none| map(std::iter::empty()), value)
}

/// JSON as CEL sees it: whole numbers are signed, so that they compare with what is written in an
/// expression.
fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(is) => Value::Bool(is),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text)),
        serde_json::Value::Array(items) => list(items.into_iter().map(value)),
        serde_json::Value::Object(members) => {
            map(members.into_iter().map(|(name, json)| (name, value(json))))
        }
    }
}
