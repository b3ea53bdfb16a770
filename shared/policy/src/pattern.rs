use std::borrow::Cow;

use regex::Regex;

/// Compiles a pattern as configuration files have it: in the syntax of Go, whose classes `\d`, `\w`
/// and `\s` and whose word boundary know ASCII alone. Ours would let names pass that were refused.
pub(crate) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&ascii_classes(pattern))
}

fn ascii_classes(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains('\\') {
        return Cow::Borrowed(pattern);
    }
    let mut ours = String::with_capacity(pattern.len() * 2);
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            ours.push(character);
            continue;
        }
        // A class in brackets may stand inside brackets, so one form serves both places.
        match characters.next() {
            Some('d') => ours.push_str("[0-9]"),
            Some('D') => ours.push_str("[^0-9]"),
            Some('w') => ours.push_str("[0-9A-Za-z_]"),
            Some('W') => ours.push_str("[^0-9A-Za-z_]"),
            Some('s') => ours.push_str(r"[\t\n\f\r ]"),
            Some('S') => ours.push_str(r"[^\t\n\f\r ]"),
            Some('b') => ours.push_str(r"(?-u:\b)"),
            Some(other) => ours.extend(['\\', other]),
            None => ours.push('\\'),
        }
    }
    Cow::Owned(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_know_ascii_alone() {
        for (pattern, text, is_match) in [
            (r"^\w+$", "abc_1", true),
            (r"^\w+$", "канал", false),
            (r"^\d+$", "42", true),
            (r"^\d+$", "٤٢", false),
            (r"^[\w-]+$", "a-b_c", true),
            (r"^[\w-]+$", "a-é", false),
            (r"^[^\d]+$", "ab", true),
            (r"^[^\d]+$", "a1", false),
            (r"^\W$", "é", true),
            (r"^\W$", "e", false),
            (r"^\D+$", "a٤", true),
            (r"^[\s\d]+$", "1 2\t", true),
            (r"^\s$", "\u{a0}", false),
            (r"^\S$", "\u{a0}", true),
            (r"\bab\b", "é ab é", true),
            (r"\bab\b", "cab", false),
            (r"^\\w$", r"\w", true),
            (r"^a\.b$", "a.b", true),
            (r"^a\.b$", "axb", false),
            (r"^.{2}$", "éé", true),
            (r"[0-9]", "a1b", true),
        ] {
            let regex = compile(pattern).unwrap();
            assert_eq!(regex.is_match(text), is_match, "{pattern} on {text}");
        }
        assert!(compile(r"a\").is_err());
        assert!(compile("(").is_err());
    }
}
