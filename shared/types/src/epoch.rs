use std::fmt;

/// Identity of one life of a stream: an opaque text of at most [`Epoch::LEN_MAX`] bytes.
///
/// Held in place, so that a position is copied without an allocation. The empty epoch is «not
/// known yet».
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch {
    len: u8,
    text: [u8; Self::LEN_MAX],
}

impl Epoch {
    /// Longest epoch that our engines make. Unit: bytes. 15, so that the value has 16 bytes.
    pub const LEN_MAX: usize = 15;

    /// The epoch of this text, or `None` if it is longer than any that an engine makes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut epoch = Self {
            len: u8::try_from(text.len()).ok()?,
            text: [0; Self::LEN_MAX],
        };
        epoch
            .text
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(epoch)
    }

    /// The text as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text
            .get(..usize::from(self.len))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// Whether the epoch is not known yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_up_to_its_limit() {
        let longest = "e".repeat(Epoch::LEN_MAX);
        assert_eq!(Epoch::new(&longest).unwrap().as_str(), longest);
        assert_eq!(Epoch::new(&"e".repeat(Epoch::LEN_MAX + 1)), None);
        assert!(Epoch::new("").unwrap().is_empty());
        assert_eq!(size_of::<Epoch>(), 16);
    }
}
