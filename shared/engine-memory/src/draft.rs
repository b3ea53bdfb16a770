use std::sync::Arc;

use bytes::Bytes;
use gyre_protocol::messages::Publication;
use gyre_types::{Now, Position};

/// A publication that is about to get its stamps, in one channel or in many.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    publication: &'a Publication,
    /// What goes to history when that is more than one channel.
    data: Option<Bytes>,
    /// What goes to channels without history: they can share it.
    passing: Option<Arc<Publication>>,
}

impl<'a> Draft<'a> {
    /// Of a publication for one channel.
    pub(crate) const fn new(publication: &'a Publication) -> Self {
        Self {
            publication,
            data: None,
            passing: None,
        }
    }

    /// Of a publication for several histories, which share its data.
    pub(crate) fn shared(publication: &'a Publication) -> Self {
        Self {
            data: Some(Bytes::copy_from_slice(&publication.data)),
            ..Self::new(publication)
        }
    }

    /// The version that the publisher gave; 0: none.
    pub(crate) const fn version(&self) -> u64 {
        self.publication.version
    }

    /// As it is kept in history at this position.
    ///
    /// Data is copied: it is a slice of the buffer that it was received in, and history must not hold
    /// on to a whole buffer for each of its publications.
    pub(crate) fn kept(&self, position: Position, now: Now) -> Arc<Publication> {
        let data = match &self.data {
            Some(shared) => shared.clone(),
            None => Bytes::copy_from_slice(&self.publication.data),
        };
        let epoch = match position.offset {
            1 => position.epoch.as_str().into(),
            _ => Arc::default(),
        };
        Arc::new(Publication {
            offset: position.offset,
            epoch,
            ..self.stamped(data, now)
        })
    }

    /// As it passes through without history.
    pub(crate) fn passing(&mut self, now: Now) -> Arc<Publication> {
        if let Some(shared) = &self.passing {
            return Arc::clone(shared);
        }
        let publication = Arc::new(self.stamped(self.publication.data.clone(), now));
        self.passing = Some(Arc::clone(&publication));
        publication
    }

    /// A copy with the time, without a place. Field by field, so that data is not copied twice.
    fn stamped(&self, data: Bytes, now: Now) -> Publication {
        let from = self.publication;
        Publication {
            data,
            info: from.info.clone(),
            offset: 0,
            tags: from.tags.clone(),
            delta: from.delta,
            time: now.unix.0,
            channel: Arc::clone(&from.channel),
            key: Arc::clone(&from.key),
            removed: from.removed,
            score: from.score,
            epoch: Arc::default(),
            prev_data: from.prev_data.clone(),
            version: from.version,
        }
    }
}
