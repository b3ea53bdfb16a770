//! Texts that may not stand in a tracked file: paths of somebody's machine and what tools leave behind.
//!
//! The patterns are data (`data/words.txt`), one a line, found without regard to case.

use crate::Finding;

/// Where the patterns stand; that file itself is not searched.
pub const PATH: &str = "tests/tidy/data/words.txt";

/// Reads the patterns. Empty lines and lines that begin with `#` are comments.
pub fn parse(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_lowercase)
        .collect()
}

/// Lines of a file with a pattern in them that does not continue a longer word.
pub fn check(path: &str, text: &str, patterns: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        if let Some(pattern) = patterns
            .iter()
            .find(|pattern| stands_alone(&lower, pattern))
        {
            found.push(Finding::new(
                path,
                format!("line {}: `{pattern}`", index + 1),
            ));
        }
    }
    found
}

/// Whether the pattern occurs where no letter, digit or path goes before it: `/root/` but not `https://a/root/`.
fn stands_alone(line: &str, pattern: &str) -> bool {
    line.match_indices(pattern).any(|(at, _)| {
        let before = line.split_at(at).0.chars().next_back();
        !before
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '~' | '*'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> bool {
        !check("f", line, &parse("# paths\n/home/\nGenerated With\n")).is_empty()
    }

    #[test]
    fn a_pattern_is_found_without_regard_to_case() {
        assert!(found("see /home/me/notes"));
        assert!(found("generated with love"));
        assert!(found("\"/home/me\""));
    }

    #[test]
    fn a_longer_path_or_word_is_something_else() {
        assert!(!found("https://example.org/home/page"));
        assert!(!found("./home/page and ~/home/x"));
        assert!(!found("regenerated with care"));
    }

    #[test]
    fn the_line_is_named() {
        let findings = check("f", "fine\n/home/me\n", &parse("/home/"));
        assert_eq!(findings, [Finding::new("f", "line 2: `/home/`")]);
    }
}
