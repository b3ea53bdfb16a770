use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Wake;

use bytes::Bytes;
use gyre_hub::Subscriber;
use gyre_protocol::Format;
use gyre_protocol::codes::Unsubscribe;
use gyre_protocol::messages::ClientInfo;
use gyre_protocol::prepared::Prepared;
use gyre_session::{Control, Description};
use gyre_types::{ClientId, SubscriptionId, Uptime, UserId};
use tokio::sync::oneshot;

use crate::mailbox::{Mailbox, Offered, Signal};
use crate::revocation::Presented;
use crate::wheel::{Alarm, Fired, Target};

/// What a delivery costs in a mailbox beyond its payload. Unit: bytes.
///
/// 64: what channel name, user and envelope come to in a typical push.
const DELIVERY_OVERHEAD_BYTES: usize = 64;

/// What a command counts in a mailbox. Unit: bytes. Small: it must get through.
const COMMAND_BYTES: usize = 64;

/// Everyone's end of one connection: the hub's, the timing wheel's and the server API's.
///
/// The other end is the task in `connection.rs`, which owns the session.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) client: ClientId,
    /// Secret name, on transports that only go to the client.
    pub(crate) session: Option<Box<str>>,
    pub(crate) mailbox: Mailbox<Item>,
    /// Set once, when the connection is registered.
    user: OnceLock<UserId>,
    /// Set once, when the connection is authenticated, if it has any.
    #[expect(clippy::box_collection, reason = "most connections have none")]
    labels: OnceLock<Box<BTreeMap<String, String>>>,
    /// Where the connection stands in its user's list; kept by [`crate::connections`].
    pub(crate) place: AtomicU32,
    /// When something last went over it, commands or deliveries. Unit: seconds of uptime.
    active_s: AtomicU32,
    /// When its task has to be woken.
    pub(crate) alarm: Alarm,
    /// Ids of the tokens that it has shown.
    pub(crate) presented: Presented,
}

/// What lies in a mailbox.
#[derive(Debug)]
pub(crate) enum Item {
    /// The hub has something for a subscription.
    Delivery(SubscriptionId, Arc<Prepared>),
    /// The stream of a subscription is over.
    StreamEnd(SubscriptionId, Box<Unsubscribe>),
    /// Commands that came by a request of their own.
    Frame(Box<Bytes>),
    /// The server API wants something.
    Control(Box<Controlled>),
    /// The server API wants to know what the connection is; no answer: it is not connected.
    Describe(oneshot::Sender<Described>),
}

/// Every connection has room for one.
const _: () = assert!(size_of::<Item>() <= 24);

/// A connection at one moment, its transport included.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) session: Description,
    /// Name of the transport, as the API has it.
    pub(crate) transport: &'static str,
    pub(crate) format: Format,
}

/// A command of the server API and where its outcome goes.
#[derive(Debug)]
pub(crate) struct Controlled {
    pub(crate) command: Control,
    pub(crate) done: oneshot::Sender<Result<(), gyre_protocol::codes::Error>>,
}

impl Item {
    /// Whether a client that does not read must not delay it: somebody waits for the outcome, and
    /// nothing that the client is still to get depends on it.
    pub(crate) fn is_urgent(&self) -> bool {
        match self {
            Self::Describe(_) => true,
            Self::Control(controlled) => matches!(controlled.command, Control::Disconnect(_)),
            Self::Delivery(..) | Self::StreamEnd(..) | Self::Frame(_) => false,
        }
    }
}

impl Handle {
    pub(crate) fn new(client: ClientId, queue_bytes_max: usize) -> Self {
        Self {
            client,
            session: None,
            mailbox: Mailbox::new(queue_bytes_max),
            user: OnceLock::new(),
            labels: OnceLock::new(),
            place: AtomicU32::new(0),
            active_s: AtomicU32::new(0),
            alarm: Alarm::default(),
            presented: Presented::default(),
        }
    }

    /// The same, reachable by a secret name too.
    pub(crate) fn with_session(mut self, name: Option<&str>) -> Self {
        self.session = name.map(Box::from);
        self
    }

    /// Puts what the server API wants into the mailbox. `false`: the connection ends anyway.
    pub(crate) fn ask(&self, item: Item) -> bool {
        let is_urgent = item.is_urgent();
        let is_accepted = self.mailbox.offer(item, COMMAND_BYTES) == Offered::Accepted;
        if is_accepted && is_urgent {
            self.mailbox.raise(Signal::Urgent);
        }
        is_accepted
    }

    /// Puts something for a subscription into the mailbox.
    pub(crate) fn deliver(&self, id: SubscriptionId, prepared: &Arc<Prepared>) -> Offered {
        let payload = match (prepared.as_publication(), prepared.client_info()) {
            (Some(publication), _) => {
                publication.data.len() + publication.info.as_deref().map_or(0, info_bytes)
            }
            (None, Some(info)) => info_bytes(info),
            (None, None) => 0,
        };
        let item = Item::Delivery(id, Arc::clone(prepared));
        self.mailbox.offer(item, payload + DELIVERY_OVERHEAD_BYTES)
    }

    pub(crate) fn user(&self) -> Option<&UserId> {
        self.user.get()
    }

    /// Labels of the connection, which never change.
    pub(crate) fn labels(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.labels.get().map_or(&NONE, |labels| labels)
    }

    /// Gives the connection its labels; the first call counts.
    pub(crate) fn label(&self, labels: BTreeMap<String, String>) {
        if !labels.is_empty() {
            let _ = self.labels.set(Box::new(labels));
        }
    }

    /// Whose connection this is; the first call counts.
    pub(crate) fn register(&self, user: UserId) {
        let _ = self.user.set(user);
    }

    /// When something last went over it. Unit: seconds of uptime.
    pub(crate) fn active_s(&self) -> u32 {
        self.active_s.load(Ordering::Relaxed)
    }

    /// Something goes over it now.
    pub(crate) fn touch(&self, now_s: u32) {
        self.active_s.store(now_s, Ordering::Relaxed);
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
        // Whether it was taken, and what follows if not, is the mailbox's and its owner's business.
        let _ = self.0.deliver(subscription, prepared);
    }
}

impl Wake for Handle {
    /// The socket has something to read.
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.mailbox.raise(Signal::Readable);
    }
}

/// What a client's tokens say of it, which may be much.
fn info_bytes(info: &ClientInfo) -> usize {
    info.conn_info.len() + info.chan_info.len()
}

impl Target for Handle {
    fn fire(&self, now: Uptime) -> Option<Uptime> {
        match self.alarm.fired(now) {
            Fired::Due => self.mailbox.raise(Signal::Timeout),
            Fired::Again(at) => return Some(at),
            Fired::Idle => {}
        }
        None
    }
}
