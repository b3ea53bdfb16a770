//! `database`: PostgreSQL, for what must not be lost with one machine.

use crate::tree::options;
use crate::values::Secret;

options! {
    /// The database that several processes share.
    pub struct Database {
        /// Switches it on.
        enabled: bool;
        /// PostgreSQL.
        postgresql: Postgresql;
    }
}

options! {
    /// A PostgreSQL database.
    pub struct Postgresql {
        /// Where it is and who asks: `postgres://user:password@host:5432/name?sslmode=verify-full`.
        dsn: Secret;
    }
}
