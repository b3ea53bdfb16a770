//! Files stay readable in one sitting, directories surveyable at a glance.

use std::collections::BTreeMap;

use crate::Finding;

/// Longest production part of a file, tests left out. Unit: lines.
pub const FILE_LINES_MAX: usize = 600;

/// Most modules in one directory; the file that heads them and `tests.rs` are not counted.
pub const DIRECTORY_FILES_MAX: usize = 12;

/// Names that head a directory or hold its tests.
const UNCOUNTED: &[&str] = &["lib.rs", "main.rs", "mod.rs", "tests.rs"];

/// Whether a path is a test as a whole: a file of a `tests` directory, or `tests.rs` beside its module.
pub fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/benches/")
}

/// Lines before the test module.
pub fn production_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count()
}

/// A file whose production part is too long.
pub fn file(path: &str, text: &str) -> Option<Finding> {
    let lines = production_lines(text);
    (lines > FILE_LINES_MAX).then(|| {
        Finding::new(
            path,
            format!("{lines} lines, at most {FILE_LINES_MAX} are allowed"),
        )
    })
}

/// Directories below some `src` that hold too many modules.
pub fn directories<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for path in paths.filter(|path| path.contains("/src/")) {
        if let Some((directory, name)) = path.rsplit_once('/')
            && !UNCOUNTED.contains(&name)
        {
            *counts.entry(directory).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > DIRECTORY_FILES_MAX)
        .map(|(directory, count)| {
            Finding::new(
                directory,
                format!("{count} modules, at most {DIRECTORY_FILES_MAX} are allowed"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_exactly_the_limit_is_fine() {
        let text = "line\n".repeat(FILE_LINES_MAX);
        assert_eq!(file("a.rs", &text), None);
        assert!(file("a.rs", &format!("{text}one more\n")).is_some());
    }

    #[test]
    fn a_test_module_does_not_count() {
        let text = format!(
            "fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "x\n".repeat(900)
        );
        assert_eq!(production_lines(&text), 1);
    }

    #[test]
    fn a_directory_counts_modules_but_not_its_head() {
        let mut paths: Vec<String> = (0..12).map(|n| format!("shared/a/src/m{n}.rs")).collect();
        paths.push("shared/a/src/lib.rs".into());
        paths.push("shared/a/src/m1/inner.rs".into());
        assert_eq!(directories(paths.iter().map(String::as_str)), []);
        paths.push("shared/a/src/m12.rs".into());
        let found = directories(paths.iter().map(String::as_str));
        assert_eq!(
            found,
            [Finding::new(
                "shared/a/src",
                "13 modules, at most 12 are allowed"
            )]
        );
    }
}
