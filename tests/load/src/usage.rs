//! What a process has used, from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// Clock ticks per second in `/proc/<pid>/stat`: fixed on Linux for every architecture we build on.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU and memory of a process at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// User and system time since its start. Unit: microseconds.
    pub cpu_us: f64,
    /// Resident memory. Unit: bytes.
    pub resident: f64,
}

impl Usage {
    /// Reads both. Memory comes from `smaps_rollup`, which is exact; `statm` lags behind by some pages per thread.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the server is gone")?;
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        Ok(Self {
            cpu_us: cpu_us(&stat).with_context(|| format!("/proc/{pid}/stat: {stat}"))?,
            resident: resident(&rollup)
                .with_context(|| format!("/proc/{pid}/smaps_rollup: {rollup}"))?,
        })
    }
}

/// Fields 14 and 15, counted after the name, which may hold spaces and parentheses.
fn cpu_us(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<f64>);
    let ticks = fields.next()?.ok()? + fields.next()?.ok()?;
    Some(ticks / TICKS_PER_SECOND * 1e6)
}

fn resident(rollup: &str) -> Option<f64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_us(stat), Some(2_000_000.0));
    }

    #[test]
    fn resident_memory_is_in_kibibytes() {
        assert_eq!(
            resident("55d0-7ffe ---p 0 00:00 0 [rollup]\nRss:                 132 kB\nPss: 9 kB\n"),
            Some(135_168.0)
        );
        assert_eq!(resident("Pss: 9 kB\n"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident > 100_000.0, "{usage:?}");
    }
}
