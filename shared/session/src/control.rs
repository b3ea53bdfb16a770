//! Commands of the server API to one connection.

pub(crate) mod revoke;

use bytes::Bytes;
use gyre_policy::{Override, Source};
use gyre_protocol::PushBody;
use gyre_protocol::codes::{Disconnect, Error, Unsubscribe};
use gyre_protocol::messages::{RefreshPush, SubscribePush, SubscribeRequest};
use gyre_types::{ChannelName, Now, SubscriptionId, UnixSeconds, limits};

use crate::commands::connect::{advertised, capped, set_expiry};
use crate::commands::refresh::replace_info;
use crate::commands::subscribe;
use crate::control::revoke::Void;
use crate::effect::{RefreshBy, Refusal, Terms};
use crate::session::Session;
use crate::subscription::Subscription;
use crate::subscription::ending::End;
use crate::subscription::open::Plan;
use crate::subscription::opening::Origin;

/// What the server API asks of a connection. Each is reported by
/// [`Effect::Controlled`](crate::Effect::Controlled) when it is done.
#[derive(Clone, Debug)]
pub enum Control {
    /// Adds a server-side subscription.
    Subscribe(Box<ControlSubscribe>),
    /// Ends a subscription, whoever made it.
    Unsubscribe {
        /// Channel.
        channel: String,
        /// What the client is told.
        unsubscribe: Unsubscribe,
    },
    /// Ends the connection.
    Disconnect(Disconnect),
    /// Prolongs or ends the connection.
    Refresh(ControlRefresh),
    /// Ends what rests on tokens that are void.
    Revoke(Void),
}

/// See [`Control::Subscribe`].
#[derive(Clone, Debug)]
pub struct ControlSubscribe {
    /// Channel.
    pub channel: ChannelName,
    /// What others see of the client in this channel.
    pub info: Bytes,
    /// Payload of the push.
    pub data: Bytes,
    /// When it expires; `None`: never.
    pub expire_at: Option<UnixSeconds>,
    /// Position after which the client wants what it missed.
    pub recover_since: Option<(u64, String)>,
    /// Options that differ from the namespace's.
    pub overrides: Override,
}

/// See [`Control::Refresh`].
#[derive(Clone, Debug, Default)]
pub struct ControlRefresh {
    /// Ends the connection as expired.
    pub is_expired: bool,
    /// When the connection expires; `None`: never.
    pub expire_at: Option<UnixSeconds>,
    /// What others see of the connection; empty: as before.
    pub info: Bytes,
}

pub(crate) fn handle(session: &mut Session, control: u32, command: Control, now: Now) {
    if has_to_wait(session, &command) {
        return hold(session, control, command);
    }
    if !session.is_connected() {
        handle_early(session, &command, now);
        return session.report(control, Ok(()));
    }
    match command {
        Control::Subscribe(command) => subscribe(session, control, *command, now),
        Control::Unsubscribe {
            channel,
            unsubscribe,
        } => unsubscribe_from(session, control, &channel, unsubscribe),
        Control::Disconnect(disconnect) => {
            session.close(disconnect, now);
            session.report(control, Ok(()));
        }
        Control::Refresh(command) => {
            refresh(session, &command, now);
            session.report(control, Ok(()));
        }
        Control::Revoke(void) => {
            revoke::handle(session, &void, now);
            session.report(control, Ok(()));
        }
    }
}

/// Runs what was held back, as far as it need not wait any more.
pub(crate) fn retry_held(session: &mut Session, now: Now) {
    if session.connecting().is_some() {
        return;
    }
    for (control, command) in std::mem::take(&mut session.held) {
        handle(session, control, command, now);
    }
}

/// Reports what was held back: the connection has ended, so there is nothing to do.
pub(crate) fn drop_held(session: &mut Session) {
    for (control, _) in std::mem::take(&mut session.held) {
        session.report(control, Ok(()));
    }
}

/// Whether a command comes in the middle of something that has to be over first: the connect, whose
/// reply is the first thing that the client gets, or another command for the same channel.
fn has_to_wait(session: &mut Session, command: &Control) -> bool {
    let is_connecting = session.connecting().is_some();
    match command {
        Control::Subscribe(subscribe) => {
            let known = session.table.find(subscribe.channel.as_str());
            let is_busy = known
                .and_then(|id| session.table.get(id))
                .is_some_and(|subscription| !subscription.is_live() || subscription.is_ending());
            is_connecting || is_busy
        }
        Control::Unsubscribe { channel, .. } => {
            let is_behind = |other: &Control| matches!(other, Control::Subscribe(subscribe) if subscribe.channel.as_str() == channel);
            is_connecting || session.held.iter().any(|(_, other)| is_behind(other))
        }
        Control::Refresh(_) => is_connecting,
        Control::Disconnect(_) | Control::Revoke(_) => false,
    }
}

