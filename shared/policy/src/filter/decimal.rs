use std::cmp::Ordering;

/// Digits after the point at most; a text with more is no number. Unit: digits. 19, as in the
/// reference, whose filters then mean the same here.
const FRACTION_DIGITS_MAX: usize = 19;

/// A decimal number in a text: an optional sign, digits, and optionally a point and up to
/// [`FRACTION_DIGITS_MAX`] digits more. No exponent, no blanks, no digits left out.
///
/// Compared digit by digit, so that no number is too long or too close to another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Decimal<'a> {
    /// Never so for zero, which has one sign here.
    is_negative: bool,
    /// Without leading zeros.
    whole: &'a str,
    /// Without trailing zeros.
    fraction: &'a str,
}

/// A decimal number of its own.
#[derive(Clone, Debug)]
pub(super) struct Number {
    is_negative: bool,
    whole: Box<str>,
    fraction: Box<str>,
}

impl<'a> Decimal<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) => (whole, digits(fraction)?),
            None => (unsigned, ""),
        };
        let whole = digits(whole)?.trim_start_matches('0');
        if fraction.len() > FRACTION_DIGITS_MAX {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self {
            is_negative: text.starts_with('-') && !is_zero,
            whole,
            fraction,
        })
    }

    /// How the sizes compare, whatever the signs.
    fn cmp_size(&self, other: &Self) -> Ordering {
        // Without leading zeros the longer one is larger, and of the same length digits compare as
        // text does; so do fractions, since zeros that are left out sort before digits.
        let whole = (self.whole.len(), self.whole).cmp(&(other.whole.len(), other.whole));
        whole.then_with(|| self.fraction.cmp(other.fraction))
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, false) => self.cmp_size(other),
            (true, true) => other.cmp_size(self),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Number {
    pub(super) fn as_decimal(&self) -> Decimal<'_> {
        Decimal {
            is_negative: self.is_negative,
            whole: &self.whole,
            fraction: &self.fraction,
        }
    }
}

impl From<Decimal<'_>> for Number {
    fn from(decimal: Decimal<'_>) -> Self {
        Self {
            is_negative: decimal.is_negative,
            whole: decimal.whole.into(),
            fraction: decimal.fraction.into(),
        }
    }
}

/// The text, if it is one digit or more and nothing else.
fn digits(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_a_number() {
        for text in [
            "0",
            "7",
            "-7",
            "+7",
            "007",
            "1.5",
            "-0.0",
            "+0",
            "0.3000000000000000001",
        ] {
            assert!(Decimal::parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "-",
            "+",
            ".",
            "-.",
            ".5",
            "5.",
            "-.5",
            "1.2.3",
            "1e3",
            "1E3",
            "0x1",
            " 1",
            "1 ",
            "1,5",
            "1_0",
            "--1",
            "+-1",
            "NaN",
            "inf",
            "١",
            "1.٥",
            "abc",
            "0.30000000000000000001",
            "0.00000000000000000000",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn order_is_exact() {
        let ascending = [
            "-100000000000000000000000000000000000000000000000001",
            "-100000000000000000000000000000000000000000000000000",
            "-10",
            "-9.9999999999999999999",
            "-9",
            "-0.0000000000000000001",
            "0",
            "0.0000000000000000001",
            "0.1",
            "0.29999999999999999",
            "0.3",
            "0.3000000000000000001",
            "1",
            "9.9",
            "10",
            "10.01",
            "10.1",
            "99999999999999999999999999999999999999999999999999.9",
            "100000000000000000000000000000000000000000000000000",
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                assert_eq!(compare(left, right), Some(i.cmp(&j)), "{left} {right}");
            }
        }
        for (left, right) in [
            ("-0", "+0.000"),
            ("10.0", "0010"),
            ("+1.50", "1.5"),
            ("-2", "-2.0"),
        ] {
            assert_eq!(
                compare(left, right),
                Some(Ordering::Equal),
                "{left} {right}"
            );
        }
    }

    proptest! {
        #[test]
        fn agrees_with_scaled_integers(left in decimal(), right in decimal()) {
            let (left, left_scaled) = left;
            let (right, right_scaled) = right;
            prop_assert_eq!(compare(&left, &right), Some(left_scaled.cmp(&right_scaled)));
        }

        #[test]
        fn any_text_is_a_number_or_not(text in "\\PC*") {
            let grammar = |text: &str| {
                let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
                let parts: Vec<&str> = unsigned.split('.').collect();
                let are_digits = parts
                    .iter()
                    .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
                are_digits && parts.len() <= 2 && parts.get(1).is_none_or(|part| part.len() <= 19)
            };
            prop_assert_eq!(Decimal::parse(&text).is_some(), grammar(&text));
        }

        #[test]
        fn owned_numbers_compare_alike(text in "[+-]?[0-9]{1,4}(\\.[0-9]{1,4})?") {
            let decimal = Decimal::parse(&text).unwrap();
            let number = Number::from(decimal);
            prop_assert_eq!(number.as_decimal(), decimal);
        }
    }

    fn compare(left: &str, right: &str) -> Option<Ordering> {
        Some(Decimal::parse(left)?.cmp(&Decimal::parse(right)?))
    }

    /// A number as text, written in one of many ways, and as multiples of 10⁻¹⁹. Small ranges, so
    /// that equal numbers come up.
    fn decimal() -> impl Strategy<Value = (String, i128)> {
        let whole = prop_oneof![0_i128..3, 0..1_000_000_000_000_000_000_i128];
        let fraction = prop_oneof![
            Just(String::new()),
            "[0-9]{1,3}".prop_map(|digits| digits),
            "[0-9]{1,19}".prop_map(|digits| digits),
        ];
        let sign = prop_oneof![Just("-"), Just("+"), Just("")];
        (sign, 0_usize..3, whole, fraction).prop_map(|(sign, zeros, whole, fraction)| {
            let scaled_fraction: i128 = format!("{fraction:0<19}").parse().unwrap_or_default();
            let scaled = whole * 10_i128.pow(19) + scaled_fraction;
            let point = if fraction.is_empty() { "" } else { "." };
            let text = format!("{sign}{}{whole}{point}{fraction}", "0".repeat(zeros));
            (text, if sign == "-" { -scaled } else { scaled })
        })
    }
}
