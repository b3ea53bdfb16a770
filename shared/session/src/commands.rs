//! One file per command: what it checks, which effect it asks for, how its answer is made.

pub(crate) mod connect;
pub(crate) mod history;
pub(crate) mod presence;
pub(crate) mod publish;
pub(crate) mod refresh;
pub(crate) mod rpc;
pub(crate) mod sub_refresh;
pub(crate) mod subscribe;
pub(crate) mod unsubscribe;
