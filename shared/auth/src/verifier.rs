use std::fmt;

use gyre_config::client::{Client, Token};
use gyre_types::{UnixSeconds, UserId};
use serde::Deserialize;

use crate::claims::{ConnectionClaims, SubscriptionClaims};
use crate::compact::Compact;
use crate::error::{Reason, SetupError, TokenError};
use crate::expectations::Expectations;
use crate::json::{Bound, Connection, Registered, Subscription};
use crate::keys::{KeySource, Patience};
use crate::mapping::Mapping;
use crate::mapping::user_claim::UserClaim;
use crate::outside::Outside;

/// Verifies tokens. Made once, shared by all connections.
pub struct Verifier {
    connection: Rules,
    /// `None`: subscription tokens are verified as connection tokens are.
    subscription: Option<Rules>,
}

/// How tokens of one kind are verified.
struct Rules {
    keys: KeySource,
    expectations: Expectations,
    user: UserClaim,
    mapping: Mapping,
}

/// Whether signatures are looked at.
#[derive(Clone, Copy)]
enum Signatures {
    Verified,
    Skipped,
}

/// Which kind a token must be of.
#[derive(Clone, Copy, Eq, PartialEq)]
enum TokenKind {
    Connection,
    Subscription,
}

impl Verifier {
    /// Makes a verifier as `client.token` and `client.subscription_token` say.
    ///
    /// # Errors
    ///
    /// An option is not what it must be; it is named.
    pub fn new(options: &Client, outside: &dyn Outside) -> Result<Self, SetupError> {
        let signatures = match options.insecure_skip_token_signature_verify {
            true => Signatures::Skipped,
            false => Signatures::Verified,
        };
        let own = &options.subscription_token;
        check_mapping(&own.token)?;
        Ok(Self {
            connection: Rules::new(&options.token, signatures, outside)?,
            subscription: match own.enabled {
                true => Some(Rules::new(&own.token, signatures, outside)?),
                false => None,
            },
        })
    }

    /// Verifies a connection token.
    ///
    /// # Errors
    ///
    /// See [`TokenError`]. A `channel` claim makes the token invalid.
    pub fn verify_connection(
        &self,
        token: &str,
        now: UnixSeconds,
    ) -> Result<ConnectionClaims, TokenError> {
        self.connection(token, now, Patience::MayFetch)
    }

    /// Verifies a connection token after the fetch that [`TokenError::Pending`] brought has ended.
    ///
    /// # Errors
    ///
    /// As [`Self::verify_connection`], but never [`TokenError::Pending`].
    pub fn verify_connection_settled(
        &self,
        token: &str,
        now: UnixSeconds,
    ) -> Result<ConnectionClaims, TokenError> {
        self.connection(token, now, Patience::Settled)
    }

    fn connection(
        &self,
        token: &str,
        now: UnixSeconds,
        patience: Patience,
    ) -> Result<ConnectionClaims, TokenError> {
        let (json, mapping) = self.connection.signed_claims(token, now, patience)?;
        let accepted = self.connection.accept(&json, TokenKind::Connection, now)?;
        let mut own: Connection<'_> = parse(&json)?;
        let mut labels = own.take_labels();
        mapping.add_labels(&mut labels, &json);
        Ok(ConnectionClaims {
            user: accepted.user,
            expire_at: accepted.registered.expiry(),
            info: own.info()?,
            subs: own.take_subs()?,
            meta: mapping.meta(own.meta(), &json),
            caps: own.take_caps(),
            labels,
            issued_at: accepted.registered.iat.map(|at| at.seconds()),
            token_id: accepted.registered.jti.unwrap_or_default(),
        })
    }

    /// Verifies a subscription token. Whether it belongs to this connection and this channel is for
    /// the caller to see.
    ///
    /// # Errors
    ///
    /// See [`TokenError`]. Without a `channel` claim the token is invalid.
    pub fn verify_subscription(
        &self,
        token: &str,
        now: UnixSeconds,
    ) -> Result<SubscriptionClaims, TokenError> {
        self.subscription(token, now, Patience::MayFetch)
    }

