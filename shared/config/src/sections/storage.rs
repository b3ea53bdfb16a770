//! `storage`: what survives a restart.

use crate::tree::options;

options! {
    /// Embedded storage.
    pub struct Storage {
        /// The SQLite file.
        sqlite: Sqlite;
    }
}

options! {
    /// An SQLite database.
    pub struct Sqlite {
        /// Path of the database file. Empty: nothing is written to disk.
        path: String;
    }
}
