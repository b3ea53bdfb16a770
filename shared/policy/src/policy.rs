use foldhash::fast::FixedState;
use gyre_config::channel::SubscriptionType;
use gyre_config::client::PersonalChannel;
use gyre_config::{Channel, Client, Rpc};
use gyre_protocol::codes::Error;
use hashbrown::HashMap;

use crate::error::PolicyError;
use crate::names::Names;
use crate::namespace::Namespace;
use crate::rpc::{RpcRoute, RpcRules};
use crate::rules::{Rules, requested_type};

/// What holds in which channel, and for which method. Compiled once, shared by all connections.
#[derive(Debug)]
pub struct Policy {
    names: Names,
    without_namespace: Namespace,
    // The names come from the configuration, so a fixed seed gives nobody a handle.
    namespaces: HashMap<Box<str>, Namespace, FixedState>,
    personal: PersonalChannel,
    rpc: RpcRules,
}

impl Policy {
    /// Compiles the rules.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names the namespace and what is wrong with it.
    pub fn new(channel: &Channel, client: &Client, rpc: &Rpc) -> Result<Self, PolicyError> {
        let mut namespaces = HashMap::with_hasher(FixedState::default());
        for namespace in &channel.namespaces {
            let name = namespace.name.as_str();
            let compiled = Namespace::new(name, &namespace.options, channel)?;
            if namespaces.insert(name.into(), compiled).is_some() {
                return Err(PolicyError::Twice {
                    name: name.to_owned(),
                });
            }
        }
        let own = &channel.without_namespace;
        Ok(Self {
            names: Names::new(channel),
            without_namespace: Namespace::new("without_namespace", own, channel)?,
            namespaces,
            personal: client.subscribe_to_user_personal_channel.clone(),
            rpc: RpcRules::new(rpc),
        })
    }

    /// The rules of a channel. Allocates nothing.
    ///
    /// # Errors
    ///
    /// 102: no such namespace.
    pub fn resolve<'a>(&'a self, channel: &'a str) -> Result<Rules<'a>, Error> {
        let divided = self.names.divide(channel);
        let namespace = match divided.namespace {
            "" => &self.without_namespace,
            name => self.namespaces.get(name).ok_or(Error::UNKNOWN_CHANNEL)?,
        };
        Ok(Rules {
            names: &self.names,
            namespace,
            channel,
            divided,
        })
    }

    /// Checks the length of a name, which counts bytes.
    ///
    /// # Errors
    ///
    /// 107: longer than `channel.max_length`.
    pub fn check_length(&self, channel: &str) -> Result<(), Error> {
        self.names.check_length(channel)
    }

    /// Checks what is asked before anything else about a subscribe: that polling is wanted where
    /// it is served, and only there. A channel without a namespace that exists is not polled.
    ///
    /// # Errors
    ///
    /// 108: polling a channel that is not polled. 107: anything else with a channel that is polled,
    /// or a type that does not exist.
    pub fn check_subscription_type(&self, channel: &str, wire_type: i32) -> Result<(), Error> {
        let wanted = requested_type(wire_type).ok_or(Error::BAD_REQUEST)?;
        let wants_poll = wanted == SubscriptionType::SharedPoll;
        let is_polled = self
            .resolve(channel)
            .is_ok_and(|rules| rules.subscription_type() == SubscriptionType::SharedPoll);
        match (wants_poll, is_polled) {
            (true, false) => Err(Error::NOT_AVAILABLE),
            (false, true) => Err(Error::BAD_REQUEST),
            (true, true) | (false, false) => Ok(()),
        }
    }

    /// The channel that the server subscribes this user to, if that is configured. Anonymous users
    /// have none.
    #[must_use]
    pub fn personal_channel(&self, user: &str) -> Option<String> {
        if !self.personal.enabled || user.is_empty() {
            return None;
        }
        let namespace = self.personal.personal_channel_namespace.as_str();
        Some(self.names.personal(namespace, user))
    }

    /// The personal channel, if its presence tells which other connections of the user must go.
    #[must_use]
    pub fn single_connection_channel(&self, user: &str) -> Option<String> {
        self.personal_channel(user)
            .filter(|_| self.personal.single_connection)
    }

    /// Who answers a method.
    ///
    /// # Errors
    ///
    /// 104: no such method. 108: there is nobody to answer it.
    pub fn route_rpc(&self, method: &str) -> Result<RpcRoute<'_>, Error> {
        self.rpc.route(method)
    }
}

#[cfg(test)]
mod tests;
