use std::fmt;
use std::time::Duration;

use super::{Scalar, Shape, leaf};
use crate::tree::Rejected;
use crate::value::Value;

const NANOS_PER_MILLI: i128 = 1_000_000;

/// A span of time. Unit: milliseconds. Zero and negative spans mean «off» where an option says so.
///
/// Written as Go writes durations: `"250ms"`, `"25s"`, `"1h30m"`, `"-1s"`. A bare number in a file
/// counts nanoseconds, as in the reference. What is finer than a millisecond is cut off; a positive
/// span below one millisecond is refused.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Millis(pub i64);

impl Millis {
    /// As many milliseconds as this many seconds have.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The span, or `None` if it is zero or negative.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        u64::try_from(self.0)
            .ok()
            .filter(|millis| *millis > 0)
            .map(Duration::from_millis)
    }

    /// Whether it is a whole number of seconds.
    #[must_use]
    pub const fn is_whole_seconds(self) -> bool {
        self.0 % 1000 == 0
    }
}

impl fmt::Display for Millis {
    /// Writes the span in the largest unit that leaves no rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, millis) in [("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
            if self.0 % millis == 0 && (self.0 != 0 || unit == "s") {
                return write!(f, "{}{unit}", self.0 / millis);
            }
        }
        write!(f, "{}ms", self.0)
    }
}

leaf!(Millis);

impl Scalar for Millis {
    fn read(given: &Value, _: Option<(i64, i64)>) -> Result<Option<Self>, Rejected> {
        let nanos = match given {
            Value::Integer(nanos) => *nanos,
            Value::Text(text) if text.is_empty() => 0,
            Value::Text(text) => parse_nanos(text).ok_or(Rejected)?,
            Value::Null | Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => {
                return Err(Rejected);
            }
        };
        if (1..NANOS_PER_MILLI).contains(&nanos) || i64::try_from(nanos).is_err() {
            return Err(Rejected);
        }
        let millis = i64::try_from(nanos / NANOS_PER_MILLI).map_err(|_| Rejected)?;
        Ok((millis != 0).then_some(Self(millis)))
    }

    fn expected(_: Option<(i64, i64)>) -> String {
        "a duration of at least 1ms with its unit, such as \"25s\", \"1h30m\" or \"250ms\" \
         (a bare number counts nanoseconds)"
            .to_owned()
    }

    fn kind() -> String {
        "duration".to_owned()
    }

    fn shape(_: Option<(i64, i64)>) -> Shape {
        Shape::Duration
    }

    fn shown(&self) -> String {
        format!("\"{self}\"")
    }

    fn written(&self) -> Value {
        Value::Text(self.to_string())
    }
}

/// Parses a duration as Go does: numbers with units, a sign before all of them.
fn parse_nanos(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Some(0);
    }
    if unsigned.is_empty() {
        return None;
    }
    let mut rest = unsigned;
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let (part, after) = parse_part(rest)?;
        nanos = nanos.checked_add(part)?;
        rest = after;
    }
    Some(if text.starts_with('-') { -nanos } else { nanos })
}

/// Parses one number with its unit; returns it in nanoseconds, with what follows.
fn parse_part(text: &str) -> Option<(i128, &str)> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit_end = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(unit_end)?;
    let scale: i128 = match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3600 * 1_000_000_000,
        _ => return None,
    };
    let mut nanos = if whole.is_empty() {
        0
    } else {
        whole.parse::<i128>().ok()?
    };
    nanos = nanos.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes() {
        // `place` is not a power of ten for minutes and hours; their tenths still are whole
        // nanoseconds, and what is finer falls off.
        nanos = nanos.checked_add(i128::from(digit - b'0') * place / 10)?;
        place /= 10;
    }
    Some((nanos, rest))
}

/// Splits leading digits off.
fn digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}
