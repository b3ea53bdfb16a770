//! Pages over all gateways.
//!
//! Every gateway gives its page in the order of keys. What comes before the end of the shortest of
//! those pages is complete, and that is where the page of all ends.

use std::collections::BTreeMap;

use crate::error::Error;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    /// One page of so many entries.
    Page(u32),
    /// Everything.
    All,
}

impl Wanted {
    /// What the field `limit` says; a page has at most `max` entries.
    pub(super) fn of(limit: i32, max: u32) -> Result<Self, Error> {
        let limit = u32::try_from(limit).map_err(|_negative| Error::BadRequest)?;
        Ok(match limit {
            0 => Self::All,
            limit => Self::Page(limit.min(max)),
        })
    }

    /// How many entries to ask a gateway for at a time.
    pub(super) const fn at_once(self, max: u32) -> u32 {
        match self {
            Self::Page(limit) => limit,
            Self::All => max,
        }
    }
}

/// Cuts what several gateways gave to the page of all. `ends` are where their next pages begin, empty
/// for those that have none. Answers where the next page of all begins; empty: there is none.
pub(super) fn cut<V>(
    entries: &mut BTreeMap<String, V>,
    ends: impl Iterator<Item = String>,
    limit: u32,
) -> String {
    let mut end = ends.filter(|end| !end.is_empty()).min();
    let full = entries.keys().nth((limit.max(1) - 1) as usize);
    if let Some(full) = full
        && entries.len() > limit as usize
        && end.as_ref().is_none_or(|end| full < end)
    {
        end = Some(full.clone());
    }
    if let Some(end) = &end {
        entries.retain(|key, _| key <= end);
    }
    end.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_limit_is_not_negative_and_not_above_the_most() {
        assert_eq!(Wanted::of(-1, 10), Err(Error::BadRequest));
        assert_eq!(Wanted::of(0, 10), Ok(Wanted::All));
        for (limit, page) in [(1, 1), (10, 10), (11, 10)] {
            assert_eq!(Wanted::of(limit, 10), Ok(Wanted::Page(page)));
        }
        assert_eq!(
            (Wanted::All.at_once(10), Wanted::Page(3).at_once(10)),
            (10, 3)
        );
    }

    /// A page of one gateway, and where its next one begins.
    fn page(all: &BTreeMap<String, u32>, after: &str, limit: u32) -> (Vec<(String, u32)>, String) {
        let mut rest = all.iter().filter(|(key, _)| key.as_str() > after);
        let entries: Vec<_> = rest
            .by_ref()
            .take(limit as usize)
            .map(|(key, value)| (key.clone(), *value))
            .collect();
        let next = match (rest.next(), entries.last()) {
            (Some(_), Some((last, _))) => last.clone(),
            _ => String::new(),
        };
        (entries, next)
    }

    proptest! {
        #[test]
        fn the_pages_of_several_gateways_are_everything_once(
            gateways in vec(btree_map("[a-c]{1,3}", 1_u32..9, 0..12), 0..4),
            limit in 1_u32..6,
        ) {
            let mut expected: BTreeMap<String, u32> = BTreeMap::new();
            for (key, value) in gateways.iter().flatten() {
                *expected.entry(key.clone()).or_default() += value;
            }
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let pages: Vec<_> = gateways.iter().map(|all| page(all, &after, limit)).collect();
                let mut entries = BTreeMap::new();
                for (key, value) in pages.iter().flat_map(|(entries, _)| entries) {
                    *entries.entry(key.clone()).or_default() += value;
                }
                let ends = pages.iter().map(|(_, next)| next.clone());
                let next = cut(&mut entries, ends, limit);
                prop_assert!(entries.len() <= limit as usize);
                seen.extend(entries);
                if next.is_empty() {
                    break;
                }
                after = next;
            }
            prop_assert_eq!(seen, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
