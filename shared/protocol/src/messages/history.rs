use super::{Publication, StreamPosition};

message! {
    /// Reads a channel's history.
    pub struct HistoryRequest {
        /// Channel.
        1 channel: String,
        /// Publications at most; 0: only the position; negative: all that is allowed.
        7 limit: i32,
        /// Where to begin, exclusive.
        8 since: Option<Box<StreamPosition>>,
        /// Newest first.
        9 reverse: bool,
    }
}

message! {
    /// Answer to [`HistoryRequest`].
    pub struct HistoryResult {
        /// What was found.
        1 publications: Vec<Publication> = always,
        /// The stream's life.
        2 epoch: String = always,
        /// Top of the stream.
        3 offset: u64 = always,
    }
}
