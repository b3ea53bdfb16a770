//! What every [`Exclusions`] must do.

use gyre_store::{Access, Change, Exclusion, Exclusions, Keeper, Key, Kind, REMOVED_SECS};
use gyre_types::UnixSeconds;

/// The second in which the tests begin.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

pub(crate) fn key(kind: Kind, subject: &str) -> Key {
    Key::new(kind, subject, "").unwrap()
}

/// Seconds from [`NOW`]; `None`: for ever.
pub(crate) fn exclusion(key: Key, issued_before: i64, expires_in: Option<i64>) -> Exclusion {
    Exclusion {
        key,
        issued_before: UnixSeconds(issued_before),
        expire_at: expires_in.map(|seconds| UnixSeconds(NOW.0 + seconds)),
    }
}

pub(crate) fn block(user: &str, expires_in: Option<i64>) -> Change {
    Change::Put(exclusion(key(Kind::User, user), 0, expires_in))
}

/// Runs the suite over an empty repository.
pub(crate) async fn run(repository: &dyn Exclusions) {
    comes_back_as_it_went(repository).await;
    the_later_one_stands(repository).await;
    kinds_and_channels_are_apart(repository).await;
    a_batch_is_made_in_order(repository).await;
    pages_join_without_gap(repository).await;
    what_expired_is_not_listed_and_is_purged(repository).await;
    texts_are_texts(repository).await;
    changes_are_numbered_in_their_order(repository).await;
}

/// Two processes, with what writes for each: both change, and each sees what the other has changed.
pub(crate) async fn see_each_other(
    (one, keeper): (Access, Keeper),
    (other, follower): (Access, Keeper),
) {
    let test = async {
        assert!(one.is_shared(Kind::User));
        one.change(block("ann", None)).await.unwrap();
        other.look().await.unwrap();
        assert!(other.view().is_blocked("ann", NOW));
        // Both write; none takes the other's change back.
        other.change(block("bob", None)).await.unwrap();
        one.remove(key(Kind::User, "ann")).await.unwrap();
        one.look().await.unwrap();
        other.look().await.unwrap();
        for access in [&one, &other] {
            assert!(!access.view().is_blocked("ann", NOW));
            assert!(access.view().is_blocked("bob", NOW));
        }
        // It need not be told.
        one.change(block("cid", None)).await.unwrap();
        while !other.view().is_blocked("cid", NOW) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = keeper.run() => {}
        () = follower.run() => {}
        () = test => {}
    }
}

pub(crate) async fn all(
    repository: &dyn Exclusions,
    kind: Kind,
    now: UnixSeconds,
) -> Vec<Exclusion> {
    repository.page(kind, None, now, 10_000).await.unwrap()
}

async fn clear(repository: &dyn Exclusions) {
    for kind in Kind::ALL {
        let removals: Vec<Change> = all(repository, kind, UnixSeconds(i64::MIN))
            .await
            .into_iter()
            .map(|exclusion| Change::Remove(exclusion.key))
            .collect();
        repository.apply(&removals, NOW).await.unwrap();
    }
}

async fn comes_back_as_it_went(repository: &dyn Exclusions) {
    let entries = [
        exclusion(key(Kind::TokensOfUser, "ann"), 1_234, None),
        exclusion(key(Kind::TokensOfUser, "bob"), i64::MIN, Some(1)),
        exclusion(key(Kind::TokensOfUser, "cid"), i64::MAX, Some(1_000_000)),
    ];
    let changes: Vec<Change> = entries.iter().cloned().map(Change::Put).collect();
    repository.apply(&changes, NOW).await.unwrap();
    assert_eq!(all(repository, Kind::TokensOfUser, NOW).await, entries);
    clear(repository).await;
    assert_eq!(all(repository, Kind::TokensOfUser, NOW).await, []);
}

async fn the_later_one_stands(repository: &dyn Exclusions) {
    let earlier = exclusion(key(Kind::TokensOfUser, "ann"), 9, Some(100));
    let later = exclusion(key(Kind::TokensOfUser, "ann"), 5, None);
    for entry in [&earlier, &later] {
        let change = [Change::Put(entry.clone())];
        repository.apply(&change, NOW).await.unwrap();
    }
    assert_eq!(all(repository, Kind::TokensOfUser, NOW).await, [later]);
    clear(repository).await;
}

async fn kinds_and_channels_are_apart(repository: &dyn Exclusions) {
    let changes = [
        block("x", None),
        Change::Put(exclusion(key(Kind::Token, "x"), 0, None)),
        Change::Put(exclusion(
            Key::new(Kind::TokensOfUser, "x", "news").unwrap(),
            1,
            None,
        )),
        Change::Put(exclusion(key(Kind::TokensOfUser, "x"), 2, None)),
    ];
    repository.apply(&changes, NOW).await.unwrap();
    let removed = [Change::Remove(key(Kind::TokensOfUser, "x"))];
    repository.apply(&removed, NOW).await.unwrap();
    let mut counts = Vec::new();
    for kind in Kind::ALL {
        counts.push(all(repository, kind, NOW).await.len());
    }
    assert_eq!(counts, [1, 1, 1]);
    let left = all(repository, Kind::TokensOfUser, NOW).await;
    assert_eq!(left[0].key.channel(), "news");
    clear(repository).await;
}

