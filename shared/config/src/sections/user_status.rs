//! `user_status`: when users were last there.

use crate::sections::access::StorageRedis;
use crate::tree::options;
use crate::values::Millis;

options! {
    /// What the server API is told and tells about the activity of users.
    pub struct UserStatus {
        /// Switches it on.
        enabled: bool;
        /// How long a status is kept after its last change, in whole seconds. Unit: duration.
        expire_interval: Millis = Millis::from_secs(2_592_000);
        /// Where statuses are kept, if it names a server. Otherwise they are where the engine is.
        redis: StatusRedis;
    }
}

options! {
    /// A Redis of statuses.
    pub struct StatusRedis {
        /// Keeps them where the engine is, whatever else stands here.
        reuse_from_engine: bool;
        flatten
        /// Where it is.
        server: StorageRedis;
    }
}
