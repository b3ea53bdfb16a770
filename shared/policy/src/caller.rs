use crate::capabilities::{Right, Rights};

/// Who asks for something in a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller<'a> {
    /// User; empty: anonymous.
    pub user: &'a str,
    /// Whether this connection is subscribed to the channel now.
    pub is_subscribed: bool,
    /// Whether `client.insecure` is on, which grants everything but private channels.
    pub insecure: bool,
    /// What the connection, or its subscription to the channel, is allowed besides.
    pub rights: Rights,
}

/// Who gets a permission: three options that every kind of permission has.
#[derive(Clone, Copy)]
pub(crate) struct Grants {
    pub(crate) for_client: bool,
    pub(crate) for_subscriber: bool,
    pub(crate) for_anonymous: bool,
    /// The right that grants the same to one connection.
    pub(crate) right: Right,
}

impl Caller<'_> {
    /// This caller, once it is subscribed.
    pub(crate) const fn as_subscriber(self) -> Self {
        Self {
            is_subscribed: true,
            ..self
        }
    }

    pub(crate) const fn is_granted(&self, grants: Grants) -> bool {
        let is_eligible = !self.user.is_empty() || grants.for_anonymous;
        let is_in_group = grants.for_client || (grants.for_subscriber && self.is_subscribed);
        self.insecure || self.rights.has(grants.right) || (is_eligible && is_in_group)
    }
}

/// Which call to the application backend decides.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ProxyKind {
    /// The one for subscribe commands.
    Subscribe,
    /// The one that streams a subscription's publications, and takes the client's where it is
    /// bidirectional.
    SubscribeStream,
    /// The one for publish commands.
    Publish,
}

/// Whether a client may publish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// The backend decides. Without a backend: error 108.
    AskBackend(ProxyKind),
}

/// Whether a client may subscribe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It may, for this reason.
    Allowed(Source),
    /// The backend decides. Without a backend: error 108.
    AskBackend(ProxyKind),
}

/// What a subscription owes its existence to.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Source {
    /// Not known.
    #[default]
    Unknown = 0,
    /// The connection token.
    ConnectionToken = 1,
    /// The backend's answer to connect.
    ConnectProxy = 2,
    /// The subscription token.
    SubscriptionToken = 3,
    /// The backend's answer to subscribe.
    SubscribeProxy = 4,
    /// The channel's name lists the user.
    UserLimited = 5,
    /// The namespace lets clients subscribe.
    ClientAllowed = 6,
    /// Insecure mode.
    ClientInsecure = 7,
    /// The connect request asked for it and the namespace allows it.
    UniConnect = 8,
    /// It is the user's personal channel.
    UserPersonal = 9,
    /// The server API.
    ServerApi = 10,
    /// A capability of the connection.
    ConnectionCapability = 11,
    /// An expression in the configuration.
    Expression = 12,
    /// A stream of the backend.
    StreamProxy = 13,
}

impl Source {
    /// Number by which others know the source.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_granted_what() {
        let caller = |user, is_subscribed| Caller {
            user,
            is_subscribed,
            insecure: false,
            rights: Rights::default(),
        };
        let callers = [
            caller("u", false),
            caller("u", true),
            caller("", false),
            caller("", true),
        ];
        // client, subscriber, anonymous: a user, a subscribed user, an anonymous, a subscribed one
        for (for_client, for_subscriber, for_anonymous, expected) in [
            (false, false, false, [false, false, false, false]),
            (false, false, true, [false, false, false, false]),
            (true, false, false, [true, true, false, false]),
            (true, false, true, [true, true, true, true]),
            (false, true, false, [false, true, false, false]),
            (false, true, true, [false, true, false, true]),
            (true, true, false, [true, true, false, false]),
            (true, true, true, [true, true, true, true]),
        ] {
            let grants = Grants {
                for_client,
                for_subscriber,
                for_anonymous,
                right: Right::History,
            };
            let granted = callers.map(|caller| caller.is_granted(grants));
            assert_eq!(
                granted, expected,
                "{for_client} {for_subscriber} {for_anonymous}"
            );
            let insecure = callers.map(|caller| {
                let insecure = true;
                Caller { insecure, ..caller }.is_granted(grants)
            });
            assert_eq!(insecure, [true; 4]);
            let with =
                |rights| callers.map(|caller| Caller { rights, ..caller }.is_granted(grants));
            assert_eq!(with(Rights::named(["hst"])), [true; 4]);
            assert_eq!(with(Rights::named(["sub", "pub", "prs"])), expected);
        }
    }

    #[test]
    fn sources_have_their_numbers() {
        assert_eq!(Source::default().number(), 0);
        assert_eq!(Source::SubscriptionToken.number(), 3);
        assert_eq!(Source::UniConnect.number(), 8);
        assert_eq!(Source::StreamProxy.number(), 13);
    }
}
