use std::borrow::Borrow;
use std::collections::BTreeMap;

/// The first entries, in the order of their keys, of those that come after some key.
///
/// Entries are offered in any order; only a page's worth is kept.
#[derive(Debug)]
pub(super) struct Page<'a, K, V> {
    after: &'a str,
    limit: usize,
    entries: BTreeMap<K, V>,
    is_cut: bool,
}

impl<'a, K: Ord + Clone + Borrow<str>, V> Page<'a, K, V> {
    /// An empty page of up to `limit` entries, at least one, with keys after `after`.
    pub(super) fn new(after: &'a str, limit: usize) -> Self {
        Self {
            after,
            limit: limit.max(1),
            entries: BTreeMap::new(),
            is_cut: false,
        }
    }

    /// Takes an entry if it belongs to the page so far.
    pub(super) fn offer(&mut self, key: &K, value: impl FnOnce() -> V) {
        if Borrow::<str>::borrow(key) <= self.after {
            return;
        }
        if self.entries.len() >= self.limit {
            self.is_cut = true;
            if self
                .entries
                .last_key_value()
                .is_some_and(|(last, _)| key > last)
            {
                return;
            }
            self.entries.pop_last();
        }
        self.entries.insert(key.clone(), value());
    }

    /// The entries, and where the next page begins; empty: there is none.
    pub(super) fn finish(self) -> (BTreeMap<K, V>, String) {
        let last = self.entries.last_key_value();
        let next = match last {
            Some((last, _)) if self.is_cut => Borrow::<str>::borrow(last).to_owned(),
            Some(_) | None => String::new(),
        };
        (self.entries, next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    /// Keys of one page in their order, and the next page's beginning.
    fn page(keys: &[String], after: &str, limit: usize) -> (Vec<String>, String) {
        let mut page = Page::new(after, limit);
        for key in keys {
            page.offer(key, || ());
        }
        let (entries, next) = page.finish();
        (entries.into_keys().collect(), next)
    }

    #[test]
    fn a_full_page_is_not_cut_if_nothing_follows() {
        let keys = ["b".to_owned(), "a".to_owned()];
        assert_eq!(
            page(&keys, "", 2),
            (vec!["a".to_owned(), "b".to_owned()], String::new())
        );
        assert_eq!(page(&keys, "", 1), (vec!["a".to_owned()], "a".to_owned()));
        assert_eq!(page(&keys, "a", 1), (vec!["b".to_owned()], String::new()));
        assert_eq!(page(&keys, "b", 1), (vec![], String::new()));
    }

    proptest! {
        #[test]
        fn pages_together_are_everything_once(
            keys in btree_set("[a-c]{1,3}", 0..20),
            order in vec(any::<prop::sample::Index>(), 20),
            limit in 1_usize..8,
        ) {
            let mut shuffled: Vec<String> = keys.iter().cloned().collect();
            for (place, index) in order.iter().enumerate().take(shuffled.len()) {
                let other = index.index(shuffled.len());
                shuffled.swap(place, other);
            }
            let (mut seen, mut after) = (Vec::new(), String::new());
            loop {
                let (entries, next) = page(&shuffled, &after, limit);
                seen.extend(entries);
                if next.is_empty() {
                    break;
                }
                after = next;
            }
            prop_assert_eq!(seen, keys.into_iter().collect::<Vec<_>>());
        }
    }
}
