//! What is published: a number and the time of sending, found again in a frame without decoding it.

use std::time::Instant;

use hdrhistogram::Histogram;
use memchr::memmem;

/// Before the number of a publication in its channel.
const NUMBER: &[u8] = br#""n":"#;
/// Before the time of sending.
const SENT: &[u8] = br#""t":"#;

/// Longest latency that is told apart; what takes longer counts as this. Unit: microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Data of a publication: number in its channel, time of sending in microseconds since `start`, padded to `size` bytes.
pub(crate) fn data(start: Instant, number: u64, size: usize) -> String {
    let head = format!(r#"{{"n":{number},"t":{},"p":""#, micros(start));
    let padding = size.saturating_sub(head.len() + 2);
    format!("{head}{:x<padding$}\"}}", "")
}

/// Microseconds since `start`.
pub(crate) fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Numbers of the publications in some bytes, in order, whatever their format.
pub(crate) fn numbers(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    memmem::find_iter(bytes, NUMBER).map(|at| digits(bytes, at + NUMBER.len()))
}

/// Times of sending in some bytes.
pub(crate) fn times(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    memmem::find_iter(bytes, SENT).map(|at| digits(bytes, at + SENT.len()))
}

fn digits(bytes: &[u8], from: usize) -> u64 {
    bytes
        .iter()
        .skip(from)
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, byte| number * 10 + u64::from(byte - b'0'))
}

/// Latencies between publishing and receiving.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// An empty one. Unit: microseconds, three digits exact.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_max(LATENCY_US_MAX, 3)?))
    }

    /// Notes every publication in a frame, as of now; returns how many there were.
    pub(crate) fn note(&mut self, start: Instant, frame: &[u8]) -> u64 {
        let now = micros(start);
        let mut count = 0;
        for sent in times(frame) {
            self.0.saturating_record(now.saturating_sub(sent));
            count += 1;
        }
        count
    }

    /// A quantile. Unit: milliseconds.
    pub(crate) fn ms(&self, quantile: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds of a run are far below 2^52"
        )]
        let us = self.0.value_at_quantile(quantile) as f64;
        us / 1e3
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_is_found_again() {
        let start = Instant::now();
        let frame = format!(
            r#"{{"push":{{"pub":{{"data":{}}}}}}}"#,
            data(start, 42, 100)
        );
        assert_eq!(numbers(frame.as_bytes()).collect::<Vec<_>>(), [42]);
        let mut latencies = Latencies::new().unwrap();
        assert_eq!(
            latencies.note(start, (frame.clone() + &frame).as_bytes()),
            2
        );
        assert!(latencies.ms(0.5) < 1_000.0);
        latencies.clear();
        latencies.note(
            start - std::time::Duration::from_millis(50),
            frame.as_bytes(),
        );
        assert!(
            (latencies.ms(0.99) - 50.0).abs() < 5.0,
            "{} ms",
            latencies.ms(0.99)
        );
    }

    #[test]
    fn data_is_an_object_of_the_size_asked_for() {
        let text = data(Instant::now(), 7, 128);
        assert_eq!(text.len(), 128);
        assert!(
            serde_json::from_str::<serde_json::Value>(&text)
                .unwrap()
                .is_object()
        );
    }
}
