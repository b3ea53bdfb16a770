//! The list of findings that stay, each with a reason, and what a test says about it.

use anyhow::{Result, bail};

use crate::Finding;
use crate::repository::Repository;

/// Where the list stands.
pub const PATH: &str = "tests/tidy/data/exemptions.txt";

/// One line of the list: `rule place: reason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Name of the rule, such as `size`.
    pub rule: String,
    /// The path or crate that is let off.
    pub place: String,
    /// Why, and until when.
    pub reason: String,
}

/// Reads the list. Empty lines and lines that begin with `#` are comments.
///
/// # Errors
/// On a line without rule, place or reason.
pub fn parse(text: &str) -> Result<Vec<Exemption>> {
    let mut list = Vec::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let parts = line.split_once(": ").and_then(|(head, reason)| {
            head.split_once(' ')
                .map(|(rule, place)| (rule, place, reason.trim()))
        });
        match parts {
            Some((rule, place, reason)) if !reason.is_empty() => {
                list.push(Exemption {
                    rule: rule.into(),
                    place: place.trim().into(),
                    reason: reason.into(),
                });
            }
            _ => bail!("not `rule place: reason`: {line}"),
        }
    }
    Ok(list)
}

/// What is to be said about a rule: findings nobody let off, then lines of the list that are not needed.
pub fn judge(rule: &str, findings: &[Finding], list: &[Exemption]) -> Vec<String> {
    let ours = || list.iter().filter(|exemption| exemption.rule == rule);
    let broken = findings
        .iter()
        .filter(|finding| !ours().any(|exemption| exemption.place == finding.place))
        .map(|finding| format!("{rule}: {finding}"));
    let stale = ours()
        .filter(|exemption| {
            !findings
                .iter()
                .any(|finding| finding.place == exemption.place)
        })
        .map(|exemption| {
            format!(
                "{rule}: {} keeps the rule, take it off {PATH}",
                exemption.place
            )
        });
    broken.chain(stale).collect()
}

/// Judges a rule with the committed list; the result is empty when all is well.
///
/// # Errors
/// When the list cannot be read.
pub fn check(repository: &Repository, rule: &str, findings: &[Finding]) -> Result<Vec<String>> {
    let list = parse(&repository.text(PATH)?)?;
    Ok(judge(rule, findings, &list))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_unless_it_is_listed() {
        let list = parse("# why\nsize a.rs: generated table, goes with #7\n").unwrap();
        let told = judge(
            "size",
            &[Finding::new("a.rs", "long"), Finding::new("b.rs", "long")],
            &list,
        );
        assert_eq!(told, ["size: b.rs: long"]);
    }

    #[test]
    fn a_line_that_is_not_needed_is_told() {
        let list = parse("size a.rs: once it was long\nwords a.rs: quotes a path").unwrap();
        let told = judge("size", &[], &list);
        assert_eq!(
            told.len(),
            1,
            "the other rule's line is none of this one's business"
        );
        assert!(told[0].contains("a.rs keeps the rule"), "{told:?}");
    }

    #[test]
    fn a_line_needs_a_reason() {
        assert!(parse("size a.rs").is_err());
        assert!(parse("size a.rs:  ").is_err());
    }
}
