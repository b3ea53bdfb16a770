use std::collections::BTreeSet;

use super::environment::{Environment, PREFIX, Variable, is_variable_of, variable_part};
use super::nearest::nearest;
use super::{Report, file};
use crate::Config;
use crate::not_yet::{Known, NotYet};
use crate::problem::{Origin, Warning};
use crate::reference::paths;
use crate::tree::{About, Group, Leaf, List, Visitor};
use crate::value::Value;

/// Shortest misplaced name that the whole tree is searched for. Shorter ones stand everywhere.
const MISPLACED_LEN_MIN: usize = 5;

/// What goes over the file.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) environment: &'a Environment,
    pub(super) flags: &'a [(String, String)],
}

/// Fills the configuration from all sources and reports what it cannot use.
pub(super) fn decode(
    config: &mut Config,
    inputs: &Inputs<'_>,
    (tree, origin): (&Value, Origin),
    report: &mut Report,
) {
    let not_yet = NotYet::read();
    let mut state = State {
        inputs: *inputs,
        report,
        known: paths().into_iter().chain(not_yet.later()).collect(),
        not_yet,
        variables: BTreeSet::new(),
    };
    let place = Place {
        path: String::new(),
        pattern: String::new(),
        variable: Some(String::new()),
        object: Some(tree),
        origin,
    };
    let mut decoder = Decoder {
        state: &mut state,
        place,
        seen: Vec::new(),
    };
    config.fields(&mut decoder);
    decoder.report_rest();
    state.report_variables();
    state.report_flags();
}

/// What all decoders of a tree share.
struct State<'a> {
    inputs: Inputs<'a>,
    report: &'a mut Report,
    not_yet: NotYet,
    /// Paths of all options, those without a type too.
    known: Vec<String>,
    /// Names of all variables that were looked for, without prefix.
    variables: BTreeSet<String>,
}

/// Where in the tree a decoder stands.
struct Place<'a> {
    /// The path that people read, with the names of items; empty at the top.
    path: String,
    /// The path with `[]` for any item.
    pattern: String,
    /// The name of variables without prefix; `None` below an item without a name.
    variable: Option<String>,
    /// What the file, or a variable with JSON, says here.
    object: Option<&'a Value>,
    /// Where `object` came from.
    origin: Origin,
}

impl Place<'_> {
    fn below(&self, name: &str) -> (String, String, Option<String>) {
        let join = |top: &str, between: &str, name: &str| {
            if top.is_empty() {
                name.to_owned()
            } else {
                format!("{top}{between}{name}")
            }
        };
        let variable = self
            .variable
            .as_ref()
            .map(|top| join(top, "_", &variable_part(name)));
        (
            join(&self.path, ".", name),
            join(&self.pattern, ".", name),
            variable,
        )
    }
}

/// Decodes one object.
struct Decoder<'s, 'i, 'o> {
    state: &'s mut State<'i>,
    place: Place<'o>,
    /// The options of the object.
    seen: Vec<&'static str>,
}

