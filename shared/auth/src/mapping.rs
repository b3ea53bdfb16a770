//! Claims that are taken over into the connection's meta and labels.

pub(crate) mod path;
pub(crate) mod user_claim;

use std::collections::BTreeMap;

use bytes::Bytes;
use gyre_config::client::ClaimRule;
use serde_json::value::RawValue;

use self::path::Path;
use crate::error::SetupError;

/// Characters that have a meaning in the query language that these paths are taken from, so that
/// they must not stand in one by themselves.
const RESERVED: &[char] = &['@', '#', '[', ']', '{', '}', '*', '?', '!'];

/// Which claims go where.
#[derive(Default)]
pub(crate) struct Mapping {
    meta: Vec<Rule>,
    labels: Vec<Rule>,
}

struct Rule {
    key: String,
    path: Path,
}

impl Mapping {
    /// # Errors
    ///
    /// A rule has a key or a path that it must not have.
    pub(crate) fn new(meta: &[ClaimRule], labels: &[ClaimRule]) -> Result<Self, SetupError> {
        Ok(Self {
            meta: rules("meta_from_claim", meta)?,
            labels: rules("labels_from_claim", labels)?,
        })
    }

    /// The meta with what the rules add; what they find replaces members of the same name. A meta
    /// that is no object has no members, and gives way.
    pub(crate) fn meta(&self, own: Bytes, claims: &str) -> Bytes {
        let mut found = self
            .meta
            .iter()
            .filter_map(|rule| Some((rule.key.clone(), rule.path.follow(claims)?)))
            .peekable();
        if found.peek().is_none() {
            return own;
        }
        let mut members: BTreeMap<String, &RawValue> =
            serde_json::from_slice(&own).unwrap_or_default();
        for (key, json) in found {
            if let Ok(value) = serde_json::from_str(json) {
                members.insert(key, value);
            }
        }
        serde_json::to_vec(&members).map_or(own, Bytes::from)
    }

    /// Adds the labels that the rules find.
    pub(crate) fn add_labels(&self, labels: &mut BTreeMap<String, String>, claims: &str) {
        for rule in &self.labels {
            if let Some(text) = rule.path.follow(claims).and_then(label) {
                labels.insert(rule.key.clone(), text);
            }
        }
    }
}

/// A claim as a label: texts as they are, numbers without an exponent, anything else in its JSON
/// form; `null` is no label.
pub(crate) fn label(json: &str) -> Option<String> {
    if json == "null" {
        return None;
    }
    if let Ok(text) = serde_json::from_str(json) {
        return Some(text);
    }
    let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let number = || json.parse::<f64>().ok().filter(|number| number.is_finite());
    if is_number && json.contains(['e', 'E']) {
        return Some(number().map_or_else(|| json.to_owned(), |number| number.to_string()));
    }
    Some(json.to_owned())
}

fn rules(option: &'static str, given: &[ClaimRule]) -> Result<Vec<Rule>, SetupError> {
    given.iter().map(|rule| Rule::new(option, rule)).collect()
}

impl Rule {
    fn new(option: &'static str, given: &ClaimRule) -> Result<Self, SetupError> {
        let refuse = |given: &str, problem| SetupError::ClaimRule {
            option,
            given: given.to_owned(),
            problem,
        };
        let ClaimRule { key, value } = given;
        if !is_name(key) {
            let problem = "is no key: expected letters, digits and '_', no digit first";
            return Err(refuse(key, problem));
        }
        if has_reserved(value) {
            let problem = r"is no path: '\' must stand before each of @ # [ ] { } * ? !";
            return Err(refuse(value, problem));
        }
        let path = Path::new(value).ok_or_else(|| refuse(value, "has an empty step"))?;
        let key = key.clone();
        Ok(Self { key, path })
    }
}

fn is_name(key: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    key.bytes().all(is_word)
        && !key.starts_with(|first: char| first.is_ascii_digit())
        && !key.is_empty()
}

/// Whether a character with a meaning stands in the path without a backslash before it.
fn has_reserved(path: &str) -> bool {
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        if RESERVED.contains(&character) {
            return true;
        }
        if character == '\\' {
            characters.next();
        }
    }
    false
}

#[cfg(test)]
mod tests;
