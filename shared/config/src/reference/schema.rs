//! The JSON Schema of configuration files, for editors and for checks without the binary.

use serde_json::{Map, Value, json};

use crate::not_yet::NotYet;
use crate::reference::{Entry, entries};
use crate::values::Shape;

/// Which dialect the schema is written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What is said about options without a type.
const LATER: &str = "Known, without effect in this version.";

/// How a duration is written: numbers with units, a sign before all of them.
const DURATION: &str = "^$|^[-+]?(0|(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$";

/// The schema, as text that ends with a line break.
///
/// It describes what one should write: keys in lower case and values of their own type. The loader
/// takes more, and also checks what several options must be to each other.
#[must_use]
pub fn json_schema() -> String {
    let mut root = object("Configuration of Gyre. Every option may be left out.");
    root.insert("$schema".to_owned(), DIALECT.into());
    for entry in entries() {
        insert(&mut root, &entry.path, of(&entry));
    }
    for path in NotYet::read().later() {
        // `path.*` stands for anything below.
        let (path, schema) = match path.strip_suffix(".*") {
            Some(whole) => (
                whole.trim_end_matches("[]"),
                json!({ "description": LATER }),
            ),
            None => (path.as_str(), json!({ "description": LATER })),
        };
        insert(&mut root, path, schema);
    }
    let text = serde_json::to_string_pretty(&Value::Object(root));
    // A tree of texts and numbers always has a JSON form.
    text.unwrap_or_default() + "\n"
}

fn object(about: &str) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    if !about.is_empty() {
        schema.insert("description".to_owned(), about.into());
    }
    schema.insert("properties".to_owned(), Map::new().into());
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

/// Puts the schema of an option at its path; `[]` in it goes into the items of a list.
fn insert(schema: &mut Map<String, Value>, path: &str, leaf: Value) {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        // Known as a whole: anything may stand below.
        return;
    };
    let name = first.trim_end_matches("[]");
    let Some(rest) = rest else {
        properties.entry(name).or_insert(leaf);
        return;
    };
    let below = if first.ends_with("[]") {
        let list = properties
            .entry(name)
            .or_insert_with(|| json!({ "type": "array" }));
        let list = list.as_object_mut();
        list.map(|list| list.entry("items").or_insert_with(|| object("").into()))
    } else {
        Some(properties.entry(name).or_insert_with(|| object("").into()))
    };
    if let Some(Value::Object(below)) = below {
        insert(below, rest, leaf);
    }
}

fn of(entry: &Entry) -> Value {
    let mut schema = of_shape(&entry.shape);
    schema.insert("description".to_owned(), entry.doc.as_str().into());
    if let Ok(default) = serde_json::from_str::<Value>(&entry.default) {
        schema.insert("default".to_owned(), default);
    }
    schema.into()
}

fn of_shape(shape: &Shape) -> Map<String, Value> {
    let schema = match shape {
        Shape::Truth => json!({ "type": "boolean" }),
        Shape::Number { low, high } => number(*low, *high),
        Shape::Text => json!({ "type": "string" }),
        Shape::Duration => json!({ "type": ["string", "integer"], "pattern": DURATION }),
        Shape::Words(words) => {
            let mut words = words.to_vec();
            if !words.contains(&"") {
                words.push("");
            }
            json!({ "enum": words })
        }
        Shape::Optional(of) => {
            // A text in the reference, so that it can be empty.
            let digits = json!({ "type": "string", "pattern": "^[0-9]*$" });
            json!({ "anyOf": [of_shape(of), digits] })
        }
        Shape::List(of) => json!({ "type": ["array", "string"], "items": of_shape(of) }),
        Shape::Pairs => json!({ "type": ["object", "array", "string"] }),
        Shape::Objects => json!({ "type": "array" }),
    };
    match schema {
        Value::Object(schema) => schema,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn number(low: i64, high: i64) -> Value {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "integer".into());
    if low > i64::MIN {
        // Zero stands for the default.
        schema.insert("minimum".to_owned(), low.min(0).into());
    }
    if high < i64::MAX {
        schema.insert("maximum".to_owned(), high.into());
    }
    if low > 1 {
        return json!({ "anyOf": [
            { "type": "integer", "minimum": low, "maximum": high },
            { "const": 0 },
        ] });
    }
    schema.into()
}