impl Visitor for Decoder<'_, '_, '_> {
    fn leaf(&mut self, about: &About, leaf: &mut dyn Leaf) {
        self.seen.push(about.name);
        let (path, pattern, variable) = self.place.below(about.name);
        let Some((value, origin)) = self.given(about.name, &path, variable) else {
            return;
        };
        let report = &mut *self.state.report;
        report.taken(&path, &origin);
        let default = leaf.shown();
        if leaf.set(&value, about.bounds).is_err() {
            let shown = if leaf.is_secret() {
                "***".to_owned()
            } else {
                value.shown()
            };
            report.rejected(&path, shown, &origin, leaf.expected(about.bounds));
        } else if let Err(variable) =
            leaf.expand(&|name| self.state.inputs.environment.text_variable(name))
        {
            let expected = format!("variable {variable} in the environment");
            report.rejected(&path, "***".to_owned(), &origin, expected);
        } else if self.state.not_yet.is_inert(&pattern) && leaf.shown() != default {
            report.not_yet(&pattern, &path, &origin);
        }
    }

    fn group(&mut self, about: &About, group: &mut dyn Group) {
        self.seen.push(about.name);
        let (path, pattern, variable) = self.place.below(about.name);
        let object = self.place.object.and_then(|object| object.get(about.name));
        let object = object.filter(|value| **value != Value::Null);
        let origin = self.place.origin.clone();
        self.enter(
            group,
            Place {
                path,
                pattern,
                variable,
                object,
                origin,
            },
        );
    }

    fn list(&mut self, about: &About, list: &mut dyn List) {
        self.seen.push(about.name);
        let (path, pattern, variable) = self.place.below(about.name);
        let Some((value, origin)) = self.given(about.name, &path, variable.clone()) else {
            return;
        };
        let items = match items(&value, list.is_named()) {
            Ok(items) => items,
            Err(expected) => {
                self.state
                    .report
                    .rejected(&path, value.shown(), &origin, expected);
                return;
            }
        };
        for (index, item) in items.iter().enumerate() {
            let name = item.get("name").and_then(Value::as_text);
            let name = name.filter(|name| list.is_named() && !name.is_empty());
            let place = Place {
                path: format!(
                    "{path}[{}]",
                    name.map_or_else(|| index.to_string(), str::to_owned)
                ),
                pattern: format!("{pattern}[]"),
                variable: name.and_then(|name| {
                    Some(format!("{}_{}", variable.as_ref()?, variable_part(name)))
                }),
                object: Some(item),
                origin: origin.clone(),
            };
            self.enter(list.push(), place);
        }
    }
}

impl Decoder<'_, '_, '_> {
    /// Decodes an object within this one.
    fn enter(&mut self, group: &mut dyn Group, mut place: Place<'_>) {
        if let Some(value) = place.object.filter(|value| !matches!(value, Value::Map(_))) {
            // Not what it holds: a key that was put one level too high would be printed.
            let (kind, expected) = (value.kind().to_owned(), "an object".to_owned());
            self.state
                .report
                .rejected(&place.path, kind, &place.origin, expected);
            place.object = None;
        }
        let mut decoder = Decoder {
            state: &mut *self.state,
            place,
            seen: Vec::new(),
        };
        group.fields(&mut decoder);
        decoder.report_rest();
    }

    /// What was given for an option, by the source that counts most.
    fn given(
        &mut self,
        name: &str,
        path: &str,
        variable: Option<String>,
    ) -> Option<(Value, Origin)> {
        let inputs = self.state.inputs;
        let variable = variable.and_then(|bare| {
            let found = inputs.environment.get(&bare);
            self.state.variables.insert(bare);
            found
        });
        if let Some((_, text)) = inputs.flags.iter().rev().find(|(flag, _)| flag == path) {
            return Some((Value::Text(text.clone()), Origin::Flag(path.to_owned())));
        }
        if let Some(Variable { name, value }) = variable {
            return Some((Value::Text(value.clone()), Origin::Variable(name.clone())));
        }
        let value = self
            .place
            .object?
            .get(name)
            .filter(|value| **value != Value::Null)?;
        Some((value.clone(), self.place.origin.clone()))
    }

    /// Reports the keys of the object that are no options.
    fn report_rest(&mut self) {
        let Some(Value::Map(entries)) = self.place.object else {
            return;
        };
        for (index, (key, value)) in entries.iter().enumerate() {
            let (path, pattern, _) = self.place.below(key);
            if entries
                .iter()
                .take(index)
                .any(|(other, _)| other.eq_ignore_ascii_case(key))
            {
                let expected = "each key once, whatever its case".to_owned();
                self.state
                    .report
                    .rejected(&path, value.shown(), &self.place.origin, expected);
            } else if !self.seen.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                self.report_key(&path, &pattern.to_ascii_lowercase(), value);
            }
        }
    }

    /// Reports a key that has no type: known by name, or unknown.
    fn report_key(&mut self, path: &str, pattern: &str, value: &Value) {
        match (self.state.not_yet.find(pattern), value) {
            (Some(Known::Section), Value::Map(entries)) => {
                for (key, value) in entries {
                    let below = format!("{pattern}.{}", key.to_ascii_lowercase());
                    self.report_key(&format!("{path}.{key}"), &below, value);
                }
            }
            (Some(Known::Section), Value::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.report_key(&format!("{path}[{index}]"), &format!("{pattern}[]"), item);
                }
            }
            (Some(_), value) if value.is_zero() => {}
            (Some(_), _) => self.state.report.not_yet(pattern, path, &self.place.origin),
            (None, _) => {
                let nearest = self.nearest_path(pattern);
                self.state.report.unknown(path, &self.place.origin, nearest);
            }
        }
    }

    /// The path that a person meant: a sibling that is written much alike, or the same name
    /// elsewhere in the tree.
    fn nearest_path(&self, pattern: &str) -> Option<String> {
        let (top, name) = pattern.rsplit_once('.').unwrap_or(("", pattern));
        let known = &self.state.known;
        let siblings = known.iter().filter_map(|path| {
            let rest = path.strip_prefix(top)?;
            let rest = if top.is_empty() {
                rest
            } else {
                rest.strip_prefix('.')?
            };
            rest.split(['.', '[']).next()
        });
        if let Some(sibling) = nearest(name, siblings) {
            return Some(if top.is_empty() {
                sibling.to_owned()
            } else {
                format!("{top}.{sibling}")
            });
        }
        if name.len() < MISPLACED_LEN_MIN {
            return None;
        }
        let elsewhere = known.iter().filter(|path| {
            let joined = path.replace('.', "_");
            joined == name
                || joined
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.ends_with('_'))
        });
        // The least deep one; of namespaces the one that all channels without one are in.
        let depth = |path: &&String| (path.contains("[]"), path.matches('.').count());
        elsewhere.min_by_key(depth).cloned()
    }
}

