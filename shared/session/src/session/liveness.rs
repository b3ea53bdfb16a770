use std::time::Duration;

use bytes::Bytes;
use gyre_protocol::codes::Disconnect;
use gyre_protocol::{Envelope, frame};
use gyre_types::{Now, Uptime};

use crate::frame::Frame;
use crate::message::Message;
use crate::observe::Observation;
use crate::session::Session;

/// Interval of the transport's own pings where the option turns pings off.
const NATIVE_PING_INTERVAL: Duration = Duration::from_secs(25);
/// From such a ping to its answer.
const NATIVE_PONG_TIMEOUT: Duration = Duration::from_secs(10);

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

impl Session {
    /// Starts the timers of a connection that was just accepted.
    pub(crate) fn start_liveness(&mut self, now: Now) {
        let timing = &self.settings.timing;
        let (interval, pong_timeout) = if self.transport.envelope == Envelope::Bare {
            (timing.ping_interval, None)
        } else if self.transport.app_pings {
            (timing.ping_interval, timing.pong_timeout)
        } else {
            // The transport's own pings are never off: they keep middle boxes from closing.
            let interval = timing.ping_interval.unwrap_or(NATIVE_PING_INTERVAL);
            let timeout = timing.pong_timeout.unwrap_or(NATIVE_PONG_TIMEOUT);
            (Some(interval), Some(timeout))
        };
        self.liveness = interval
            .map(|interval| Liveness::start(interval, pong_timeout, self.random(), now.uptime));
    }

    pub(crate) fn handle_pong(&mut self, now: Now) {
        let round_trip = self
            .liveness
            .as_mut()
            // The transport's own pings are not answered by messages.
            .filter(|_| self.transport.app_pings)
            .and_then(|liveness| liveness.handle_pong(now.uptime));
        match round_trip {
            Some(took) => self.observe(Observation::Pong {
                took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            }),
            None => self.close(Disconnect::BAD_REQUEST, now),
        }
    }

    pub(crate) fn handle_liveness(&mut self, now: Now) {
        let Some(liveness) = self.liveness.as_mut() else {
            return;
        };
        match liveness.handle_timeout(now.uptime) {
            Due::Nothing => {}
            Due::SendPing if self.transport.app_pings => {
                let message = Bytes::from_static(frame::ping(self.transport.format));
                self.transmit(Message::Own(message, Frame::Ping));
            }
            Due::SendPing => self.transmit(Message::TransportPing),
            Due::NoPong => self.close(Disconnect::NO_PONG, now),
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
