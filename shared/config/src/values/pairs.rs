use std::fmt;

use super::plain::text;
use super::{Scalar, Shape, leaf};
use crate::tree::Rejected;
use crate::value::Value;

/// Names with a text each, such as headers. The texts may be credentials and are not printed.
///
/// Written as an object, as a list of objects with `key` and `value`, or as the JSON of either in a
/// text, which is the form for variables of the environment.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Takes the pairs.
    #[must_use]
    pub const fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The pairs, in the order written; the texts are not to be logged.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Scalar::shown(self))
    }
}

leaf!(Pairs);

impl Scalar for Pairs {
    const SECRET: bool = true;

    fn read(given: &Value, _: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        let pairs = read(given)?;
        Ok((!pairs.is_empty()).then_some(Self(pairs)))
    }

    fn expand(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
        for (_, text) in &mut self.0 {
            *text = expanded(text, variable)?;
        }
        Ok(())
    }

    fn expected(_: Option<(i64, i64)>) -> String {
        "an object of texts, or a list of objects with \"key\" and \"value\"; in a variable: its JSON"
            .to_owned()
    }

    fn kind() -> String {
        "texts by name".to_owned()
    }

    fn shape(_: Option<(i64, i64)>) -> Shape {
        Shape::Pairs
    }

    fn shown(&self) -> String {
        let pairs: Vec<String> = self
            .0
            .iter()
            .map(|(name, _)| format!("{name:?}: ***"))
            .collect();
        format!("{{{}}}", pairs.join(", "))
    }

    fn written(&self) -> Value {
        let pairs = self
            .0
            .iter()
            .map(|(name, text)| (name.clone(), Value::Text(text.clone())));
        Value::Map(pairs.collect())
    }
}

fn read(given: &Value) -> Result<Vec<(String, String)>, Rejected> {
    match given {
        Value::Map(entries) => entries
            .iter()
            .map(|(name, value)| Ok((name.clone(), text(value)?.unwrap_or_default())))
            .collect(),
        Value::List(items) => items.iter().map(pair).collect(),
        Value::Text(json) if json.trim().is_empty() => Ok(Vec::new()),
        Value::Text(json) => match serde_json::from_str(json).map_err(|_| Rejected)? {
            nested @ (Value::Map(_) | Value::List(_)) => read(&nested),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {
                Err(Rejected)
            }
        },
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => Err(Rejected),
    }
}

fn pair(item: &Value) -> Result<(String, String), Rejected> {
    let part = |name| item.get(name).map_or(Ok(None), text);
    let name = part("key")?.ok_or(Rejected)?;
    Ok((name, part("value")?.unwrap_or_default()))
}

/// How a variable in a text begins and ends: `${GYRE_VAR_NAME}`.
const BEGIN: &str = "${";
const END: char = '}';

/// The text with its variables replaced. Anything else with `${` stays as it stands.
fn expanded(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        out.push_str(before);
        match after.split_once(END) {
            Some((name, behind)) if is_variable(name) => {
                out.push_str(&variable(name).ok_or_else(|| name.to_owned())?);
                rest = behind;
            }
            Some(_) | None => {
                out.push_str(BEGIN);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Whether this is a variable that texts may name: no others can be read by who writes the file.
fn is_variable(name: &str) -> bool {
    ["GYRE_VAR_", "CENTRIFUGO_VAR_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(given: &Value) -> Option<Vec<(String, String)>> {
        Pairs::read(given, None)
            .ok()
            .map(|pairs| pairs.unwrap_or_default().0)
    }

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_form_is_read_and_keeps_the_case_of_names() {
        let expected = Some(vec![("X-Key".to_owned(), "a b".to_owned())]);
        assert_eq!(pairs(&json(r#"{"X-Key": "a b"}"#)), expected);
        assert_eq!(
            pairs(&json(r#"[{"key": "X-Key", "value": "a b"}]"#)),
            expected
        );
        assert_eq!(
            pairs(&Value::Text(r#"{"X-Key": "a b"}"#.to_owned())),
            expected
        );
        assert_eq!(
            pairs(&Value::Text(
                r#"[{"key":"X-Key","value":"a b"}]"#.to_owned()
            )),
            expected
        );
        assert_eq!(pairs(&json("{}")), Some(Vec::new()));
        for broken in [
            r#"{"a": []}"#,
            r#"["a"]"#,
            r#"[{"value": "a"}]"#,
            "1",
            r#""a: b""#,
        ] {
            assert_eq!(pairs(&json(broken)), None, "{broken}");
        }
    }

    #[test]
    fn texts_are_not_printed() {
        let pairs = Pairs::new(vec![("Authorization".to_owned(), "secret".to_owned())]);
        assert_eq!(format!("{pairs:?}"), r#"{"Authorization": ***}"#);
    }

    #[test]
    fn variables_of_texts_are_replaced_and_no_others() {
        let variable = |name: &str| (name == "GYRE_VAR_KEY").then(|| "k".to_owned());
        let expand = |text: &str| expanded(text, &variable);
        assert_eq!(expand("a ${GYRE_VAR_KEY}!"), Ok("a k!".to_owned()));
        assert_eq!(expand("${HOME} ${ $"), Ok("${HOME} ${ $".to_owned()));
        assert_eq!(
            expand("${CENTRIFUGO_VAR_X}"),
            Err("CENTRIFUGO_VAR_X".to_owned())
        );
    }
}