fn hold(session: &mut Session, control: u32, command: Control) {
    if session.held.len() >= limits::CONTROLS_HELD_MAX {
        return session.report(control, Err(Error::INTERNAL));
    }
    session.held.push((control, command));
}

/// What must not be missed by a connection whose connect command is still being worked on.
fn handle_early(session: &mut Session, command: &Control, now: Now) {
    match command {
        Control::Disconnect(disconnect) if session.connecting().is_some() => {
            session.close(disconnect.clone(), now);
        }
        Control::Revoke(void) => revoke::handle(session, void, now),
        Control::Disconnect(_)
        | Control::Subscribe(_)
        | Control::Unsubscribe { .. }
        | Control::Refresh(_) => {}
    }
}

fn subscribe(session: &mut Session, control: u32, command: ControlSubscribe, now: Now) {
    if let Some(id) = session.table.find(command.channel.as_str()) {
        again(session, id, command, now);
        return session.report(control, Ok(()));
    }
    if session.table.len() >= session.settings.limits.channels_max {
        session.close(Disconnect::CHANNEL_LIMIT, now);
        return session.report(control, Ok(()));
    }
    let (offset, epoch) = command.recover_since.clone().unwrap_or_default();
    let request = SubscribeRequest {
        recover: command.recover_since.is_some(),
        offset,
        epoch,
        ..SubscribeRequest::default()
    };
    let plan = Plan {
        channel: command.channel,
        origin: Origin::Control { control },
        is_server_side: true,
        request: &request,
        source: Source::ServerApi,
        terms: Terms {
            info: command.info,
            data: command.data,
            expire_at: command.expire_at,
            overrides: command.overrides,
            ..Terms::default()
        },
        token: None,
    };
    match subscribe::enter_controlled(session, plan, now) {
        Ok(()) => {}
        Err(Refusal::Error(error)) => session.report(control, Err(error)),
        Err(Refusal::Disconnect(disconnect)) => {
            session.close(disconnect, now);
            session.report(control, Ok(()));
        }
    }
}

/// The client has the subscription already: it becomes server-side, and the client is told again.
fn again(session: &mut Session, id: SubscriptionId, command: ControlSubscribe, now: Now) {
    let policy = &session.settings.policy;
    let is_backends = policy
        .resolve(command.channel.as_str())
        .is_ok_and(|rules| rules.options().sub_refresh_proxy_enabled);
    let refresh_by = if is_backends {
        RefreshBy::Server
    } else {
        RefreshBy::Client
    };
    let Some(subscription) = session.table.get_mut(id) else {
        return;
    };
    subscription.options.is_server_side = true;
    // Its publications go on coming from where they came.
    if subscription.source != Source::StreamProxy {
        subscription.source = Source::ServerApi;
    }
    if command.expire_at.is_some() || subscription.rare.is_some() {
        let rare = subscription.rare.get_or_insert_default();
        rare.expire_at = command.expire_at.map(|at| capped(at, now));
        rare.refresh_by = refresh_by;
    }
    let channel = subscription.channel.clone();
    let push = push_of(subscription, command.data);
    session.watch(id, now);
    session.push(channel.as_str(), PushBody::Subscribe(push), now);
}

fn push_of(subscription: &Subscription, data: Bytes) -> SubscribePush {
    let options = subscription.options;
    if !options.is_positioned {
        return SubscribePush {
            data,
            ..SubscribePush::default()
        };
    }
    SubscribePush {
        recoverable: options.is_recoverable,
        positioned: true,
        epoch: subscription.position.epoch.as_str().to_owned(),
        offset: subscription.position.offset,
        data,
    }
}

fn unsubscribe_from(session: &mut Session, control: u32, channel: &str, unsubscribe: Unsubscribe) {
    match session.table.find(channel) {
        Some(id) => session.end_subscription(
            id,
            End::Server {
                unsubscribe,
                control: Some(control),
            },
        ),
        None => session.report(control, Ok(())),
    }
}

fn refresh(session: &mut Session, command: &ControlRefresh, now: Now) {
    let is_past = command
        .expire_at
        .is_some_and(|expire_at| expire_at <= now.unix_seconds());
    if command.is_expired || is_past {
        return session.close(Disconnect::EXPIRED, now);
    }
    if !command.info.is_empty() {
        replace_info(session, &command.info);
    }
    set_expiry(session, command.expire_at.map(|at| capped(at, now)), now);
    let (expires, ttl) = advertised(session, now);
    session.push("", PushBody::Refresh(RefreshPush { expires, ttl }), now);
}
