/// How messages are written on a connection.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Format {
    /// JSON text, one message a line.
    #[default]
    Json,
    /// Protobuf, each message behind its length.
    Protobuf,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Json, Self::Protobuf];

    /// The format as logs and metrics call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Protobuf => "protobuf",
        }
    }

    /// The WebSocket subprotocol that stands for the format.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "centrifuge-json",
            Self::Protobuf => "centrifuge-protobuf",
        }
    }

    /// The format that a WebSocket subprotocol stands for, if it is one of ours.
    #[must_use]
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.subprotocol() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subprotocols_name_formats() {
        for format in Format::ALL {
            assert_eq!(Format::from_subprotocol(format.subprotocol()), Some(format));
        }
        assert_eq!(Format::from_subprotocol("centrifuge"), None);
    }
}
