//! Key sets of several issuers.

use std::collections::BTreeSet;
use std::sync::Arc;

use gyre_config::client::{Jwks, JwksProvider};
use gyre_config::tls::Tls;

use super::remote::{CLIENT_TTL_SECS, KeySet};
use crate::error::{Reason, SetupError};
use crate::expectations::Audience;
use crate::mapping::Mapping;
use crate::outside::{FetchKeys, Outside};

/// The providers that are on.
pub(crate) struct Providers(Vec<Provider>);

/// A source of keys for one issuer's tokens.
pub(super) struct Provider {
    issuer: String,
    audience: Option<String>,
    pub(super) keys: Arc<KeySet>,
    pub(super) mapping: Mapping,
}

impl Providers {
    /// # Errors
    ///
    /// A provider lacks something, or two cannot be told apart.
    pub(super) fn new(options: &Jwks, outside: &dyn Outside) -> Result<Self, SetupError> {
        check(options)?;
        let enabled = options.providers.iter().filter(|one| one.enabled);
        let providers: Result<Vec<_>, _> = enabled.map(|one| Provider::new(one, outside)).collect();
        providers.map(Self)
    }

    /// Whose token this is by its own words: the provider of the issuer and the audience, or that of
    /// the issuer alone.
    pub(super) fn of(
        &self,
        issuer: Option<&str>,
        audience: Option<&Audience>,
    ) -> Result<&Provider, Reason> {
        let issuer = issuer.unwrap_or_default();
        let of_issuer = || self.0.iter().filter(move |one| one.issuer == issuer);
        if of_issuer().next().is_none() {
            return Err(Reason::Issuer);
        }
        let named = |one: &&Provider| {
            let wanted = one.audience.as_deref();
            wanted.is_some_and(|wanted| {
                audience
                    .into_iter()
                    .flat_map(Audience::all)
                    .any(|given| given == wanted)
            })
        };
        of_issuer()
            .find(named)
            .or_else(|| of_issuer().find(|one| one.audience.is_none()))
            .ok_or(Reason::Audience)
    }
}

impl Provider {
    fn new(options: &JwksProvider, outside: &dyn Outside) -> Result<Self, SetupError> {
        let fetcher = fetcher(&options.name, &options.tls, outside)?;
        let audience = &options.audience;
        Ok(Self {
            issuer: options.issuer.clone(),
            audience: (!audience.is_empty()).then(|| audience.clone()),
            keys: KeySet::new(options.endpoint.clone(), CLIENT_TTL_SECS, fetcher),
            mapping: Mapping::new(&options.meta_from_claim, &options.labels_from_claim)?,
        })
    }
}

/// What fetches with these settings of TLS.
pub(super) fn fetcher(
    of: &str,
    tls: &Tls,
    outside: &dyn Outside,
) -> Result<Arc<dyn FetchKeys>, SetupError> {
    outside.fetcher(tls).map_err(|source| SetupError::Tls {
        of: of.to_owned(),
        source,
    })
}

fn check(options: &Jwks) -> Result<(), SetupError> {
    let mut names = BTreeSet::new();
    let mut owners = BTreeSet::new();
    for provider in &options.providers {
        let name = &provider.name;
        let refuse = |problem| SetupError::Provider {
            name: name.clone(),
            problem,
        };
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.len() < 2 || !name.bytes().all(is_word) {
            return Err(refuse("needs a name of 2 or more letters, digits and '_'"));
        }
        if !names.insert(name) {
            return Err(refuse("has the name of another"));
        }
        if !provider.enabled {
            continue;
        }
        if provider.endpoint.is_empty() {
            return Err(refuse("needs an endpoint"));
        }
        if provider.issuer.is_empty() {
            return Err(refuse("needs an issuer"));
        }
        if !owners.insert((&provider.issuer, &provider.audience)) {
            return Err(refuse("has issuer and audience of another"));
        }
        let twins = options
            .providers
            .iter()
            .filter(|other| other.enabled && other.issuer == provider.issuer);
        if provider.audience.is_empty() && twins.count() > 1 {
            return Err(refuse("needs an audience, for others have its issuer"));
        }
    }
    Ok(())
}
