//! `user_status`: when users were last there.

use crate::tree::options;
use crate::values::Millis;

options! {
    /// What the server API is told and tells about the activity of users.
    pub struct UserStatus {
        /// Switches it on.
        enabled: bool;
        /// How long a status is kept after its last change, in whole seconds. Unit: duration.
        expire_interval: Millis = Millis::from_secs(2_592_000);
    }
}
