//! What blocking and revoking have in common.

use gyre_store::{Exclusion, Key, Kind};
use gyre_types::UnixSeconds;

use super::Methods;
use crate::error::Error;

/// Whether an exclusion keeps anybody out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Holds {
    /// From now on.
    Now,
    /// It was over before it began: nobody is to be cut off.
    No,
}

/// Names a user or a token.
pub(super) fn key(kind: Kind, subject: &str, channel: &str) -> Result<Key, Error> {
    Key::new(kind, subject, channel).map_err(|_bad| Error::BadRequest)
}

/// Keeps somebody out until `expire_at`, for ever if that is zero. When it answers, every connection
/// that is opened from now on is refused, after a restart as well.
pub(super) async fn put(
    methods: &Methods,
    key: Key,
    issued_before: UnixSeconds,
    expire_at: i64,
) -> Result<Holds, Error> {
    let kind = key.kind();
    let exclusion = Exclusion {
        key,
        issued_before,
        expire_at: match expire_at {
            ..0 => return Err(Error::BadRequest),
            0 => None,
            at => Some(UnixSeconds(at)),
        },
    };
    let holds = match exclusion.holds(methods.access.now()) {
        true => Holds::Now,
        false => Holds::No,
    };
    let put = methods.access.put(exclusion).await;
    put.map_err(|error| Error::of_store(&error))?;
    follow(methods, kind).await?;
    Ok(holds)
}

/// Has gateways in other processes know of a change before it is answered.
pub(super) async fn follow(methods: &Methods, kind: Kind) -> Result<(), Error> {
    match methods.access.is_shared(kind) {
        true => methods.gateways.follow_access().await,
        false => Ok(()),
    }
}