impl State<'_> {
    /// Reports the variables that are no options.
    fn report_variables(&mut self) {
        for (bare, Variable { name, value }) in self.inputs.environment.iter() {
            if self.variables.contains(bare) {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            if let Some(path) = self.not_yet.of_variable(bare) {
                if !matches!(value.as_str(), "false" | "0") {
                    self.report.not_yet(name, path, &origin);
                }
                continue;
            }
            let is_of_item = |path: &&String| path.contains("[]") && is_variable_of(bare, path);
            if let Some(option) = self.known.iter().find(is_of_item) {
                let (variable, option) = (name.clone(), option.clone());
                self.report
                    .warnings
                    .push(Warning::NoItem { variable, option });
                continue;
            }
            let nearest = nearest(bare, self.variables.iter().map(String::as_str));
            let nearest = nearest.map(|nearest| format!("{PREFIX}{nearest}"));
            self.report.unknown(bare, &origin, nearest);
        }
    }

    /// Reports the flags that are no options with a type.
    fn report_flags(&mut self) {
        for (path, value) in self.inputs.flags {
            let origin = Origin::Flag(path.clone());
            if !self.known.contains(path) {
                self.report.unknown(path, &origin, None);
            } else if self.not_yet.find(path).is_some()
                && !matches!(value.as_str(), "" | "false" | "0")
            {
                self.report.not_yet(path, path, &origin);
            }
        }
    }
}

/// The objects of a list, as a file gives them or as a variable does: JSON, or names.
fn items(value: &Value, is_named: bool) -> Result<Vec<Value>, String> {
    let expected = if is_named {
        "a list of objects; in a variable: its JSON, or names with spaces between"
    } else {
        "a list of objects; in a variable: its JSON"
    };
    match value {
        Value::List(items) => Ok(items.clone()),
        Value::Text(text) if text.trim().is_empty() => Ok(Vec::new()),
        Value::Text(text) if text.trim_start().starts_with('[') => match file::json(text) {
            Ok(Value::List(items)) => Ok(items),
            Ok(_) => Err(expected.to_owned()),
            Err(error) => Err(format!("{expected}; this {error}")),
        },
        Value::Text(text) if is_named && !text.trim_start().starts_with('{') => {
            let item =
                |name: &str| Value::Map(vec![("name".to_owned(), Value::Text(name.to_owned()))]);
            Ok(text.split_whitespace().map(item).collect())
        }
        Value::Null
        | Value::Bool(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Map(_) => Err(expected.to_owned()),
    }
}
