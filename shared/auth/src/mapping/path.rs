use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A way into JSON: names of members and numbers of items.
pub(crate) struct Path(Vec<String>);

impl Path {
    /// Takes a path whose steps are divided by dots; `None` if a step is empty.
    pub(crate) fn new(path: &str) -> Option<Self> {
        let steps = steps(path);
        (!steps.iter().any(String::is_empty)).then_some(Self(steps))
    }

    /// The JSON text at the end of the path, if there is one.
    pub(crate) fn follow<'a>(&self, json: &'a str) -> Option<&'a str> {
        let mut json = json;
        for step in &self.0 {
            json = match json.starts_with('[') {
                true => {
                    let items: Vec<&'a RawValue> = serde_json::from_str(json).ok()?;
                    items.get(step.parse::<usize>().ok()?)?.get()
                }
                false => {
                    let members: BTreeMap<String, &'a RawValue> =
                        serde_json::from_str(json).ok()?;
                    members.get(step)?.get()
                }
            };
        }
        Some(json)
    }
}

/// Divides at dots; a backslash takes the character behind it as it is.
fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut step = String::new();
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '.' => steps.push(std::mem::take(&mut step)),
            '\\' => step.extend(characters.next()),
            other => step.push(other),
        }
    }
    steps.push(step);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_divided_at_dots() {
        assert_eq!(steps("a.b"), ["a", "b"]);
        assert_eq!(steps(r"https://x\.y/id.z"), ["https://x.y/id", "z"]);
        assert_eq!(steps(r"a\"), ["a"]);
    }

    #[test]
    fn items_are_numbered_from_zero() {
        let at = |path: &str| Path::new(path).unwrap().follow(r#"{"l":[1,{"x":[2]}]}"#);
        assert_eq!(at("l.0"), Some("1"));
        assert_eq!(at("l.1.x.0"), Some("2"));
        assert_eq!(at("l.2"), None);
        assert_eq!(at("l.x"), None);
        assert_eq!(at("l.-1"), None);
    }
}
