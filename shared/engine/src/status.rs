use std::fmt;

use gyre_types::UnixSeconds;

use crate::{BoxFuture, Error};

/// When a user was last there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Status {
    /// When it last did something; `None`: not known.
    pub active: Option<UnixSeconds>,
    /// When it last had a connection; `None`: not known.
    pub online: Option<UnixSeconds>,
    /// What the backend called its state, such as `dnd`; empty: nothing.
    pub state: String,
}

/// When users were last there. Told by the server API and by gateways, read by the server API.
///
/// A status is forgotten some time after its last change, and may be forgotten earlier if there are
/// too many: then the one that changed longest ago goes first. Nobody waits for a status to be the
/// same everywhere; for one user the later change stands.
///
/// Users may be named more than once in a call. The empty user, who is everybody anonymous, has no
/// status: it is passed over where something is changed, and is not known where it is asked for.
///
/// All methods are cancel safe: what was dropped half way may have been done.
pub trait Statuses: fmt::Debug + Send + Sync {
    /// The users are active now. A `state` that is not empty replaces the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::OutcomeUnknown`]; it may be repeated.
    fn act<'a>(&'a self, users: &'a [String], state: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// The users have a connection now.
    ///
    /// # Errors
    ///
    /// As [`act`](Self::act).
    fn appear<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<(), Error>>;

    /// What is known of the users, one status each, in the order of the users.
    ///
    /// # Errors
    ///
    /// As [`act`](Self::act).
    fn statuses<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<Vec<Status>, Error>>;

    /// Forgets what is known of the users.
    ///
    /// # Errors
    ///
    /// As [`act`](Self::act).
    fn forget<'a>(&'a self, users: &'a [String]) -> BoxFuture<'a, Result<(), Error>>;
}
