use gyre_types::{Fault, Kind};

/// Why a token was refused. Its text is for operators; clients see codes.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The signature holds, but the token is past its `exp` or before its `nbf`.
    #[error("token is out of its time")]
    Expired,
    /// The token cannot be accepted, now or later.
    #[error("token is invalid")]
    Invalid {
        /// What is wrong with it.
        #[source]
        reason: Reason,
    },
}

impl Fault for TokenError {
    fn fault(&self) -> Kind {
        match self {
            Self::Expired | Self::Invalid { .. } => Kind::Caller,
        }
    }
}

impl From<Reason> for TokenError {
    fn from(reason: Reason) -> Self {
        Self::Invalid { reason }
    }
}

/// What is wrong with an invalid token.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The text is not three parts, of which the first two are JSON in URL-safe base64.
    #[error("{part} is malformed")]
    Malformed {
        /// Which part of the token.
        part: &'static str,
    },
    /// The header names extensions that must be understood, and none is.
    #[error("header has critical extensions")]
    CriticalExtensions,
    /// No such algorithm, or one that signs nothing.
    #[error("algorithm {name} is not supported")]
    UnknownAlgorithm {
        /// As the header names it, cut to 32 characters.
        name: String,
    },
    /// There is no key for the algorithm.
    #[error("no key is configured for algorithm {name}")]
    NoKey {
        /// Name of the algorithm.
        name: String,
    },
    /// No key confirms the signature.
    #[error("signature does not match")]
    Signature,
    /// A claim has a type that it must not have.
    #[error("claims are malformed")]
    Claims(#[source] serde_json::Error),
    /// The user id is neither a text nor a number.
    #[error("user claim is neither a text nor a number")]
    User,
    /// The token is for somebody else.
    #[error("audience does not match")]
    Audience,
    /// The token is from somebody else.
    #[error("issuer does not match")]
    Issuer,
    /// A subscription token came where a connection token belongs.
    #[error("connection token names a channel")]
    NamesChannel,
    /// A connection token came where a subscription token belongs.
    #[error("subscription token names no channel")]
    NamesNoChannel,
    /// A payload in base64 is not that.
    #[error("claim {claim} is not base64")]
    Base64 {
        /// Name of the claim.
        claim: &'static str,
        /// Where it goes wrong.
        #[source]
        source: base64::DecodeError,
    },
}

/// Why no verifier can be made of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An option that must be a regular expression is none.
    #[error("option {option} is not a regular expression")]
    Regex {
        /// Name of the option.
        option: &'static str,
        /// Where it goes wrong.
        #[source]
        source: Box<regex::Error>,
    },
    /// A step of the path to the user id is empty.
    #[error("option user_id_claim has an empty step in {path:?}")]
    UserClaim {
        /// The path as configured.
        path: String,
    },
}
