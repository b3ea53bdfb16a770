//! Results: a table for people, JSON for machines.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

/// One measured number.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// What it is.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// The number.
    pub number: f64,
}

/// A value, from its name, unit and number.
pub(crate) fn value(name: impl Into<String>, unit: &'static str, number: f64) -> Value {
    Value {
        name: name.into(),
        unit,
        number,
    }
}

/// Results of all scenarios, one column per server.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    scenario: &'static str,
    name: String,
    unit: &'static str,
    columns: Vec<f64>,
}

impl Report {
    /// Adds what a scenario measured on the server of a column.
    pub(crate) fn add(&mut self, scenario: &'static str, column: usize, values: Vec<Value>) {
        for value in values {
            let known = self
                .rows
                .iter_mut()
                .find(|row| row.scenario == scenario && row.name == value.name);
            match known {
                Some(row) if column > 0 => row.columns.push(value.number),
                _ => self.rows.push(Row {
                    scenario,
                    name: value.name,
                    unit: value.unit,
                    columns: vec![value.number],
                }),
            }
        }
    }

    /// Prints the table, and writes the JSON if a file is named.
    pub(crate) fn print(&self, json: Option<&Path>) -> Result<()> {
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{:<18} {:<44} {:>12} {:>12} {:>8}",
            "scenario", "what", "server", "against", "ratio"
        )?;
        for row in &self.rows {
            let what = format!("{} [{}]", row.name, row.unit);
            write!(out, "{:<18} {what:<44}", row.scenario)?;
            for number in &row.columns {
                write!(out, " {number:>12.2}")?;
            }
            match row.columns.as_slice() {
                [ours, theirs] if *theirs > 0.0 => writeln!(out, " {:>8.2}", ours / theirs)?,
                _ => writeln!(out)?,
            }
        }
        if let Some(path) = json {
            let text = serde_json::to_string_pretty(&self.json())?;
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let row = |row: &Row| json!({"scenario": row.scenario, "name": row.name, "unit": row.unit, "values": row.columns});
        self.rows.iter().map(row).collect()
    }
}

/// Prints one line of what was asked for.
pub(crate) fn line(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}

/// Says what is going on.
pub(crate) fn progress(text: &str) {
    say(text);
}

/// Says why there is no result.
pub(crate) fn complain(text: &str) {
    say(&format!("error: {text}"));
}

fn say(text: &str) {
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_server_goes_beside_the_first() {
        let mut report = Report::default();
        report.add("idle", 0, vec![value("memory", "KB", 3.0)]);
        report.add("idle", 1, vec![value("memory", "KB", 30.0)]);
        report.add("fanout", 0, vec![value("memory", "KB", 5.0)]);
        let json = report.json();
        assert_eq!(json[0]["values"], json!([3.0, 30.0]));
        assert_eq!(json[1]["values"], json!([5.0]));
    }
}
