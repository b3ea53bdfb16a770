/// Whose fault an error is. Decides metric label, log level, status code and whether to retry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// The caller asked for what cannot be.
    Caller,
    /// A limit was reached.
    Limit,
    /// Something that we need did not answer; it may answer later.
    Unavailable,
    /// We broke a promise.
    Internal,
}

/// An error that knows whose fault it is.
pub trait Fault {
    /// Whose fault this is.
    fn fault(&self) -> Kind;
}