    /// Verifies a subscription token after the fetch that [`TokenError::Pending`] brought has ended.
    ///
    /// # Errors
    ///
    /// As [`Self::verify_subscription`], but never [`TokenError::Pending`].
    pub fn verify_subscription_settled(
        &self,
        token: &str,
        now: UnixSeconds,
    ) -> Result<SubscriptionClaims, TokenError> {
        self.subscription(token, now, Patience::Settled)
    }

    fn subscription(
        &self,
        token: &str,
        now: UnixSeconds,
        patience: Patience,
    ) -> Result<SubscriptionClaims, TokenError> {
        let rules = self.subscription.as_ref().unwrap_or(&self.connection);
        let (json, _) = rules.signed_claims(token, now, patience)?;
        let accepted = rules.accept(&json, TokenKind::Subscription, now)?;
        let own: Subscription<'_> = parse(&json)?;
        let bound: Bound = parse(&json)?;
        Ok(SubscriptionClaims {
            user: accepted.user,
            expire_at: accepted.registered.expiry(),
            client: bound.client.unwrap_or_default(),
            subscription: own.subscription()?,
            allow: bound.allow.unwrap_or_default(),
            issued_at: accepted.registered.iat.map(|at| at.seconds()),
            channel: accepted.registered.channel.unwrap_or_default(),
            token_id: accepted.registered.jti.unwrap_or_default(),
        })
    }
}

impl fmt::Debug for Verifier {
    /// Keys stay out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// What both kinds of token have, once it is accepted.
struct Accepted<'a> {
    user: UserId,
    registered: Registered<'a>,
}

impl Rules {
    fn new(
        options: &Token,
        signatures: Signatures,
        outside: &dyn Outside,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            keys: match signatures {
                Signatures::Verified => KeySource::new(options, outside)?,
                Signatures::Skipped => KeySource::Unchecked,
            },
            expectations: Expectations::new(options)?,
            user: UserClaim::new(&options.user_id_claim)?,
            mapping: Mapping::new(&options.meta_from_claim, &options.labels_from_claim)?,
        })
    }

    /// The claims' JSON, once the signature holds, and which of them are taken over.
    fn signed_claims(
        &self,
        token: &str,
        now: UnixSeconds,
        patience: Patience,
    ) -> Result<(String, &Mapping), TokenError> {
        let token = Compact::new(token)?;
        let mapping = self.keys.check(&token, now, patience)?;
        Ok((token.claims()?, mapping.unwrap_or(&self.mapping)))
    }

    /// Decides what is decided alike for both kinds: for whom and from whom, which kind, when, who.
    fn accept<'a>(
        &self,
        json: &'a str,
        kind: TokenKind,
        now: UnixSeconds,
    ) -> Result<Accepted<'a>, TokenError> {
        let registered: Registered<'a> = parse(json)?;
        self.expectations
            .check(registered.aud.as_ref(), registered.iss.as_deref())?;
        let names_channel = registered
            .channel
            .as_ref()
            .is_some_and(|name| !name.is_empty());
        match kind {
            TokenKind::Connection if names_channel => return Err(Reason::NamesChannel.into()),
            TokenKind::Subscription if !names_channel => return Err(Reason::NamesNoChannel.into()),
            TokenKind::Connection | TokenKind::Subscription => {}
        }
        let is_late = registered.exp.is_some_and(|at| at.seconds() <= now);
        let is_early = registered.nbf.is_some_and(|at| now < at.seconds());
        if is_late || is_early {
            return Err(TokenError::Expired);
        }
        Ok(Accepted {
            user: self.user.read(registered.sub, json)?,
            registered,
        })
    }
}

/// Subscriptions have neither meta nor labels.
fn check_mapping(options: &Token) -> Result<(), SetupError> {
    let providers = &options.jwks.providers;
    let has_meta = !options.meta_from_claim.is_empty()
        || providers.iter().any(|one| !one.meta_from_claim.is_empty());
    let has_labels = !options.labels_from_claim.is_empty()
        || providers
            .iter()
            .any(|one| !one.labels_from_claim.is_empty());
    match (has_meta, has_labels) {
        (true, _) => Err(SetupError::ConnectionsOnly {
            option: "meta_from_claim",
        }),
        (_, true) => Err(SetupError::ConnectionsOnly {
            option: "labels_from_claim",
        }),
        (false, false) => Ok(()),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Reason> {
    serde_json::from_str(json).map_err(Reason::Claims)
}

#[cfg(test)]
mod tests;
