//! `user_block`, `token_revoke`, `user_tokens_invalidate`: who is kept out, and where that is kept.

use crate::tree::options;
use crate::values::keyword;

options! {
    /// Where the server API's list of blocked users is kept.
    pub struct UserBlock {
        /// Which storage.
        storage_type: StorageType = StorageType::Embedded;
    }
}

options! {
    /// Where the server API's list of revoked tokens is kept.
    pub struct TokenRevoke {
        /// Which storage.
        storage_type: StorageType = StorageType::Embedded;
    }
}

options! {
    /// Where it is kept whose older tokens the server API has made void.
    pub struct UserTokensInvalidate {
        /// Which storage.
        storage_type: StorageType = StorageType::Embedded;
    }
}

keyword! {
    /// Where a small table is kept.
    pub enum StorageType = Embedded {
        /// In the file of `storage.sqlite.path`; in memory if there is none.
        Embedded = "embedded",
        /// In memory: a restart forgets it.
        Memory = "memory",
        /// In the PostgreSQL database of section `database`.
        Database = "database"
    }
}
