use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use gyre_hub::Subscriber;
use gyre_protocol::prepared::Prepared;
use gyre_session::Control;
use gyre_types::{ClientId, SubscriptionId, UserId};
use tokio::sync::oneshot;

use crate::mailbox::{Mailbox, Signal};
use crate::wheel::Target;

/// What a delivery costs in a mailbox beyond its payload. Unit: bytes.
///
/// 64: what channel name, user and envelope come to in a typical push.
const DELIVERY_OVERHEAD_BYTES: usize = 64;

/// Everyone's end of one connection: the hub's, the timing wheel's and the server API's.
///
/// The other end is the task in `connection.rs`, which owns the session.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) client: ClientId,
    pub(crate) mailbox: Mailbox<Item>,
    /// Set once, when the connection is registered.
    user: OnceLock<UserId>,
    /// Where the connection stands in its user's list; kept by [`crate::connections`].
    pub(crate) place: AtomicU32,
}

/// What lies in a mailbox.
#[derive(Debug)]
pub(crate) enum Item {
    /// The hub has something for a subscription.
    Delivery(SubscriptionId, Arc<Prepared>),
    /// The server API wants something.
    Control(Box<Controlled>),
}

/// A command of the server API and where its outcome goes.
#[derive(Debug)]
pub(crate) struct Controlled {
    pub(crate) command: Control,
    pub(crate) done: oneshot::Sender<Result<(), gyre_protocol::codes::Error>>,
}

impl Handle {
    pub(crate) const fn new(client: ClientId, queue_bytes_max: usize) -> Self {
        Self {
            client,
            mailbox: Mailbox::new(queue_bytes_max),
            user: OnceLock::new(),
            place: AtomicU32::new(0),
        }
    }

    pub(crate) fn user(&self) -> Option<&UserId> {
        self.user.get()
    }

    /// Whose connection this is; the first call counts.
    pub(crate) fn register(&self, user: UserId) {
        let _ = self.user.set(user);
    }

    pub(crate) fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed) as usize
    }
}

/// A handle, as the hub holds it.
#[derive(Clone, Debug)]
pub(crate) struct Shared(pub(crate) Arc<Handle>);

impl Subscriber for Shared {
    // hot path: delivery 3/6
    fn offer(&self, subscription: SubscriptionId, prepared: &Arc<Prepared>) {
        let payload = prepared
            .as_publication()
            .map_or(0, |publication| publication.data.len());
        let item = Item::Delivery(subscription, Arc::clone(prepared));
        // Whether it was taken, and what follows if not, is the mailbox's and its owner's business.
        let _ = self
            .0
            .mailbox
            .offer(item, payload + DELIVERY_OVERHEAD_BYTES);
    }
}

impl Target for Handle {
    fn fire(&self) {
        self.mailbox.raise(Signal::Timeout);
    }
}
