use std::error::Error;
use std::io;

use gyre_types::{Fault, Kind};

use crate::keys::KeyFetch;

/// Why a token was refused. Its text is for operators; clients see codes.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The signature holds, but the token is past its `exp` or before its `nbf`.
    #[error("token is out of its time")]
    Expired,
    /// It takes a key that is not here yet: wait for the fetch, then verify again, by the method
    /// that settles for what is there.
    #[error("the token's key has to be fetched")]
    Pending(KeyFetch),
    /// It takes a key that cannot be had now. The token may be good: the caller should come again.
    #[error("the token's key cannot be fetched now")]
    Unavailable,
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
            Self::Pending(_) | Self::Unavailable => Kind::Unavailable,
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
    /// Keys are in a set, and the token does not say which one.
    #[error("header has no key id")]
    NoKeyId,
    /// The key set does not have the key.
    #[error("key set has no such key")]
    UnknownKeyId,
    /// The claims that name the key set name none that exists.
    #[error("claims lead to no key set")]
    Endpoint,
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
    /// The token has no expiry where it must have one.
    #[error("token never expires")]
    NoExpiry,
    /// The token does not have the scope that is asked for.
    #[error("scope does not match")]
    Scope,
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
    /// A rule that takes a claim over is wrong.
    #[error("option {option}: {given:?} {problem}")]
    ClaimRule {
        /// Name of the option.
        option: &'static str,
        /// The key or the path as configured.
        given: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// An option that must be a public key is none.
    #[error("option {option}: {problem}")]
    Key {
        /// Name of the option.
        option: &'static str,
        /// What is wrong with it.
        problem: KeyProblem,
    },
    /// An option is neither a PEM nor a file that can be read.
    #[error("option {option} is no PEM, and no file of that name can be read")]
    File {
        /// Name of the option.
        option: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A placeholder of an address has no meaning, or could mean anything.
    #[error("option {option}: {name:?} {problem}")]
    Endpoint {
        /// Name of the option.
        option: &'static str,
        /// The placeholder.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A provider of keys is wrong.
    #[error("provider {name:?} of jwks {problem}")]
    Provider {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There are two sources of keys where one must be.
    #[error("jwks.enabled and jwks_public_endpoint exclude each other")]
    TwoSources,
    /// Subscriptions' tokens cannot have what is configured for them.
    #[error("option {option} is for connections' tokens only")]
    ConnectionsOnly {
        /// Name of the option.
        option: &'static str,
    },
    /// TLS cannot be set up as configured.
    #[error("TLS of {of}")]
    Tls {
        /// The provider, or the option with the address.
        of: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What is wrong with a configured key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyProblem {
    /// It is none that may be given away, or in no form that we know.
    #[error("expected PEM with a public key: BEGIN PUBLIC KEY or BEGIN RSA PUBLIC KEY")]
    NotPublic,
    /// It is no key of RSA.
    #[error("expected a public key of RSA")]
    NotRsa,
    /// It is too short to be safe.
    #[error("expected an RSA key of 2048 bits or more")]
    ShortRsa,
    /// It is no key of ECDSA.
    #[error("expected a public key of ECDSA")]
    NotEcdsa,
    /// It is on a curve that is not supported.
    #[error("expected a key on the curve P-256, P-384 or P-521")]
    Curve,
}

/// Why a key set was not fetched.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct FetchError {
    what: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl FetchError {
    /// An error that says what went wrong.
    #[must_use]
    pub fn new(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            source: None,
        }
    }

    /// An error with what is behind it.
    #[must_use]
    pub fn because(what: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            what: what.to_owned(),
            source: Some(source.into()),
        }
    }
}

/// A key id is longer than any may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyIdTooLong;
