use gyre_config::client::Token;
use regex::Regex;
use serde::Deserialize;

use crate::error::{Reason, SetupError};

/// Whom tokens must be for and from.
pub(crate) struct Expectations {
    audience: Expected,
    issuer: Expected,
}

/// What one claim must be. Without either, anything will do.
struct Expected {
    exactly: Option<String>,
    pattern: Option<Regex>,
}

/// The claim `aud`: a text or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    /// One.
    One(String),
    /// Several; one that fits is enough.
    Several(Vec<String>),
}

impl Audience {
    /// All that are named.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

impl Expectations {
    pub(crate) fn new(options: &Token) -> Result<Self, SetupError> {
        Ok(Self {
            audience: Expected::new(&options.audience, &options.audience_regex, "audience_regex")?,
            issuer: Expected::new(&options.issuer, &options.issuer_regex, "issuer_regex")?,
        })
    }

    /// Holds the claims against what is expected.
    ///
    /// # Errors
    ///
    /// One of them does not fit.
    pub(crate) fn check(
        &self,
        audience: Option<&Audience>,
        issuer: Option<&str>,
    ) -> Result<(), Reason> {
        let fits = match audience {
            None => self.audience.fits(None),
            Some(Audience::One(one)) => self.audience.fits(Some(one)),
            Some(Audience::Several(several)) => {
                self.audience.fits(None) || several.iter().any(|one| self.audience.fits(Some(one)))
            }
        };
        if !fits {
            return Err(Reason::Audience);
        }
        if !self.issuer.fits(issuer) {
            return Err(Reason::Issuer);
        }
        Ok(())
    }
}

impl Expected {
    fn new(exactly: &str, pattern: &str, option: &'static str) -> Result<Self, SetupError> {
        Ok(Self {
            exactly: (!exactly.is_empty()).then(|| exactly.to_owned()),
            pattern: regex(option, pattern)?,
        })
    }

    /// Whether the claim fits; one that is absent fits only where nothing is expected.
    fn fits(&self, claim: Option<&str>) -> bool {
        let exactly = self.exactly.as_deref();
        exactly.is_none_or(|text| claim == Some(text))
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| claim.is_some_and(|claim| pattern.is_match(claim)))
    }
}

/// The expression of an option; `None` if the option is empty.
pub(crate) fn regex(option: &'static str, text: &str) -> Result<Option<Regex>, SetupError> {
    if text.is_empty() {
        return Ok(None);
    }
    Regex::new(text)
        .map(Some)
        .map_err(|source| SetupError::Regex {
            option,
            source: Box::new(source),
        })
}
