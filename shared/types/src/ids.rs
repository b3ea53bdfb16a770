/// Names one subscription of one session: a slot, and which use of the slot it is.
///
/// The hub carries it with each delivery, so that a session finds the subscription without hashing
/// the channel's name, and recognises a late delivery for a channel that it has left.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SubscriptionId {
    /// Index in the session's table.
    pub slot: u32,
    /// Which use of the slot.
    pub generation: u32,
}

/// Joins an effect with its completion.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u32);

/// Where a subscriber stands in its channel's table in the hub; needed to leave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HubSlot(pub u32);
