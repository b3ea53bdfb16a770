/// Options that a token or the backend replaces for one subscription. `None` leaves the namespace's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Override {
    /// Whether the subscriber shows in presence.
    pub presence: Option<bool>,
    /// Whether the subscriber's joining and leaving is published.
    pub join_leave: Option<bool>,
    /// Whether the subscriber is told of others' joining and leaving, asked or not.
    pub force_push_join_leave: Option<bool>,
    /// Whether the position is watched, asked or not.
    pub force_positioning: Option<bool>,
    /// Whether the subscription can be recovered, asked or not.
    pub force_recovery: Option<bool>,
}
