use std::time::Duration;

use gyre_config::Channel;
use gyre_config::channel::{DataFormat, Options};
use regex::Regex;

use crate::error::PolicyError;
use crate::pattern;
use crate::retention::Retention;

/// A namespace, with what follows from its options worked out.
#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) options: Options,
    pub(crate) regex: Option<Regex>,
    pub(crate) data_format: DataFormat,
    pub(crate) retention: Option<Retention>,
    pub(crate) meta_ttl: Option<Duration>,
}

impl Namespace {
    /// Takes a namespace's options; what they leave open is as `channel` has it.
    pub(crate) fn new(
        name: &str,
        options: &Options,
        channel: &Channel,
    ) -> Result<Self, PolicyError> {
        let regex = match options.channel_regex.as_str() {
            "" => None,
            text => Some(pattern::compile(text).map_err(|source| PolicyError::Regex {
                namespace: name.to_owned(),
                source: Box::new(source),
            })?),
        };
        let meta_ttl = match options.history_meta_ttl.0 {
            0 => channel.history_meta_ttl.duration(),
            _ => options.history_meta_ttl.duration(),
        };
        Ok(Self {
            regex,
            data_format: match options.publication_data_format {
                DataFormat::Any => channel.publication_data_format,
                own @ (DataFormat::Json | DataFormat::JsonObject | DataFormat::Binary) => own,
            },
            retention: Retention::new(options, meta_ttl),
            meta_ttl,
            options: options.clone(),
        })
    }
}
