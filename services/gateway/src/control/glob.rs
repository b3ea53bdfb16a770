use regex::{Regex, RegexBuilder};

/// Most bytes that a compiled pattern may take. Unit: bytes. 256 KiB: patterns come from callers.
const COMPILED_BYTES_MAX: usize = 256 * 1024;

/// A pattern of channel names: `*` any text, `?` one character, `[a-z]` one of a set and `[!a-z]` one
/// that is not, `{a,b}` one of several patterns, `\` takes the next character as it is.
///
/// Nothing separates: `*` crosses the boundary of the namespace. Matching takes time in proportion to
/// the name.
#[derive(Debug)]
pub(super) struct Glob(Option<Regex>);

/// The text is no pattern.
#[derive(Debug, thiserror::Error)]
#[error("not a pattern")]
pub(super) struct BadPattern;

impl Glob {
    /// Compiles a pattern; the empty one matches everything.
    ///
    /// # Errors
    ///
    /// [`BadPattern`]: a set or a choice is not closed or empty, or it is too long.
    pub(super) fn new(pattern: &str) -> Result<Self, BadPattern> {
        if pattern.is_empty() {
            return Ok(Self(None));
        }
        let expression = expression(pattern)?;
        let regex = RegexBuilder::new(&expression)
            .size_limit(COMPILED_BYTES_MAX)
            .build()
            .map_err(|_too_large| BadPattern)?;
        Ok(Self(Some(regex)))
    }

    /// Whether a name matches.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|regex| regex.is_match(name))
    }
}

/// The pattern as a regular expression.
fn expression(pattern: &str) -> Result<String, BadPattern> {
    let mut out = String::with_capacity(pattern.len() * 2 + 8);
    // Between the anchors stands a group, for a choice is weaker than what stands beside it.
    out.push_str(r"(?s)\A(?:");
    let mut choices = 0_usize;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => set(&mut characters, &mut out)?,
            '{' => {
                choices += 1;
                out.push_str("(?:");
            }
            ',' if choices > 0 => out.push('|'),
            '}' if choices > 0 => {
                choices -= 1;
                out.push(')');
            }
            '\\' => literal(characters.next().ok_or(BadPattern)?, &mut out),
            other => literal(other, &mut out),
        }
    }
    if choices > 0 {
        return Err(BadPattern);
    }
    out.push_str(r")\z");
    Ok(out)
}

/// What stands between `[` and `]`.
fn set(characters: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), BadPattern> {
    out.push('[');
    let mut is_empty = true;
    let mut next = characters.next();
    if next == Some('!') {
        out.push('^');
        next = characters.next();
    }
    loop {
        match next.ok_or(BadPattern)? {
            ']' => break,
            '-' if !is_empty => out.push('-'),
            '\\' => literal(characters.next().ok_or(BadPattern)?, out),
            other => literal(other, out),
        }
        is_empty = false;
        next = characters.next();
    }
    if is_empty {
        return Err(BadPattern);
    }
    out.push(']');
    Ok(())
}

fn literal(character: char, out: &mut String) {
    out.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form() {
        for (pattern, fits, does_not) in [
            ("", &["", "a", "a:b"][..], &[][..]),
            ("a", &["a"], &["", "b", "aa", "A"]),
            ("a*", &["a", "ab", "a:b/c", "a\nb"], &["", "ba"]),
            ("*:x", &["a:x", ":x"], &["x", "a:x1"]),
            ("a?c", &["abc", "a:c", "a\u{e9}c"], &["ac", "abbc"]),
            ("[b-d]1", &["b1", "d1"], &["a1", "1", "bb1"]),
            ("[!b-d]1", &["a1"], &["b1", "1"]),
            ("[ab-]", &["a", "b", "-"], &["c"]),
            ("[-a]", &["-", "a"], &["b"]),
            (r"[\]a]", &["]", "a"], &["b"]),
            ("{a,bc}x", &["ax", "bcx"], &["x", "abcx", "a,bcx"]),
            ("{a*,{b,c}?}", &["a", "axy", "b1", "c1"], &["b", "d1"]),
            ("a,b", &["a,b"], &["a"]),
            ("a}b", &["a}b"], &["ab"]),
            (r"\*", &["*"], &["a", ""]),
            ("a.b+(c)|$^", &["a.b+(c)|$^"], &["axb"]),
            ("a|b", &["a|b"], &["a", "b"]),
            ("{a,}b", &["ab", "b"], &["aab"]),
        ] {
            let glob = Glob::new(pattern).unwrap();
            for name in fits {
                assert!(glob.matches(name), "{pattern} {name}");
            }
            for name in does_not {
                assert!(!glob.matches(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern() {
        let long = "?".repeat(100_000);
        for pattern in [
            "a[", "[]", "[!]", "{a", "{a,{b}", "\\", "[a\\", "[z-a]", &long,
        ] {
            assert!(Glob::new(pattern).is_err(), "{pattern:.10}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_none(pattern in r"[\[\]{}*?!,\\a-c&~\^-]{0,12}", name in "[a-c]{0,4}") {
            if let Ok(glob) = Glob::new(&pattern) {
                glob.matches(&name);
            }
        }

        #[test]
        fn an_escaped_name_matches_itself_alone(name in "\\PC{1,12}", other in "\\PC{1,12}") {
            let pattern: String = name.chars().flat_map(|one| ['\\', one]).collect();
            let glob = Glob::new(&pattern).unwrap();
            prop_assert!(glob.matches(&name));
            prop_assert_eq!(glob.matches(&other), name == other);
        }
    }
}
