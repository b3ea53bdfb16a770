//! Which channels are in use, for those namespaces whose backend wants to know.

use gyre_backend::ChannelStates;
use gyre_types::ChannelName;
use parking_lot::Mutex;

use crate::node::Node;

/// Who takes note of channels that get their first subscriber or lose their last.
#[derive(Debug)]
pub(crate) struct States {
    noted: ChannelStates,
    /// Held from the look into the hub until what was seen is noted.
    turn: Mutex<()>,
}

impl States {
    pub(crate) const fn new(noted: ChannelStates) -> Self {
        Self {
            noted,
            turn: Mutex::new(()),
        }
    }
}

/// Notes how it stands with a channel that somebody has just entered or left.
///
/// It is looked at rather than told: two connections that come and go at the same time could tell it
/// in the wrong order, but whoever looks last sees how it is.
pub(crate) fn look(node: &Node, channel: &ChannelName) {
    let Some(states) = &node.states else {
        return;
    };
    let live = node.live.load();
    let Ok(rules) = live.settings.policy.resolve(channel.as_str()) else {
        return;
    };
    let options = rules.options();
    if !options.state_proxy_enabled {
        return;
    }
    let _turn = states.turn.lock();
    if node.hub.len(channel) > 0 {
        let proxy = &options.state_proxy_name;
        states.noted.occupied(channel.as_str(), proxy);
    } else {
        states.noted.vacated(channel.as_str());
    }
}
