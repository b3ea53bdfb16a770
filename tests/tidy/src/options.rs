//! Every option of the configuration names the test that shows its effect: `data/options.txt`.

use std::collections::BTreeSet;

use crate::Finding;
use crate::documents::Tests;

/// Where the table is, from the root.
pub const TABLE: &str = "tests/tidy/data/options.txt";

/// How the description of an option ends that there is nothing to do for.
pub const MARK: &str = "known for compatibility.";

/// An option that has an effect in this version, or is only known.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// Path in a file; `[]` stands for any item of a list.
    pub path: &'a str,
    /// Its description.
    pub doc: &'a str,
}

/// What is wrong between the table, the options and the tests: an option without a row, a row without an option, a row
/// whose test does not exist, and an option that is only known and does not say so.
pub fn check(table: &str, options: &[Declared<'_>], tests: &Tests) -> Vec<Finding> {
    let table = Table::parse(table);
    let (mut found, mut used) = (table.findings(tests), BTreeSet::new());
    let mut tell = |problem: String| found.push(Finding::new(TABLE, problem));
    for option in options {
        let Some(row) = table.row_of(option.path, &mut used) else {
            tell(format!("{} has no row", option.path));
            continue;
        };
        if (row.kind == Kind::Known) != option.doc.contains(MARK) {
            tell(format!("`known` and «{MARK}» go together: {}", option.path));
        }
    }
    let unused = table.rows.iter().filter(|row| !used.contains(row.line));
    unused.for_each(|row| tell(format!("no option needs `{}`", row.line)));
    found
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Below other paths stand the same options.
    Same,
    /// There is nothing to do for the option.
    Known,
    /// Tests show its effect.
    Shown,
}

/// A line of the table.
#[derive(Debug)]
struct Row<'a> {
    line: &'a str,
    kind: Kind,
    path: &'a str,
    rest: &'a str,
}

impl<'a> Row<'a> {
    fn parse(line: &'a str) -> Self {
        let (head, rest) = line.split_once(": ").unwrap_or((line, ""));
        let (kind, path) = match head.split_once(' ') {
            Some(("same", name)) => (Kind::Same, name),
            Some(("known", path)) => (Kind::Known, path),
            _ => (Kind::Shown, head),
        };
        Self {
            line,
            kind,
            path,
            rest: rest.trim(),
        }
    }
}

struct Table<'a> {
    rows: Vec<Row<'a>>,
}

impl<'a> Table<'a> {
    fn parse(text: &'a str) -> Self {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            rows: lines.map(Row::parse).collect(),
        }
    }

    /// The row of a path: its own, or that of what it is the same as. Notes the lines that led there.
    fn row_of(&self, path: &str, used: &mut BTreeSet<&'a str>) -> Option<&Row<'a>> {
        let mut path = path.to_owned();
        loop {
            let own = |row: &&Row<'_>| row.kind != Kind::Same && row.path == path;
            if let Some(row) = self.rows.iter().find(own) {
                used.insert(row.line);
                return Some(row);
            }
            let (row, rest) = self.rows.iter().find_map(|row| {
                let rest = row.tops().find_map(|top| below(&path, top))?;
                Some((row, rest.to_owned()))
            })?;
            used.insert(row.line);
            path = format!("{}{rest}", row.path);
        }
    }

    /// What is wrong with the rows themselves.
    fn findings(&self, tests: &Tests) -> Vec<Finding> {
        let mut found = Vec::new();
        for row in &self.rows {
            if row.rest.is_empty() {
                found.push(Finding::new(TABLE, format!("`{}` is no row", row.line)));
            }
            let names = row.rest.split_whitespace();
            let unknown = names.filter(|name| row.kind == Kind::Shown && !tests.knows(name));
            found.extend(
                unknown.map(|name| Finding::new(TABLE, format!("{}: no test {name}", row.path))),
            );
        }
        found
    }
}

impl<'a> Row<'a> {
    /// The paths below which stand the options of a row `same`.
    fn tops(&self) -> impl Iterator<Item = &'a str> {
        let rest = if self.kind == Kind::Same {
            self.rest
        } else {
            ""
        };
        rest.split_whitespace()
    }
}

/// The rest of a path that lies below another.
fn below<'a>(path: &'a str, top: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(top)?;
    rest.starts_with(['.', '[']).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "
        # A comment.
        same <tls>: http.tls redis.tls
        same redis: broker
        <tls>.key: it_speaks
        redis.tls.on: client/tls/*
        redis.pool: it_speaks client/tls/on
        known http.pool: connections have none
    ";

    fn findings(table: &str, options: &[(&str, &str)]) -> Vec<String> {
        let mut tests = Tests::default();
        tests.cases.insert("client/tls/on".into());
        tests.add_functions("#[test]\nfn it_speaks() {");
        let options: Vec<Declared<'_>> = options
            .iter()
            .map(|&(path, doc)| Declared { path, doc })
            .collect();
        let found = check(table, &options, &tests);
        found.into_iter().map(|finding| finding.problem).collect()
    }

    const OPTIONS: &[(&str, &str)] = &[
        ("http.tls.key", "Key."),
        ("broker.tls.on", "On."),
        ("broker.tls.key", "Key."),
        ("redis.pool", "Pool."),
        ("http.pool", "Pool. Only known for compatibility."),
    ];

    #[test]
    fn every_option_has_a_row_of_its_own_or_of_what_it_is_the_same_as() {
        assert_eq!(findings(ROWS, OPTIONS), [""; 0]);
        let mut more = OPTIONS.to_vec();
        more.push(("redis.tls.name", "Name."));
        assert_eq!(findings(ROWS, &more), ["redis.tls.name has no row"]);
    }

    #[test]
    fn a_row_without_an_option_is_found() {
        let table = format!("{ROWS}\nhttp.gone: it_speaks\nsame <x>: gone\n");
        let found = findings(&table, OPTIONS);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], "no option needs `http.gone: it_speaks`");
    }

    #[test]
    fn a_row_without_a_test_is_found() {
        let table = ROWS.replace("it_speaks client", "it_spoke client");
        assert_eq!(findings(&table, OPTIONS), ["redis.pool: no test it_spoke"]);
        let found = findings(&ROWS.replace("<tls>.key: it_speaks", "<tls>.key:"), OPTIONS);
        assert!(found[0].ends_with("is no row"), "{found:?}");
    }

    #[test]
    fn what_is_only_known_says_so() {
        let mut options = OPTIONS.to_vec();
        options[4].1 = "Pool.";
        assert_eq!(findings(ROWS, &options).len(), 1);
        options[4].1 = OPTIONS[4].1;
        options[3].1 = "Pool. Only known for compatibility.";
        assert_eq!(findings(ROWS, &options).len(), 1);
    }
}
