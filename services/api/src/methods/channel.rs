//! A channel as the API sees it: its name, and the rules of its namespace.
//!
//! The rules for names (length, characters, regular expression) are for clients; the API may use any
//! name of a namespace that is configured.

use gyre_config::channel::{Options, SubscriptionType};
use gyre_engine::Retention;
use gyre_policy::{Policy, Rules};
use gyre_proto::api;
use gyre_protocol::messages::ClientInfo;
use gyre_types::ChannelName;

use crate::error::Error;

/// A channel whose namespace is known.
#[derive(Debug)]
pub(super) struct Channel<'a> {
    name: ChannelName,
    rules: Rules<'a>,
}

/// Finds the namespace of a channel.
pub(super) fn resolve<'a>(policy: &'a Policy, name: &'a str) -> Result<Channel<'a>, Error> {
    if name.is_empty() {
        return Err(Error::BadRequest);
    }
    let rules = policy
        .resolve(name)
        .map_err(|error| Error::of_policy(&error))?;
    let name = ChannelName::new(name).map_err(|_empty| Error::BadRequest)?;
    Ok(Channel { name, rules })
}

/// The same for a channel that publications are published to.
pub(super) fn of_stream<'a>(policy: &'a Policy, name: &'a str) -> Result<Channel<'a>, Error> {
    let channel = resolve(policy, name)?;
    match channel.rules.subscription_type() {
        SubscriptionType::Stream => Ok(channel),
        SubscriptionType::Map
        | SubscriptionType::MapClients
        | SubscriptionType::MapUsers
        | SubscriptionType::SharedPoll => Err(Error::BadRequest),
    }
}

impl<'a> Channel<'a> {
    /// The channel's name.
    pub(super) const fn name(&self) -> &ChannelName {
        &self.name
    }

    /// Options of the namespace.
    pub(super) const fn options(&self) -> &'a Options {
        self.rules.options()
    }

    /// How long publications are kept; `None` without history.
    pub(super) fn retention(&self) -> Option<Retention> {
        let retention = self.rules.retention()?;
        Some(Retention {
            size: retention.size,
            ttl: retention.ttl,
            meta_ttl: retention.meta_ttl,
        })
    }

    /// The same, but none if the publication shall skip history.
    pub(super) fn retention_unless(&self, skip_history: bool) -> Option<Retention> {
        if skip_history { None } else { self.retention() }
    }

    /// Checks that the data has the form that the namespace wants.
    pub(super) fn check_data(&self, data: &[u8]) -> Result<(), Error> {
        self.rules
            .check_data(data)
            .map_err(|error| Error::of_policy(&error))
    }

    /// Only the name.
    pub(super) fn into_name(self) -> ChannelName {
        self.name
    }
}

/// Data that goes to many channels: looked through once for a run of channels of one namespace.
#[derive(Debug)]
pub(super) struct SharedData<'a> {
    data: &'a [u8],
    last: Option<(&'a str, Result<(), Error>)>,
}

impl<'a> SharedData<'a> {
    /// Data that nobody has looked at.
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { data, last: None }
    }

    /// Checks that the data has the form that the channel's namespace wants.
    pub(super) fn check(&mut self, channel: &Channel<'a>) -> Result<(), Error> {
        let namespace = channel.rules.namespace();
        match &self.last {
            Some((checked, outcome)) if *checked == namespace => outcome.clone(),
            _ => {
                let outcome = channel.check_data(self.data);
                self.last = Some((namespace, outcome.clone()));
                outcome
            }
        }
    }
}

/// A connection in the form of the API.
pub(super) fn client_info(info: &ClientInfo) -> api::ClientInfo {
    api::ClientInfo {
        user: info.user.as_ref().to_owned(),
        client: info.client.as_ref().to_owned(),
        conn_info: info.conn_info.clone(),
        chan_info: info.chan_info.clone(),
    }
}
