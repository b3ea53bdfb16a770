//! Rules about the text of Rust files that clippy does not know.

use crate::Finding;

/// A library root that does not forbid unsafe code.
pub fn forbids_unsafe(path: &str, text: &str) -> Option<Finding> {
    let forbidden = text
        .lines()
        .any(|line| line.trim() == "#![forbid(unsafe_code)]");
    (!forbidden).then(|| Finding::new(path, "without #![forbid(unsafe_code)]"))
}

/// Lints switched off: `expect` with a reason says the same and ends when it is no longer true.
pub fn allows(path: &str, text: &str) -> Vec<Finding> {
    numbered(text)
        .filter(|(_, line)| {
            let line = line.trim_start();
            line.starts_with("#[allow(") || line.starts_with("#![allow(")
        })
        .map(|(number, _)| {
            Finding::new(
                path,
                format!("line {number}: use #[expect(lint, reason = \"…\")]"),
            )
        })
        .collect()
}

/// Marks of unfinished work. `TODO(#12)` names the issue that will finish it; the others never say who will.
pub fn unfinished(path: &str, text: &str) -> Vec<Finding> {
    numbered(text)
        .filter(|(_, line)| {
            has_word(line, concat!("FIX", "ME"))
                || has_word(line, concat!("X", "XX"))
                || without_issue(line, concat!("TO", "DO"))
        })
        .map(|(number, line)| {
            Finding::new(
                path,
                format!("line {number}: no issue is named: {}", line.trim()),
            )
        })
        .collect()
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

fn has_word(line: &str, word: &str) -> bool {
    words(line).any(|found| found == word)
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
}

fn without_issue(line: &str, mark: &str) -> bool {
    let named = |rest: &str| {
        rest.strip_prefix("(#")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    has_word(line, mark)
        && !line
            .match_indices(mark)
            .all(|(at, _)| named(line.split_at(at + mark.len()).1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_forbids_unsafe_code() {
        assert!(forbids_unsafe("lib.rs", "//! Doc.\n#![forbid(unsafe_code)]\n").is_none());
        assert!(forbids_unsafe("lib.rs", "// #![forbid(unsafe_code)]\n").is_some());
    }

    #[test]
    fn allow_is_found_and_expect_is_not() {
        let text = "#[expect(dead_code, reason = \"r\")]\n    #[allow(dead_code)]\nfn f() {}\n#![allow(x)]\n";
        let lines: Vec<_> = allows("a.rs", text)
            .into_iter()
            .map(|finding| finding.problem)
            .collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].starts_with("line 2:") && lines[1].starts_with("line 4:"),
            "{lines:?}"
        );
    }

    #[test]
    fn unfinished_work_names_its_issue() {
        let mark = concat!("TO", "DO");
        assert!(unfinished("a.rs", &format!("// {mark}(#12): more\n")).is_empty());
        assert_eq!(unfinished("a.rs", &format!("// {mark}: more\n")).len(), 1);
        assert_eq!(unfinished("a.rs", &format!("// {mark}(#x)\n")).len(), 1);
        assert_eq!(unfinished("a.rs", concat!("// FIX", "ME(#12)\n")).len(), 1);
        assert!(
            unfinished("a.rs", "let todos = 3;\n").is_empty(),
            "a word is not its part"
        );
    }
}
