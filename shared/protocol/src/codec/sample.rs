//! Random messages, and what must hold for every message: used by the test that each has.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use gyre_types::ClientId;
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Message, ZigZag, decode, encode};
use crate::{DecodeError, Format};

/// Bytes of a random message. Unit: bytes. Also bounds how deep messages nest.
const ENTROPY: usize = 300;

/// Random decisions; once they are used up, every value is zero.
pub(crate) struct Source<'a>(std::slice::Iter<'a, u8>);

impl<'a> Source<'a> {
    pub(crate) fn new(entropy: &'a [u8]) -> Self {
        Self(entropy.iter())
    }

    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    fn pick<T: Clone + Default>(&mut self, values: &[T]) -> T {
        let index = usize::from(self.byte()) % values.len();
        values.get(index).cloned().unwrap_or_default()
    }
}

pub(crate) trait Sample {
    fn sample(source: &mut Source<'_>) -> Self;
}

impl Sample for String {
    fn sample(source: &mut Source<'_>) -> Self {
        let pieces = [
            "",
            "a",
            "<b>&",
            "\"\\/",
            "\n\r\t\u{1}\u{7f}",
            "ключ",
            "\u{2028}\u{2027}",
            "😀",
        ];
        source.pick(&pieces).to_owned() + source.pick(&pieces)
    }
}

impl Sample for Arc<str> {
    fn sample(source: &mut Source<'_>) -> Self {
        String::sample(source).into()
    }
}

/// Payloads that are JSON without newlines, so that both formats keep them.
impl Sample for Bytes {
    fn sample(source: &mut Source<'_>) -> Self {
        let values = [
            "",
            "null",
            "{\"a\": [1.50, \"\\u00e9\"]}",
            "-0",
            "[[],{}]",
            "\"ключ\"",
            "true",
        ];
        source.pick(&values).into()
    }
}

impl Sample for bool {
    fn sample(source: &mut Source<'_>) -> Self {
        source.byte() & 1 == 1
    }
}

impl Sample for u64 {
    fn sample(source: &mut Source<'_>) -> Self {
        source.pick(&[0, 1, 9, 10, 127, 128, 300, 1 << 53, Self::MAX])
    }
}

impl Sample for u32 {
    fn sample(source: &mut Source<'_>) -> Self {
        source.pick(&[0, 1, 127, 128, 99_999, Self::MAX])
    }
}

impl Sample for i64 {
    fn sample(source: &mut Source<'_>) -> Self {
        source.pick(&[0, 1, -1, 64, -65, Self::MAX, Self::MIN])
    }
}

impl Sample for i32 {
    fn sample(source: &mut Source<'_>) -> Self {
        source.pick(&[0, 1, -1, 300, Self::MAX, Self::MIN])
    }
}

impl Sample for ZigZag {
    fn sample(source: &mut Source<'_>) -> Self {
        Self(i64::sample(source))
    }
}

impl<T: Sample> Sample for Option<Box<T>> {
    fn sample(source: &mut Source<'_>) -> Self {
        (source.byte() & 1 == 1).then(|| Box::new(T::sample(source)))
    }
}

impl<T: Sample> Sample for Option<Arc<T>> {
    fn sample(source: &mut Source<'_>) -> Self {
        (source.byte() & 1 == 1).then(|| Arc::new(T::sample(source)))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(source: &mut Source<'_>) -> Self {
        let len = source.byte() % 4;
        (0..len).map(|_| T::sample(source)).collect()
    }
}

impl<T: Sample> Sample for BTreeMap<String, T> {
    fn sample(source: &mut Source<'_>) -> Self {
        let len = source.byte() % 4;
        (0..len)
            .map(|_| ("k".to_owned() + &String::sample(source), T::sample(source)))
            .collect()
    }
}

impl<T: Sample> Sample for BTreeMap<ClientId, Arc<T>> {
    fn sample(source: &mut Source<'_>) -> Self {
        BTreeMap::<String, T>::sample(source)
            .into_iter()
            .map(|(name, value)| (ClientId::new(&name), Arc::new(value)))
            .collect()
    }
}

/// Checks that a message comes back from both formats as it went in, and that no bytes at all make
/// a decoder panic.
pub(crate) fn check_message<M: Message + Sample + PartialEq + Debug>() {
    proptest!(|(entropy in vec(any::<u8>(), 0..ENTROPY), noise in vec(any::<u8>(), 0..9))| {
        let message = M::sample(&mut Source::new(&entropy));
        for format in Format::ALL {
            let encoded = encode(format, &message).expect("payloads are JSON");
            let decoded: Result<M, DecodeError> = decode(format, &encoded);
            prop_assert_eq!(decoded.as_ref(), Ok(&message));

            let _: Result<M, DecodeError> = decode(format, &noise.clone().into());
            let _: Result<M, DecodeError> = decode(format, &disturbed(&encoded, &noise));
        }
        let text = encode(Format::Json, &message).expect("payloads are JSON");
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&text).is_ok());
        prop_assert!(!text.contains(&b'\n'));
    });
}

/// The bytes with some of them replaced, and perhaps cut short.
fn disturbed(bytes: &Bytes, noise: &[u8]) -> Bytes {
    let mut disturbed = bytes.to_vec();
    for pair in noise.chunks_exact(2) {
        let at = usize::from(pair[0]) % disturbed.len().max(1);
        if let Some(byte) = disturbed.get_mut(at) {
            *byte = pair[1];
        }
    }
    if noise.len() % 2 == 1 {
        disturbed.truncate(disturbed.len() * usize::from(noise[0]) / 255);
    }
    disturbed.into()
}
