use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gyre_config::Config;
use gyre_policy::{Caller, Policy, Rights};
use gyre_protocol::codes::{Disconnect, Error};

use crate::session::Session;
use crate::subscription::Subscription;

/// Between looks at subscriptions where the option gives no interval.
const TICK_INTERVAL: Duration = Duration::from_secs(27);

/// What all sessions of a node have in common.
#[derive(Debug)]
pub struct Settings {
    /// Namespaces and permissions.
    pub policy: Arc<Policy>,
    /// Intervals and delays.
    pub timing: Timing,
    /// Upper bounds.
    pub limits: Limits,
    /// Whether permissions are not asked for.
    pub insecure: bool,
    /// Whether clients may say that their user is active.
    pub user_status: bool,
    /// Whether the connect result carries the server's time.
    pub include_server_time: bool,
    /// Version that clients are told.
    pub version: String,
    /// How unidirectional clients learn that their connect was refused.
    pub one_way: OneWay,
}

/// Connect errors as disconnects, for transports that have no replies.
#[derive(Clone, Debug, Default)]
pub struct OneWay {
    /// By code of the error, what the configuration gives instead.
    pub transforms: BTreeMap<u32, Disconnect>,
}

impl OneWay {
    /// The disconnect that stands for an error.
    #[must_use]
    pub fn disconnect(&self, error: &Error) -> Disconnect {
        if let Some(disconnect) = self.transforms.get(&error.code) {
            return disconnect.clone();
        }
        let known = [
            (Error::EXPIRED, Disconnect::EXPIRED),
            (Error::TOKEN_EXPIRED, Disconnect::EXPIRED),
            (Error::TOO_MANY_REQUESTS, Disconnect::TOO_MANY_REQUESTS),
            (Error::PERMISSION_DENIED, Disconnect::PERMISSION_DENIED),
        ];
        known
            .into_iter()
            .find(|(known, _)| known.code == error.code)
            .map_or(Disconnect::SERVER_ERROR, |(_, disconnect)| disconnect)
    }
}

/// Intervals and delays. `None`: off.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between pings. Default 25 s.
    pub ping_interval: Option<Duration>,
    /// From a ping to the latest pong. Default 8 s.
    pub pong_timeout: Option<Duration>,
    /// From the transport's start to the end of the connect command. Default 10 s.
    pub stale_close_delay: Option<Duration>,
    /// From a connection's expiry to its end. Default 25 s.
    pub expired_close_delay: Duration,
    /// From a subscription's expiry to its end. Default 25 s.
    pub expired_subscription_close_delay: Duration,
    /// Between looks at subscriptions that expire or have a position. Default 27 s.
    pub tick_interval: Duration,
    /// How long a positioned subscription may be quiet before it is checked. Default 40 s.
    pub position_check_delay: Option<Duration>,
    /// How long a positioned publication may be on its way. Default off.
    pub position_lag_max: Option<Duration>,
}

/// Upper bounds of one session.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Subscriptions. Default 128.
    pub channels_max: usize,
    /// Publications of one history answer; `None`: no limit. Default 300.
    pub history_max: Option<usize>,
    /// Publications of one recovery. Default 300.
    pub recovery_max: usize,
    /// Commands that are worked on at the same time. At least 1. Default 1.
    pub concurrency: u32,
}

impl Settings {
    /// Takes what sessions need from the configuration.
    #[must_use]
    pub fn new(config: &Config, policy: Arc<Policy>, version: &str) -> Self {
        let client = &config.client;
        let or_zero = |millis: gyre_config::Millis| millis.duration().unwrap_or_default();
        Self {
            policy,
            timing: Timing {
                ping_interval: client.ping_interval.duration(),
                pong_timeout: client.pong_timeout.duration(),
                stale_close_delay: client.stale_close_delay.duration(),
                expired_close_delay: or_zero(client.expired_close_delay),
                expired_subscription_close_delay: or_zero(client.expired_sub_close_delay),
                tick_interval: client
                    .presence_update_interval
                    .duration()
                    .unwrap_or(TICK_INTERVAL),
                position_check_delay: client.channel_position_check_delay.duration(),
                position_lag_max: client.channel_position_max_time_lag.duration(),
            },
            limits: Limits {
                channels_max: or_unlimited(client.channel_limit),
                history_max: client.history_max_publication_limit.get(),
                recovery_max: or_unlimited(client.recovery_max_publication_limit),
                concurrency: u32::try_from(client.concurrency).unwrap_or(1).max(1),
            },
            insecure: client.insecure,
            user_status: config.user_status.enabled,
            include_server_time: client.connect_include_server_time,
            version: version.to_owned(),
            one_way: one_way(config),
        }
    }
}

fn one_way(config: &Config) -> OneWay {
    let options = &config.client.connect_code_to_unidirectional_disconnect;
    // The first of a code counts, so it is put in last.
    let transforms = options.transforms.iter().rev().filter(|_| options.enabled);
    OneWay {
        transforms: transforms
            .map(|transform| {
                let disconnect = Disconnect {
                    code: transform.to.code,
                    reason: transform.to.reason.clone().into(),
                };
                (transform.code, disconnect)
            })
            .collect(),
    }
}

fn or_unlimited(limit: gyre_config::Limit) -> usize {
    limit.get().unwrap_or(usize::MAX)
}

impl Session {
    /// This client, as the policy sees it in a channel.
    pub(crate) fn caller(&self, channel: &str) -> Caller<'_> {
        let found = self.table.find(channel).and_then(|id| self.table.get(id));
        let live = found.filter(|subscription| subscription.is_live());
        let capabilities = self.identity.capabilities.as_deref();
        Caller {
            user: self.identity.user.as_str(),
            is_subscribed: live.is_some(),
            insecure: self.settings.insecure,
            rights: capabilities
                .map_or(Rights::NONE, |capabilities| capabilities.rights(channel))
                .and(live.map_or(Rights::NONE, Subscription::rights)),
        }
    }
}
