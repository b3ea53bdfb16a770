pub use gyre_config::channel::RecoveryMode as Mode;
use gyre_config::channel::{DeltaType, Options};
pub use gyre_types::Override;

use crate::caller::Caller;
use crate::rules::{history_grants, presence_grants};

/// What a client asks for with a subscription. Server-side subscriptions ask for a delta at most.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Wish {
    /// That its position is watched.
    pub positioned: bool,
    /// That it can be recovered.
    pub recoverable: bool,
    /// To be told who joins and leaves.
    pub join_leave: bool,
    /// Fossil deltas. Not to be asked for together with a filter.
    pub delta: bool,
}

/// What holds for one subscription.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SubscriptionOptions {
    /// The subscriber shows in presence.
    pub presence: bool,
    /// The subscriber's joining and leaving is published.
    pub join_leave: bool,
    /// The subscriber is told who joins and leaves.
    pub push_join_leave: bool,
    /// The position is watched. Always so if it can be recovered.
    pub positioning: bool,
    /// It can be recovered.
    pub recovery: bool,
    /// What recovery brings.
    pub mode: Mode,
    /// Recovery is tried whether the client asks or not. In the mode `Cache` only.
    pub auto_cache_recover: bool,
    /// Payloads may be fossil patches.
    pub delta: bool,
    /// Who prolongs it when it expires.
    pub refresh: RefreshedBy,
}

/// Who prolongs a subscription when it expires.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RefreshedBy {
    /// The client, with a new token; it is told when.
    Client,
    /// The application backend, which the server asks.
    Backend,
}

/// Joins what the namespace says, what replaces it, and what the client asks for and may have.
pub(crate) fn options(
    namespace: &Options,
    wish: &Wish,
    caller: &Caller<'_>,
    replaced: &Override,
) -> SubscriptionOptions {
    // The permissions are those that the client has once it is subscribed.
    let subscriber = caller.as_subscriber();
    let reads_presence = subscriber.is_granted(presence_grants(namespace));
    let reads_history = subscriber.is_granted(history_grants(namespace));

    let forced = replaced.force_recovery.unwrap_or(namespace.force_recovery);
    let granted = wish.recoverable && (namespace.allow_recovery || reads_history);
    let recovery = forced || granted;

    let forced = replaced
        .force_positioning
        .unwrap_or(namespace.force_positioning);
    let granted = wish.positioned && (namespace.allow_positioning || reads_history);
    let positioning = forced || granted || recovery;

    let forced = replaced
        .force_push_join_leave
        .unwrap_or(namespace.force_push_join_leave);
    let granted = wish.join_leave && namespace.join_leave && reads_presence;
    let push_join_leave = forced || granted;

    let mode = namespace.force_recovery_mode;
    SubscriptionOptions {
        presence: replaced.presence.unwrap_or(namespace.presence),
        join_leave: replaced.join_leave.unwrap_or(namespace.join_leave),
        push_join_leave,
        positioning,
        recovery,
        mode,
        auto_cache_recover: namespace.auto_cache_recover && mode == Mode::Cache,
        delta: wish.delta && namespace.allowed_delta_types.contains(&DeltaType::Fossil),
        refresh: match namespace.sub_refresh_proxy_enabled {
            true => RefreshedBy::Backend,
            false => RefreshedBy::Client,
        },
    }
}

#[cfg(test)]
mod tests;
