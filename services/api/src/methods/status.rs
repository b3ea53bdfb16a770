//! What the methods of user status have in common.

use std::sync::Arc;

use gyre_engine::Statuses;

use super::Methods;
use crate::error::Error;

/// Users of one call. 1000: an answer of some hundred kilobytes.
const USERS_MAX: usize = 1000;

/// The statuses, if they are kept and these users can be asked for.
///
/// # Errors
///
/// 108 unless `user_status.enabled`; 107 without users, and for more than [`USERS_MAX`].
pub(super) fn statuses<'a>(
    methods: &'a Methods,
    users: &[String],
) -> Result<&'a Arc<dyn Statuses>, Error> {
    let statuses = methods.statuses.as_ref().ok_or(Error::NotAvailable)?;
    if users.is_empty() || users.len() > USERS_MAX {
        return Err(Error::BadRequest);
    }
    Ok(statuses)
}
