use std::time::Duration;

use gyre_types::Uptime;

/// How long the socket has taken nothing, while something waits for it.
#[derive(Debug)]
pub(super) struct Stuck {
    /// Since when, and how much it had taken by then.
    since: Option<(Uptime, u64)>,
}

impl Stuck {
    pub(super) const fn new() -> Self {
        Self { since: None }
    }

    /// Something waits, and the socket has taken `sent` bytes so far.
    pub(super) fn waits(&mut self, now: Uptime, sent: u64) {
        if self.since.is_none_or(|(_, before)| before != sent) {
            self.since = Some((now, sent));
        }
    }

    /// Nothing waits.
    pub(super) const fn ends(&mut self) {
        self.since = None;
    }

    /// When it will have taken nothing for that long.
    pub(super) fn until(&self, timeout: Duration) -> Option<Uptime> {
        self.since.map(|(since, _)| since + timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(1);

    fn at(ms: u64) -> Uptime {
        Uptime::default() + Duration::from_millis(ms)
    }

    #[test]
    fn who_takes_little_by_little_has_time() {
        let mut stuck = Stuck::new();
        for step in 0..10 {
            let now = at(step * 900);
            assert!(stuck.until(TIMEOUT).is_none_or(|until| until > now));
            stuck.waits(now, step);
        }
    }

    #[test]
    fn who_takes_nothing_has_time_since_the_first_look() {
        let mut stuck = Stuck::new();
        assert_eq!(stuck.until(TIMEOUT), None);
        for step in 5..10 {
            stuck.waits(at(step * 100), 7);
            assert_eq!(stuck.until(TIMEOUT), Some(at(1_500)));
        }
        stuck.ends();
        assert_eq!(stuck.until(TIMEOUT), None);
    }
}
