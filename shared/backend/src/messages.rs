//! What is said: which messages there are, what answers stand for, where payloads stand in them.

pub(crate) mod answer;
pub(crate) mod event;
pub(crate) mod exchange;
pub(crate) mod payload;
