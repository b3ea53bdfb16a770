//! The delivery path is a list: `docs/hot-path.md` says which functions, the code marks them, and nothing else is marked.
//!
//! A mark is the comment line `// hot path: delivery 3/6` above the function, its attributes and documentation.

use crate::Finding;

/// Where the list stands.
pub const PATH: &str = "docs/hot-path.md";

/// Built from two parts so that this file is not marked itself.
const MARK: &str = concat!("// hot ", "path: ");

/// One step of the list, as documented or as marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Name of the path and place in it, such as `delivery 3/6`.
    pub label: String,
    /// Name of the function, without its type.
    pub function: String,
    /// Directory of the crate, as documented; path of the file, as marked.
    pub place: String,
}

impl Step {
    /// Whether a mark in the code stands where this row says.
    fn describes(&self, mark: &Self) -> bool {
        self.label == mark.label && mark.place.starts_with(&self.place)
    }
}

/// Rows of the tables in the document: `| delivery 1/6 | `Type::function` | `services/gateway` | … |`.
pub fn documented(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        if let [_, label, function, place, ..] = cells.as_slice()
            && label.contains('/')
        {
            let function = function.rsplit("::").next().unwrap_or(function);
            steps.push(Step {
                label: (*label).into(),
                function: function.into(),
                place: (*place).into(),
            });
        }
    }
    steps
}

/// Marks of one file, each with the next function below it.
pub fn marked(path: &str, text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(label) = line.trim().strip_prefix(MARK) {
            let function = lines.clone().find_map(function_name).unwrap_or_default();
            steps.push(Step {
                label: label.trim().into(),
                function: function.into(),
                place: path.into(),
            });
        }
    }
    steps
}

fn function_name(line: &str) -> Option<&str> {
    if line.trim_start().starts_with("//") {
        return None;
    }
    let (_, rest) = line.split_once("fn ")?;
    rest.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()
}

/// Where document and code differ. A step may be documented in several places, one row each.
pub fn compare(documented: &[Step], marked: &[Step]) -> Vec<Finding> {
    let mut found = Vec::new();
    for step in documented {
        let here: Vec<&Step> = marked.iter().filter(|mark| step.describes(mark)).collect();
        let problem = match here.as_slice() {
            [] => format!("`{}` is not marked in {}", step.function, step.place),
            [mark] if mark.function == step.function => continue,
            [mark] => format!(
                "`{}` is marked instead of `{}`",
                mark.function, step.function
            ),
            several => format!("marked {} times in {}", several.len(), step.place),
        };
        found.push(Finding::new(&step.label, problem));
    }
    let unknown = marked
        .iter()
        .filter(|mark| !documented.iter().any(|step| step.describes(mark)));
    found.extend(unknown.map(|mark| {
        Finding::new(
            &mark.label,
            format!("marked in {}, not documented", mark.place),
        )
    }));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(label: &str, function: &str) -> String {
        format!(
            "    {MARK}{label}\n    /// Says fn documented.\n    #[inline]\n    pub(crate) fn {function}(&self) {{}}\n"
        )
    }

    #[test]
    fn the_table_and_the_marks_are_read() {
        let table = "| step | function | crate | note |\n|---|---|---|---|\n| delivery 1/2 | `Hub::fan_out` | `shared/hub` | x |\n";
        assert_eq!(
            documented(table),
            [Step {
                label: "delivery 1/2".into(),
                function: "fan_out".into(),
                place: "shared/hub".into()
            }]
        );
        let marks = marked("shared/hub/src/hub.rs", &mark("delivery 1/2", "fan_out"));
        assert_eq!(marks.len(), 1);
        assert_eq!(marks[0].function, "fan_out");
        assert_eq!(compare(&documented(table), &marks), []);
    }

    #[test]
    fn a_missing_a_double_and_a_stray_mark_are_found() {
        let table =
            "| delivery 1/2 | `a` | `shared/hub` |\n| delivery 2/2 | `b` | `shared/hub` |\n";
        let code =
            mark("delivery 2/2", "b") + &mark("delivery 2/2", "c") + &mark("delivery 3/2", "d");
        let found = compare(&documented(table), &marked("shared/hub/src/hub.rs", &code));
        let problems: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 3, "{problems:#?}");
        assert!(problems[0].contains("is not marked"));
        assert!(problems[1].contains("marked 2 times"));
        assert!(problems[2].contains("not documented"));
    }

    #[test]
    fn another_function_or_crate_is_found() {
        let table = "| delivery 1/1 | `a` | `shared/hub` |\n";
        let found = |path, name| {
            compare(
                &documented(table),
                &marked(path, &mark("delivery 1/1", name)),
            )
            .len()
        };
        assert_eq!(found("shared/hub/src/lib.rs", "a"), 0);
        assert_eq!(
            found("shared/session/src/lib.rs", "a"),
            2,
            "missing there, stray here"
        );
        assert_eq!(found("shared/hub/src/lib.rs", "z"), 1);
    }

    #[test]
    fn a_step_may_have_a_row_per_place() {
        let table = "| publish 1/2 | `call` | `api/src/grpc.rs` |\n| publish 1/2 | `call` | `api/src/http.rs` |\n";
        let grpc = marked("api/src/grpc.rs", &mark("publish 1/2", "call"));
        let http = marked("api/src/http.rs", &mark("publish 1/2", "call"));
        assert_eq!(
            compare(&documented(table), &[grpc.clone(), http].concat()),
            []
        );
        assert_eq!(compare(&documented(table), &grpc).len(), 1);
    }
}
