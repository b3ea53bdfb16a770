use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::Reason;
use crate::keys::Algorithm;

/// Longest name of an unknown algorithm that an error repeats. Unit: characters.
const NAME_CHARS_MAX: usize = 32;

/// A token in its compact form, taken apart: `header.claims.signature`, each in URL-safe base64.
pub(crate) struct Compact<'a> {
    /// What the signature is over: the first two parts as they stand.
    pub(crate) signed: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    pub(crate) fn new(token: &'a str) -> Result<Self, Reason> {
        let malformed = Reason::Malformed { part: "token" };
        let Some((signed, signature)) = token.rsplit_once('.') else {
            return Err(malformed);
        };
        match signed.split_once('.') {
            Some((header, claims)) if !claims.contains('.') => Ok(Self {
                signed,
                header,
                claims,
                signature,
            }),
            _ => Err(malformed),
        }
    }

    /// What the header says.
    pub(crate) fn header(&self) -> Result<Header, Reason> {
        let json = object(self.header, "header")?;
        let fields: Fields<'_> =
            serde_json::from_str(&json).map_err(|_| Reason::Malformed { part: "header" })?;
        if fields.crit.is_some() {
            return Err(Reason::CriticalExtensions);
        }
        let unknown = || Reason::UnknownAlgorithm {
            name: fields.alg.chars().take(NAME_CHARS_MAX).collect(),
        };
        Ok(Header {
            algorithm: Algorithm::named(&fields.alg).ok_or_else(unknown)?,
            key_id: fields.kid.map(Cow::into_owned),
        })
    }

    /// The text of the JSON object with the claims.
    pub(crate) fn claims(&self) -> Result<String, Reason> {
        object(self.claims, "claims")
    }

    /// The bytes of the signature.
    pub(crate) fn signature(&self) -> Result<Vec<u8>, Reason> {
        decode(self.signature, "signature")
    }
}

/// What a token's header says that we look at.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    /// Which key of a set has signed.
    pub(crate) key_id: Option<String>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    crit: Option<IgnoredAny>,
}

/// Text that at least begins as a JSON object does: serde would take a list for a struct.
fn object(text: &str, part: &'static str) -> Result<String, Reason> {
    String::from_utf8(decode(text, part)?)
        .ok()
        .filter(|json| json.trim_start().starts_with('{'))
        .ok_or(Reason::Malformed { part })
}

fn decode(text: &str, part: &'static str) -> Result<Vec<u8>, Reason> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| Reason::Malformed { part })
}
