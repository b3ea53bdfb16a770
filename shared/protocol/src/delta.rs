//! Payloads as differences from the payload before, in the format of Fossil.
//!
//! A subscription with deltas gets every payload in one of two forms: full, or a patch against the
//! payload before. In JSON both are JSON strings whose content is the payload's text or the
//! patch's; in Protobuf both are bytes. A patch is sent only if it is strictly shorter than the
//! payload; either way the payload is what the next patch builds on.

mod fossil;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub use fossil::{PatchError, apply, create};

use crate::format::Format;
use crate::json;
use crate::messages::Publication;

/// Puts recovered publications into the form of a delta subscription: of each key the first full,
/// the others as patches against the one before. A removal ends the chain of its key; in a stream
/// all publications have the empty key.
///
/// A payload that has no place in JSON is left as it is, so that encoding it says so.
pub fn recovered(format: Format, publications: &mut [Publication]) {
    let mut bases: BTreeMap<Arc<str>, Bytes> = BTreeMap::new();
    for publication in publications {
        let payload = publication.data.clone();
        let is_patch = bases
            .get(&publication.key)
            .is_some_and(|base| patch(format, base, publication));
        if !is_patch {
            full(format, publication);
        }
        let key = Arc::clone(&publication.key);
        if publication.removed {
            bases.remove(&key);
        } else {
            bases.insert(key, payload);
        }
    }
}

/// Puts a publication into the full form of a delta subscription.
///
/// An empty payload, as a removal has it, becomes `null` in JSON: SDKs parse what the string holds.
/// A payload that has no place in JSON is left as it is, so that encoding it says so.
pub fn full(format: Format, publication: &mut Publication) {
    if format == Format::Protobuf {
        return;
    }
    let payload: &[u8] = if publication.data.is_empty() {
        b"null"
    } else {
        &publication.data
    };
    if let Some(text) = json_text(payload) {
        publication.data = quoted(text);
        drop_position_details(publication);
    }
}

/// Puts a publication into the form of a patch against `base`, and returns whether there is one.
///
/// There is none if it would not be shorter, or, in JSON, if either payload is not JSON.
pub(crate) fn patch(format: Format, base: &[u8], publication: &mut Publication) -> bool {
    if publication.removed {
        return false;
    }
    let payload: &[u8] = &publication.data;
    if format == Format::Json && (json_text(base).is_none() || json_text(payload).is_none()) {
        return false;
    }
    let Some(patch) = create(base, payload) else {
        return false;
    };
    publication.data = match format {
        Format::Protobuf => patch.into(),
        Format::Json => match std::str::from_utf8(&patch) {
            Ok(patch) => quoted(patch),
            Err(_) => return false,
        },
    };
    publication.delta = true;
    drop_position_details(publication);
    true
}

/// The epoch and the version are not part of the delta forms.
fn drop_position_details(publication: &mut Publication) {
    publication.epoch = Arc::default();
    publication.version = 0;
}

fn json_text(payload: &[u8]) -> Option<&str> {
    if json::is_valid(payload) {
        std::str::from_utf8(payload).ok()
    } else {
        None
    }
}

fn quoted(text: &str) -> Bytes {
    let mut quoted = Vec::with_capacity(text.len() + text.len() / 8 + 2);
    json::quote(text, &mut quoted);
    quoted.into()
}

#[cfg(test)]
mod tests;
