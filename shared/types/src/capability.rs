/// One entry of a connection's capabilities, as a token or the backend gives it: what is allowed in
/// which channels.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Capability {
    /// Channels, or patterns of them.
    pub channels: Vec<String>,
    /// How the patterns are read; empty: as names.
    pub matching: String,
    /// What is allowed: `sub`, `pub`, `prs`, `hst`.
    pub allow: Vec<String>,
}
