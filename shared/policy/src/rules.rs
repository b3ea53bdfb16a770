use std::time::Duration;

use gyre_config::channel::{DataFormat, Options, SubscriptionType};
use gyre_protocol::codes::Error;
use gyre_protocol::json;
use gyre_protocol::messages::FilterNode;

use crate::caller::{Admission, Caller, Grants, ProxyKind, Source, Verdict};
use crate::capabilities::Right;
use crate::filter::Filter;
use crate::names::{Divided, Names};
use crate::namespace::Namespace;
use crate::retention::Retention;
use crate::subscription::{self, Override, SubscriptionOptions, Wish};

/// What holds in one channel. A view: made for one question and dropped.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub(crate) names: &'a Names,
    pub(crate) namespace: &'a Namespace,
    pub(crate) channel: &'a str,
    pub(crate) divided: Divided<'a>,
}

impl<'a> Rules<'a> {
    /// The options of the channel's namespace.
    #[must_use]
    pub const fn options(&self) -> &'a Options {
        &self.namespace.options
    }

    /// Name of the channel's namespace; empty: none.
    #[must_use]
    pub const fn namespace(&self) -> &'a str {
        self.divided.namespace
    }

    /// What a subscription to the channel is.
    #[must_use]
    pub const fn subscription_type(&self) -> SubscriptionType {
        self.namespace.options.subscription_type
    }

    /// Whether only a token opens the channel.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.names.is_private(self.channel)
    }

    /// How long publications are kept; `None`: not at all.
    #[must_use]
    pub const fn retention(&self) -> Option<Retention> {
        self.namespace.retention
    }

    /// How long the stream's epoch and top outlive the last publish or read; `None`: for ever.
    /// Holds for reads where nothing is kept too.
    #[must_use]
    pub const fn meta_ttl(&self) -> Option<Duration> {
        self.namespace.meta_ttl
    }

    /// Checks the name: its part behind the namespace against the regular expression, or, where
    /// there is none, that the whole of it is ASCII. The length is checked apart.
    ///
    /// # Errors
    ///
    /// 107: not a valid name.
    pub fn check_name(&self) -> Result<(), Error> {
        let is_valid = match &self.namespace.regex {
            Some(regex) => regex.is_match(self.divided.rest),
            None => self.channel.is_ascii(),
        };
        if !is_valid {
            return Err(Error::BAD_REQUEST);
        }
        Ok(())
    }

    /// Checks that a subscribe asks for what a subscription to the channel is.
    ///
    /// # Errors
    ///
    /// 103: it is something else.
    pub fn check_requested_type(&self, wire_type: i32) -> Result<(), Error> {
        if requested_type(wire_type) != Some(self.subscription_type()) {
            return Err(Error::PERMISSION_DENIED);
        }
        Ok(())
    }

    /// Checks that the data of a publication is what the namespace takes.
    ///
    /// # Errors
    ///
    /// 107: it is not.
    pub fn check_data(&self, data: &[u8]) -> Result<(), Error> {
        let is_valid = match self.namespace.data_format {
            DataFormat::Any => !data.is_empty(),
            DataFormat::Json => json::is_valid(data),
            DataFormat::JsonObject => json::is_object(data),
            DataFormat::Binary => true,
        };
        if !is_valid {
            return Err(Error::BAD_REQUEST);
        }
        Ok(())
    }

    /// Whether a client may subscribe without a token.
    ///
    /// # Errors
    ///
    /// 103: it may not.
    pub fn may_subscribe(&self, caller: &Caller<'_>) -> Result<Admission, Error> {
        if self.is_private() {
            return Err(Error::PERMISSION_DENIED);
        }
        let options = self.options();
        let users = self.users(caller.user);
        if users == Users::ListThisOne {
            return Ok(Admission::Allowed(Source::UserLimited));
        }
        if users == Users::NotListed {
            if options.subscribe_proxy_enabled {
                return Ok(Admission::AskBackend(ProxyKind::Subscribe));
            }
            if options.subscribe_stream_proxy_enabled {
                return Ok(Admission::AskBackend(ProxyKind::SubscribeStream));
            }
            if caller.rights.has(Right::Subscribe) {
                return Ok(Admission::Allowed(Source::ConnectionCapability));
            }
            if self.lets_clients_subscribe(caller.user) {
                return Ok(Admission::Allowed(Source::ClientAllowed));
            }
        }
        if caller.insecure {
            return Ok(Admission::Allowed(Source::ClientInsecure));
        }
        Err(Error::PERMISSION_DENIED)
    }

    /// Whether a connect request may ask for the channel as a server-side subscription. What it may
    /// not have is left out of the connect result without a word.
    #[must_use]
    pub fn may_ask_server_side(&self, user: &str, insecure: bool) -> Option<Source> {
        let options = self.options();
        let is_backends = options.subscribe_proxy_enabled || options.subscribe_stream_proxy_enabled;
        let is_valid = self.check_name().is_ok() && self.names.check_length(self.channel).is_ok();
        if self.is_private() || is_backends || !is_valid {
            return None;
        }
        let is_allowed = match self.users(user) {
            Users::ListThisOne => true,
            Users::ListOthers => insecure,
            Users::NotListed => insecure || self.lets_clients_subscribe(user),
        };
        is_allowed.then_some(Source::UniConnect)
    }

    /// Whether a client may publish.
    ///
    /// # Errors
    ///
    /// 103: it may not. 108: publications of this channel come from the backend's stream alone.
    pub fn may_publish(&self, caller: &Caller<'_>) -> Result<Verdict, Error> {
        let options = self.options();
        if options.publish_proxy_enabled {
            return Ok(Verdict::AskBackend(ProxyKind::Publish));
        }
        if options.subscribe_stream_proxy_enabled {
            let is_up = options.subscribe_stream_proxy_bidirectional && caller.is_subscribed;
            return match is_up {
                true => Ok(Verdict::AskBackend(ProxyKind::SubscribeStream)),
                false => Err(Error::NOT_AVAILABLE),
            };
        }
        let grants = Grants {
            for_client: options.allow_publish_for_client,
            for_subscriber: options.allow_publish_for_subscriber,
            for_anonymous: options.allow_publish_for_anonymous,
            right: Right::Publish,
        };
        permit(caller, grants).map(|()| Verdict::Allowed)
    }

    /// Whether a client may ask who is in the channel.
    ///
    /// # Errors
    ///
    /// 108: presence is not kept. 103: it may not.
    pub fn may_presence(&self, caller: &Caller<'_>) -> Result<(), Error> {
        if !self.options().presence {
            return Err(Error::NOT_AVAILABLE);
        }
        permit(caller, presence_grants(self.options()))
    }

    /// Whether a client may read history.
    ///
    /// # Errors
    ///
    /// 108: no history is kept. 103: it may not.
    pub fn may_history(&self, caller: &Caller<'_>) -> Result<(), Error> {
        if self.retention().is_none() {
            return Err(Error::NOT_AVAILABLE);
        }
        permit(caller, history_grants(self.options()))
    }

    /// Compiles the tags filter of a subscribe.
    ///
    /// # Errors
    ///
    /// 107: filters are not allowed here, or this one is malformed.
    pub fn compile_filter(&self, node: &FilterNode) -> Result<Filter, Error> {
        if !self.options().allow_tags_filter {
            return Err(Error::BAD_REQUEST);
        }
        Filter::compile(node)
    }

    /// What holds for a subscription that is allowed: the namespace's options, what a token or the
    /// backend replaces, and what the client asks for and may have.
    #[must_use]
    pub fn subscription_options(
        &self,
        wish: &Wish,
        caller: &Caller<'_>,
        replaced: &Override,
    ) -> SubscriptionOptions {
        subscription::options(self.options(), wish, caller, replaced)
    }

    /// What the channel's name says about this user.
    fn users(&self, user: &str) -> Users {
        if !self.options().allow_user_limited_channels {
            return Users::NotListed;
        }
        let Some(mut users) = self.names.users(self.channel) else {
            return Users::NotListed;
        };
        match !user.is_empty() && users.any(|other| other == user) {
            true => Users::ListThisOne,
            false => Users::ListOthers,
        }
    }

    const fn lets_clients_subscribe(&self, user: &str) -> bool {
        let options = self.options();
        options.allow_subscribe_for_client
            && (!user.is_empty() || options.allow_subscribe_for_anonymous)
    }
}

