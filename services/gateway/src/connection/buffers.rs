//! Lists that belong to a thread: what one turn takes in lives no longer than the turn.

use std::cell::Cell;
use std::collections::VecDeque;

use bytes::Bytes;
use gyre_session::Session;

use crate::handle::Item;
use crate::websocket::decoder::Message;

thread_local! {
    static ITEMS: Cell<Vec<Item>> = const { Cell::new(Vec::new()) };
    static OUTGOING: Cell<VecDeque<gyre_session::Message>> = const { Cell::new(VecDeque::new()) };
    static MESSAGES: Cell<Vec<Message>> = const { Cell::new(Vec::new()) };
    static FRAMES: Cell<Vec<Bytes>> = const { Cell::new(Vec::new()) };
}

/// Lends this thread's list of mailbox items, empty.
pub(super) fn with_items<R>(work: impl FnOnce(&mut Vec<Item>) -> R) -> R {
    let mut items = ITEMS.take();
    let result = work(&mut items);
    items.clear();
    ITEMS.set(items);
    result
}

/// Lends a session this thread's list of messages, or takes it back: done before and after a turn, so
/// that connections at rest have none of their own.
pub(super) fn exchange_list(session: &mut Session) {
    let mut spare = OUTGOING.take();
    session.exchange_list(&mut spare);
    OUTGOING.set(spare);
}

/// Lends this thread's list of frames that were read, empty.
pub(super) fn with_frames<R>(work: impl FnOnce(&mut Vec<Bytes>) -> R) -> R {
    let mut frames = FRAMES.take();
    let result = work(&mut frames);
    frames.clear();
    FRAMES.set(frames);
    result
}

/// Lends this thread's list of WebSocket messages, empty.
pub(crate) fn with_messages<R>(work: impl FnOnce(&mut Vec<Message>) -> R) -> R {
    let mut messages = MESSAGES.take();
    let result = work(&mut messages);
    messages.clear();
    MESSAGES.set(messages);
    result
}
