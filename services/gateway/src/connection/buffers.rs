//! Lists that belong to a thread: what one turn takes in lives no longer than the turn.

use std::cell::Cell;
use std::collections::VecDeque;

use bytes::Bytes;

use crate::handle::Item;

thread_local! {
    static LISTS: Cell<Option<Box<Lists>>> = const { Cell::new(None) };
}

/// What a turn needs, empty between turns: connections at rest have no lists of their own.
#[derive(Default)]
pub(super) struct Lists {
    /// What came from the mailbox.
    pub(super) items: Vec<Item>,
    /// What was read.
    pub(super) frames: Vec<Bytes>,
    /// What the session wants to be sent.
    pub(super) outgoing: VecDeque<gyre_session::Message>,
}

/// Borrows this thread's lists.
pub(super) fn borrow() -> Box<Lists> {
    LISTS.take().unwrap_or_default()
}

/// Gives them back.
pub(super) fn give_back(lists: Box<Lists>) {
    LISTS.set(Some(lists));
}
