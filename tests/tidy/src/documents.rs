//! Documents are true where a machine can tell: what they name exists, and every rule names the test that holds it.

use std::collections::BTreeSet;

use crate::Finding;

/// Markdown files named in a text which do not exist: not from the root, not from the text's own directory, and no
/// tracked file has that name.
pub fn dead_references(path: &str, text: &str, tracked: &[String]) -> Vec<Finding> {
    let exists = |name: &str| {
        let name = name.trim_start_matches("./").trim_start_matches("../");
        tracked
            .iter()
            .any(|other| other == name || other.ends_with(&format!("/{name}")))
    };
    let names: BTreeSet<&str> = text.lines().flat_map(markdown_names).collect();
    names
        .into_iter()
        .filter(|name| !exists(name.trim_start_matches("../")))
        .map(|name| Finding::new(path, format!("names {name}, which does not exist")))
        .collect()
}

fn markdown_names(line: &str) -> impl Iterator<Item = &str> {
    let outside =
        |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':'));
    line.split(outside)
        .map(|word| word.trim_end_matches(['.', ':']))
        .filter(|word| word.len() > 3 && word.ends_with(".md") && !word.contains("://"))
}

/// Rules of a specification without a test that exists. A rule is a table row with MUST or SHOULD in it; its last cell
/// names tests between backticks, as [`Tests::knows`] finds them.
pub fn untested_rules(path: &str, text: &str, tests: &Tests) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let is_rule = line.starts_with('|') && (line.contains("MUST") || line.contains("SHOULD"));
        let Some(last) = line
            .trim_end()
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .filter(|_| is_rule)
        else {
            continue;
        };
        let names: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            found.push(Finding::new(
                path,
                format!("line {}: no test is named", index + 1),
            ));
        }
        let unknown = names.into_iter().filter(|name| !tests.knows(name));
        found.extend(
            unknown.map(|name| Finding::new(path, format!("line {}: no test `{name}`", index + 1))),
        );
    }
    found
}

/// Everything that can be named as a test.
#[derive(Debug, Default)]
pub struct Tests {
    /// Ids of the cases that the conformance suites run, with the suite's name first: `client/framing/empty-frame`.
    pub cases: BTreeSet<String>,
    /// Names of test functions, and titles of tests in JavaScript.
    pub functions: BTreeSet<String>,
}

impl Tests {
    /// Whether a name is a test: a case or a glob of cases with one `*` at its end, or a function or title.
    pub fn knows(&self, name: &str) -> bool {
        match name.strip_suffix('*') {
            Some(prefix) => self.cases.iter().any(|case| case.starts_with(prefix)),
            None => self.cases.contains(name) || self.functions.contains(name),
        }
    }

    /// Adds the test functions of a file: `fn name(` in Rust, `def test_…(` in Python, `test('…'` in JavaScript.
    pub fn add_functions(&mut self, text: &str) {
        for line in text.lines().map(str::trim_start) {
            let line = line.trim_start_matches("pub ").trim_start_matches("async ");
            let name = line
                .strip_prefix("fn ")
                .or_else(|| line.strip_prefix("def "));
            let name = name.and_then(|rest| {
                rest.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .next()
            });
            let title = line
                .strip_prefix("test('")
                .and_then(|rest| rest.split('\'').next());
            self.functions.extend(name.or(title).map(String::from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracked() -> Vec<String> {
        vec!["README.md".into(), "docs/adr/0001-core.md".into()]
    }

    #[test]
    fn a_document_may_be_named_from_anywhere() {
        let text =
            "See README.md, [the decision](../adr/0001-core.md), `docs/adr/0001-core.md`: good.\n";
        assert_eq!(dead_references("docs/specs/a.txt", text, &tracked()), []);
        assert_eq!(
            dead_references("a", "https://example.org/other.md", &tracked()),
            []
        );
        assert_eq!(dead_references("a", "files end in .md", &tracked()), []);
    }

    #[test]
    fn a_document_that_does_not_exist_is_found() {
        let found = dead_references("a.rs", "// see plan.md.\n// and plan.md\n", &tracked());
        assert_eq!(
            found,
            [Finding::new("a.rs", "names plan.md, which does not exist")]
        );
    }

    #[test]
    fn a_rule_names_a_test_that_exists() {
        let mut tests = Tests::default();
        tests.cases.insert("client/ping/manual".into());
        tests.add_functions(
            "    async fn replies_come_first() {\n  test('delta in Protobuf', () => {\n",
        );
        let row = |cell: &str| {
            untested_rules("s.md", &format!("| 1 | it MUST hold | {cell} |\n"), &tests).len()
        };
        assert_eq!(row("`client/ping/manual`, `replies_come_first`"), 0);
        assert_eq!(row("`client/ping/*`"), 0);
        assert_eq!(row("`delta in Protobuf`"), 0);
        assert_eq!(row("`client/pong/*`"), 1);
        assert_eq!(row("`client/ping/manual`, `gone`"), 1);
        assert_eq!(row("by hand"), 1);
        assert_eq!(
            untested_rules("s.md", "a sentence that MUST hold\n", &tests),
            []
        );
    }
}
