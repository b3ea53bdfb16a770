//! The claims as they stand in the token, and the way from there to ours.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gyre_types::UnixSeconds;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::claims::{Capability, Override, TokenSubscription};
use crate::error::Reason;
use crate::expectations::Audience;

/// Claims that both kinds of token have.
#[derive(Deserialize)]
pub(crate) struct Registered<'a> {
    #[serde(borrow)]
    pub(crate) sub: Option<&'a RawValue>,
    pub(crate) exp: Option<NumericDate>,
    pub(crate) nbf: Option<NumericDate>,
    pub(crate) iat: Option<NumericDate>,
    pub(crate) jti: Option<String>,
    pub(crate) aud: Option<Audience>,
    pub(crate) iss: Option<String>,
    pub(crate) expire_at: Option<NumericDate>,
    pub(crate) channel: Option<String>,
}

impl Registered<'_> {
    /// When that expires which the token opens. Where `expire_at` is given it alone decides, and
    /// one that is not positive means never.
    pub(crate) fn expiry(&self) -> Option<UnixSeconds> {
        match self.expire_at {
            Some(NumericDate(at)) => (at > 0).then_some(UnixSeconds(at)),
            None => self.exp.map(NumericDate::seconds),
        }
    }
}

/// Claims of a connection token alone.
#[derive(Deserialize)]
pub(crate) struct Connection<'a> {
    #[serde(borrow)]
    info: Option<&'a RawValue>,
    b64info: Option<String>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
    channels: Option<Vec<String>>,
    #[serde(borrow)]
    subs: Option<BTreeMap<String, Option<Subscription<'a>>>>,
    caps: Option<Vec<Cap>>,
    #[serde(borrow)]
    labels: Option<BTreeMap<String, Option<&'a RawValue>>>,
}

impl Connection<'_> {
    pub(crate) fn info(&self) -> Result<Bytes, Reason> {
        payload(self.info, self.b64info.as_deref(), "b64info")
    }

    pub(crate) fn meta(&self) -> Bytes {
        self.meta.map(copy).unwrap_or_default()
    }

    /// The server-side subscriptions: `subs`, or `channels` where `subs` has none.
    pub(crate) fn take_subs(&mut self) -> Result<BTreeMap<String, TokenSubscription>, Reason> {
        let subs = self.subs.take().unwrap_or_default();
        if subs.is_empty() {
            let channels = self.channels.take().unwrap_or_default();
            let plain = |channel| (channel, TokenSubscription::default());
            return Ok(channels.into_iter().map(plain).collect());
        }
        subs.into_iter()
            .map(|(channel, claims)| Ok((channel, claims.unwrap_or_default().subscription()?)))
            .collect()
    }

    pub(crate) fn take_caps(&mut self) -> Vec<Capability> {
        let caps = self.caps.take().unwrap_or_default();
        caps.into_iter().map(Capability::from).collect()
    }

    /// Texts as they are, anything else in its JSON form; `null` is no label.
    pub(crate) fn take_labels(&mut self) -> BTreeMap<String, String> {
        let labels = self.labels.take().unwrap_or_default();
        labels
            .into_iter()
            .filter_map(|(name, raw)| {
                let text = crate::mapping::label(raw?.get())?;
                Some((name, text))
            })
            .collect()
    }
}

/// Claims of a subscription, in a token of its own or inside `subs`.
#[derive(Default, Deserialize)]
pub(crate) struct Subscription<'a> {
    #[serde(borrow)]
    info: Option<&'a RawValue>,
    b64info: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    b64data: Option<String>,
    #[serde(rename = "override")]
    over: Option<Overrides>,
}

impl Subscription<'_> {
    pub(crate) fn subscription(&self) -> Result<TokenSubscription, Reason> {
        Ok(TokenSubscription {
            info: payload(self.info, self.b64info.as_deref(), "b64info")?,
            data: payload(self.data, self.b64data.as_deref(), "b64data")?,
            over: self.over.as_ref().map(Override::from).unwrap_or_default(),
        })
    }
}

/// Claims of a subscription token that `subs` does not have.
#[derive(Deserialize)]
pub(crate) struct Bound {
    pub(crate) client: Option<String>,
    pub(crate) allow: Option<Vec<String>>,
}

/// A date as tokens write it. Unit: seconds since the Unix epoch; a fraction is dropped.
#[derive(Clone, Copy)]
pub(crate) struct NumericDate(i64);

impl NumericDate {
    pub(crate) const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0)
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float beyond the integers becomes the last of them, which is as far away"
    )]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let fraction = || number.as_f64().unwrap_or(f64::NAN).floor() as i64;
        Ok(Self(number.as_i64().unwrap_or_else(fraction)))
    }
}

#[derive(Deserialize)]
struct Overrides {
    presence: Option<Switch>,
    join_leave: Option<Switch>,
    force_push_join_leave: Option<Switch>,
    force_positioning: Option<Switch>,
    force_recovery: Option<Switch>,
}

#[derive(Clone, Copy, Deserialize)]
struct Switch {
    #[serde(default)]
    value: bool,
}

impl From<&Overrides> for Override {
    fn from(claims: &Overrides) -> Self {
        let value = |switch: Option<Switch>| switch.map(|switch| switch.value);
        Self {
            presence: value(claims.presence),
            join_leave: value(claims.join_leave),
            force_push_join_leave: value(claims.force_push_join_leave),
            force_positioning: value(claims.force_positioning),
            force_recovery: value(claims.force_recovery),
        }
    }
}

#[derive(Deserialize)]
struct Cap {
    channels: Option<Vec<String>>,
    #[serde(rename = "match")]
    matching: Option<String>,
    allow: Option<Vec<String>>,
}

impl From<Cap> for Capability {
    fn from(cap: Cap) -> Self {
        Self {
            channels: cap.channels.unwrap_or_default(),
            matching: cap.matching.unwrap_or_default(),
            allow: cap.allow.unwrap_or_default(),
        }
    }
}

/// A payload: base64 where it is given, otherwise JSON as it stands.
fn payload(
    json: Option<&RawValue>,
    base64: Option<&str>,
    claim: &'static str,
) -> Result<Bytes, Reason> {
    match base64 {
        None | Some("") => Ok(json.map(copy).unwrap_or_default()),
        Some(text) => STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(|source| Reason::Base64 { claim, source }),
    }
}

/// A copy of its own: a slice would keep the whole token alive as long as the connection.
fn copy(json: &RawValue) -> Bytes {
    Bytes::copy_from_slice(json.get().as_bytes())
}