async fn a_batch_is_made_in_order(repository: &dyn Exclusions) {
    let unblock = Change::Remove(key(Kind::User, "ann"));
    let batch = [block("ann", None), unblock.clone(), block("ann", Some(5))];
    repository.apply(&batch, NOW).await.unwrap();
    let found = all(repository, Kind::User, NOW).await;
    assert_eq!(found, [exclusion(key(Kind::User, "ann"), 0, Some(5))]);
    let batch = [block("ann", None), unblock];
    repository.apply(&batch, NOW).await.unwrap();
    assert_eq!(all(repository, Kind::User, NOW).await, []);
}

async fn pages_join_without_gap(repository: &dyn Exclusions) {
    // Bytes order these otherwise than people do.
    let names = ["Z", "a", "a b", "a-b", "aa", "é", "ß", "世界", "🦀"];
    let changes: Vec<Change> = names.iter().map(|name| block(name, None)).collect();
    repository.apply(&changes, NOW).await.unwrap();
    for limit in [1, 2, 4, 9, 100] {
        let (mut joined, mut last) = (Vec::new(), None);
        loop {
            let page = repository.page(Kind::User, last.as_ref(), NOW, limit);
            let page = page.await.unwrap();
            assert!(page.len() <= limit as usize);
            let Some(end) = page.last() else { break };
            last = Some(end.key.clone());
            joined.extend(page.iter().map(|entry| entry.key.subject().to_owned()));
        }
        assert_eq!(joined, {
            let mut sorted = names.map(str::to_owned);
            sorted.sort();
            sorted
        });
    }
    clear(repository).await;
}

async fn what_expired_is_not_listed_and_is_purged(repository: &dyn Exclusions) {
    let changes = [
        block("ever", None),
        block("ten", Some(10)),
        block("one", Some(1)),
    ];
    repository.apply(&changes, NOW).await.unwrap();
    for (after, left) in [(0, 3), (1, 2), (9, 2), (10, 1), (1_000_000, 1)] {
        let now = UnixSeconds(NOW.0 + after);
        assert_eq!(
            all(repository, Kind::User, now).await.len(),
            left,
            "{after}"
        );
    }
    let later = UnixSeconds(NOW.0 + 10);
    assert_eq!(repository.purge(NOW, 10).await.unwrap(), 0);
    assert_eq!(repository.purge(later, 1).await.unwrap(), 1);
    assert_eq!(repository.purge(later, 10).await.unwrap(), 1);
    assert_eq!(repository.purge(later, 10).await.unwrap(), 0);
    assert_eq!(all(repository, Kind::User, UnixSeconds(0)).await.len(), 1);
    clear(repository).await;
}

async fn texts_are_texts(repository: &dyn Exclusions) {
    let longest = "🦀".repeat(256);
    let names = [
        "'; DROP TABLE exclusion; --",
        "%",
        "\\",
        "\n",
        "$1",
        &longest,
    ];
    for name in names {
        repository.apply(&[block(name, None)], NOW).await.unwrap();
        let found = all(repository, Kind::User, NOW).await;
        assert_eq!(found[0].key.subject(), name);
        let unblock = [Change::Remove(key(Kind::User, name))];
        repository.apply(&unblock, NOW).await.unwrap();
        assert_eq!(all(repository, Kind::User, NOW).await, [], "{name}");
    }
}

async fn changes_are_numbered_in_their_order(repository: &dyn Exclusions) {
    let before = repository.version().await.unwrap();
    let changes = [
        block("ann", None),
        block("bob", Some(5)),
        Change::Remove(key(Kind::User, "ann")),
        Change::Remove(key(Kind::Token, "never there")),
    ];
    repository.apply(&changes[..2], NOW).await.unwrap();
    repository.apply(&changes[2..], NOW).await.unwrap();
    let after = repository.version().await.unwrap();
    // Of what was changed twice the later change is left.
    let numbered = repository.since(before, 10).await.unwrap();
    let left: Vec<&Change> = numbered.iter().map(|(_, change)| change).collect();
    assert_eq!(left, changes[1..].iter().collect::<Vec<_>>());
    let numbers: Vec<i64> = numbered.iter().map(|(number, _)| *number).collect();
    assert!(before < numbers[0] && numbers.is_sorted_by(|one, two| one < two));
    assert_eq!(numbers[2], after);
    assert_eq!(repository.since(before, 1).await.unwrap(), numbered[..1]);
    assert_eq!(
        repository.since(numbers[0], 10).await.unwrap(),
        numbered[1..]
    );
    assert_eq!(repository.since(after, 10).await.unwrap(), []);
    // Marks of removals go with time.
    let later = UnixSeconds(NOW.0 + REMOVED_SECS);
    repository.purge(later, 10_000).await.unwrap();
    assert_eq!(repository.since(before, 10).await.unwrap(), []);
}