/// What a channel's name says about a user.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Users {
    /// It lists no users, or lists do not count here.
    NotListed,
    /// This user is in the list.
    ListThisOne,
    /// This user is not in the list; an anonymous one never is.
    ListOthers,
}

/// What a subscribe asks for by its type on the wire; `None`: no such type. As in the reference, a
/// negative number is a stream.
pub(crate) const fn requested_type(wire_type: i32) -> Option<SubscriptionType> {
    match wire_type {
        ..=0 => Some(SubscriptionType::Stream),
        1 => Some(SubscriptionType::Map),
        2 => Some(SubscriptionType::MapClients),
        3 => Some(SubscriptionType::MapUsers),
        4 => Some(SubscriptionType::SharedPoll),
        5.. => None,
    }
}

pub(crate) const fn presence_grants(options: &Options) -> Grants {
    Grants {
        for_client: options.allow_presence_for_client,
        for_subscriber: options.allow_presence_for_subscriber,
        for_anonymous: options.allow_presence_for_anonymous,
        right: Right::Presence,
    }
}

pub(crate) const fn history_grants(options: &Options) -> Grants {
    Grants {
        for_client: options.allow_history_for_client,
        for_subscriber: options.allow_history_for_subscriber,
        for_anonymous: options.allow_history_for_anonymous,
        right: Right::History,
    }
}

fn permit(caller: &Caller<'_>, grants: Grants) -> Result<(), Error> {
    if !caller.is_granted(grants) {
        return Err(Error::PERMISSION_DENIED);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
