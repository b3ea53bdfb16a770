/// Why no policy can be made of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A `channel_regex` is no regular expression.
    #[error("channel_regex of {namespace} is not a regular expression")]
    Regex {
        /// The namespace, or `without_namespace`.
        namespace: String,
        /// Where it goes wrong.
        #[source]
        source: Box<regex::Error>,
    },
    /// Two namespaces have the same name.
    #[error("namespace {name} is defined twice")]
    Twice {
        /// The name.
        name: String,
    },
}
