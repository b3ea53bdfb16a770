//! Whether a client's position can be caught up, and with which publications.
//!
//! What is published while history is read lies in the subscription's buffer and is delivered after
//! the reply through the ordinary path, which drops what the reply had and notices a hole. So nothing
//! is merged here.

use std::sync::Arc;

use gyre_protocol::messages::Publication;
use gyre_types::Position;

use crate::effect::HistoryPart;

/// Where a client says that it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Since {
    pub(crate) offset: u64,
    /// Empty: any. Text, for it may be anything.
    pub(crate) epoch: String,
}

/// Outcome of a recovery.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Recovered {
    /// Whether nothing is missing.
    pub(crate) is_recovered: bool,
    /// What the client missed, oldest first.
    pub(crate) publications: Vec<Arc<Publication>>,
}

/// Stream mode: all that came after the position, if all of it is still there.
///
/// `history` is a read since `since.offset`, oldest first, cut at the limit.
pub(crate) fn stream(since: &Since, history: HistoryPart) -> Recovered {
    let HistoryPart { top, publications } = history;
    if !since.epoch.is_empty() && since.epoch != top.epoch.as_str() {
        return Recovered::default();
    }
    let is_recovered = match (publications.first(), publications.last()) {
        (Some(first), Some(last)) => {
            first.offset == since.offset.saturating_add(1) && last.offset == top.offset
        }
        _ => since.offset == top.offset,
    };
    if !is_recovered {
        return Recovered::default();
    }
    Recovered {
        is_recovered,
        publications,
    }
}

/// Cache mode: only the newest publication matters.
///
/// `history` is a read of the newest, newest first; `is_wanted` is the subscription's filter.
pub(crate) fn cache(
    since: &Since,
    history: HistoryPart,
    is_wanted: impl Fn(&Publication) -> bool,
) -> Recovered {
    let HistoryPart { top, publications } = history;
    let is_current =
        since.offset > 0 && since.offset == top.offset && since.epoch == top.epoch.as_str();
    let is_complete = publications
        .first()
        .is_some_and(|newest| newest.offset == top.offset);
    if is_current {
        return Recovered {
            is_recovered: publications.is_empty() || is_complete,
            publications: Vec::new(),
        };
    }
    if !is_complete {
        return Recovered::default();
    }
    let newest = publications
        .into_iter()
        .find(|publication| is_wanted(publication));
    Recovered {
        is_recovered: newest.is_some(),
        publications: newest.into_iter().collect(),
    }
}

/// Position of a fresh subscription's end of the stream.
pub(crate) fn position_of(history: Option<&HistoryPart>) -> Position {
    history.map(|part| part.top).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use gyre_types::Epoch;
    use proptest::prelude::*;

    use super::*;

    fn part(offsets: impl IntoIterator<Item = u64>, top: u64) -> HistoryPart {
        HistoryPart {
            top: Position {
                offset: top,
                epoch: Epoch::new("E").unwrap(),
            },
            publications: offsets
                .into_iter()
                .map(|offset| {
                    Arc::new(Publication {
                        offset,
                        ..Publication::default()
                    })
                })
                .collect(),
        }
    }

    fn since(offset: u64, epoch: &str) -> Since {
        Since {
            offset,
            epoch: epoch.to_owned(),
        }
    }

    fn offsets(recovered: &Recovered) -> Vec<u64> {
        recovered.publications.iter().map(|p| p.offset).collect()
    }

    #[test]
    fn a_stream_recovers_only_without_a_hole() {
        let all = stream(&since(1, "E"), part([2, 3], 3));
        assert!(all.is_recovered);
        assert_eq!(offsets(&all), [2, 3]);

        assert!(stream(&since(3, "E"), part([], 3)).is_recovered);
        assert!(stream(&since(0, ""), part([], 0)).is_recovered);
        assert!(stream(&since(1, ""), part([2, 3], 3)).is_recovered);

        for lost in [
            stream(&since(1, "other"), part([2, 3], 3)),
            stream(&since(1, "E"), part([4, 5], 5)), // trimmed
            stream(&since(1, "E"), part([2, 3], 9)), // cut at the limit
            stream(&since(10, "E"), part([], 3)),    // ahead of the stream
            stream(&since(1, "E"), part([], 3)),     // expired
        ] {
            assert_eq!(lost, Recovered::default());
        }
    }

    #[test]
    fn a_cache_recovers_with_the_newest() {
        let newest = cache(&since(0, ""), part([3], 3), |_| true);
        assert!(newest.is_recovered);
        assert_eq!(offsets(&newest), [3]);

        let nothing_new = cache(&since(3, "E"), part([3], 3), |_| true);
        assert!(nothing_new.is_recovered);
        assert_eq!(offsets(&nothing_new), [0; 0]);

        assert!(cache(&since(3, "E"), part([], 3), |_| true).is_recovered);
        assert!(!cache(&since(0, ""), part([], 0), |_| true).is_recovered);
        assert!(!cache(&since(1, "E"), part([2], 3), |_| true).is_recovered);
    }

    #[test]
    fn a_cache_looks_for_what_the_filter_lets_through() {
        let wanted = cache(&since(0, ""), part([5, 4, 3], 5), |p| p.offset == 4);
        assert!(wanted.is_recovered);
        assert_eq!(offsets(&wanted), [4]);
        assert!(!cache(&since(0, ""), part([5, 4], 5), |_| false).is_recovered);
    }

    proptest! {
        #[test]
        fn what_is_recovered_has_no_hole(
            kept_from in 1_u64..50, top in 0_u64..50, from in 0_u64..60, limit in 1_usize..60,
        ) {
            let available = (kept_from.max(from + 1)..=top).take(limit);
            let recovered = stream(&since(from, "E"), part(available, top));
            if recovered.is_recovered {
                let expected: Vec<u64> = (from + 1..=top).collect();
                prop_assert_eq!(offsets(&recovered), expected);
            } else {
                prop_assert!(recovered.publications.is_empty());
            }
        }
    }
}
