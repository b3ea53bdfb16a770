use std::time::Duration;

use gyre_types::Uptime;

/// The ping cycle of one connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Liveness {
    interval: Duration,
    /// `None`: pings need no answer.
    pong_timeout: Option<Duration>,
    state: State,
    /// The latest one.
    round_trip: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// The next ping is sent at this point; a pong before it answers nothing.
    Answered { ping_at: Uptime },
    /// A ping is out.
    Awaiting { sent_at: Uptime },
}

/// What a timeout means for the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    Nothing,
    SendPing,
    NoPong,
}

impl Liveness {
    /// A cycle whose first ping comes at a point between half the interval and all of it that
    /// `random` decides, so that connections that came together do not ping together.
    pub(crate) fn start(
        interval: Duration,
        pong_timeout: Option<Duration>,
        random: u64,
        now: Uptime,
    ) -> Self {
        let half_ms = u64::try_from(interval.as_millis() / 2).unwrap_or(u64::MAX);
        let spread_ms = random.checked_rem(half_ms).unwrap_or(0);
        let ping_at = now + Duration::from_millis(half_ms.saturating_add(spread_ms));
        Self {
            interval,
            pong_timeout,
            state: State::Answered { ping_at },
            round_trip: None,
        }
    }

    /// From the latest ping that was answered to its pong.
    pub(crate) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(crate) fn next(&self) -> Uptime {
        match (self.state, self.pong_timeout) {
            (State::Answered { ping_at }, _) => ping_at,
            (State::Awaiting { sent_at }, Some(timeout)) => sent_at + timeout,
            (State::Awaiting { sent_at }, None) => sent_at + self.interval,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Uptime) -> Due {
        if now < self.next() {
            return Due::Nothing;
        }
        match (self.state, self.pong_timeout) {
            (State::Awaiting { .. }, Some(_)) => Due::NoPong,
            (State::Awaiting { .. }, None) | (State::Answered { .. }, _) => {
                self.state = State::Awaiting { sent_at: now };
                Due::SendPing
            }
        }
    }

    /// Takes a pong; gives the round trip, or `None` if no ping is out.
    pub(crate) fn handle_pong(&mut self, now: Uptime) -> Option<Duration> {
        match self.state {
            State::Awaiting { sent_at } => {
                self.state = State::Answered {
                    ping_at: sent_at + self.interval,
                };
                self.round_trip = Some(now - sent_at);
                self.round_trip
            }
            State::Answered { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(25);
    const TIMEOUT: Duration = Duration::from_secs(8);

    #[test]
    fn first_ping_comes_in_the_second_half_of_the_interval() {
        for random in [0, 1, 12_499, 12_500, u64::MAX] {
            let cycle = Liveness::start(INTERVAL, Some(TIMEOUT), random, Uptime::START);
            let first = cycle.next().as_millis();
            assert!((12_500..25_000).contains(&first), "{first}");
        }
    }

    #[test]
    fn a_pong_answers_one_ping() {
        let mut cycle = Liveness::start(INTERVAL, Some(TIMEOUT), 0, Uptime::START);
        let ping_at = cycle.next();
        assert_eq!(cycle.handle_pong(ping_at), None);
        assert_eq!(cycle.handle_timeout(ping_at), Due::SendPing);
        let pong_at = ping_at + Duration::from_millis(30);
        assert_eq!(cycle.handle_pong(pong_at), Some(Duration::from_millis(30)));
        assert_eq!(cycle.handle_pong(pong_at), None);
        assert_eq!(cycle.round_trip(), Some(Duration::from_millis(30)));
        assert_eq!(cycle.next(), ping_at + INTERVAL);
    }

    #[test]
    fn no_pong_ends_the_connection_unless_none_is_asked_for() {
        let mut cycle = Liveness::start(INTERVAL, Some(TIMEOUT), 0, Uptime::START);
        let ping_at = cycle.next();
        cycle.handle_timeout(ping_at);
        let just_before = Uptime::from_millis((ping_at + TIMEOUT).as_millis() - 1);
        assert_eq!(cycle.handle_timeout(just_before), Due::Nothing);
        assert_eq!(cycle.handle_timeout(ping_at + TIMEOUT), Due::NoPong);

        let mut one_way = Liveness::start(INTERVAL, None, 0, Uptime::START);
        one_way.handle_timeout(ping_at);
        assert_eq!(one_way.handle_timeout(ping_at + INTERVAL), Due::SendPing);
    }
}
