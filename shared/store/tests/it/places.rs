//! Which storage the configuration means.

use gyre_config::Config;
use std::error::Error;
use std::sync::Arc;

use gyre_config::access::{AccessStorage, StorageRedis, StorageType};
use gyre_runtime::Clock;
use gyre_store::{Access, Exclusions, Kind, OpenError, Sqlite, open};
use gyre_types::UnixMillis;

use crate::{NOW, block, exclusion, file, key};

fn config(path: &std::path::Path) -> Config {
    let mut config = Config::default();
    config.storage.sqlite.path = path.display().to_string();
    config
}

fn nowhere(_: &StorageRedis) -> Result<Arc<dyn Exclusions>, Box<dyn Error + Send + Sync>> {
    Err("there is none".into())
}

/// Opens, changes, and closes.
async fn with(config: &Config, change: impl AsyncFn(&Access)) {
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let store = open(config, &clock, &nowhere).await.unwrap();
    let keepers = store.keepers.into_iter().map(gyre_store::Keeper::run);
    tokio::select! {
        _ = futures_util::future::join_all(keepers) => panic!("nobody has left"),
        () = change(&store.access) => {}
    }
}

async fn block_ann_and_revoke_x(access: &Access) {
    access.change(block("ann", None)).await.unwrap();
    let token = exclusion(key(Kind::Token, "x"), 0, None);
    access.put(token).await.unwrap();
}

#[tokio::test]
async fn with_a_file_all_of_it_outlives_the_process() {
    let config = config(&file("places-all"));
    with(&config, block_ann_and_revoke_x).await;
    with(&config, async |access| {
        assert!(access.view().is_blocked("ann", NOW));
        assert!(access.view().is_revoked("x", NOW));
    })
    .await;
}

#[tokio::test]
async fn a_section_may_choose_memory() {
    let mut config = config(&file("places-some"));
    config.token_revoke.storage_type = AccessStorage::Memory;
    with(&config, block_ann_and_revoke_x).await;
    with(&config, async |access| {
        assert!(access.view().is_blocked("ann", NOW));
        assert!(!access.view().is_revoked("x", NOW));
    })
    .await;
}

#[tokio::test]
async fn what_only_channels_use_has_no_keeper_that_would_end() {
    let mut config = config(&file("places-channels"));
    config.channel.state.storage_type = StorageType::Memory;
    with(&config, block_ann_and_revoke_x).await;
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let store = open(&config, &clock, &nowhere).await.unwrap();
    assert_eq!(store.keepers.len(), 1);
}

#[tokio::test]
async fn without_a_file_nothing_is_written_and_nothing_outlives_it() {
    let config = Config::default();
    with(&config, async |access| {
        block_ann_and_revoke_x(access).await;
        assert!(access.view().is_blocked("ann", NOW));
    })
    .await;
    with(&config, async |access| {
        assert!(!access.view().is_blocked("ann", NOW));
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_asked_for_has_to_be_named() {
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let mut config = Config::default();
    config.user_block.storage_type = AccessStorage::Database;
    let refused = open(&config, &clock, &nowhere).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::NoDatabase("user_block")),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("user_block.storage_type"));
}

#[tokio::test]
async fn a_section_may_choose_its_redis() {
    let mut config = config(&file("places-redis"));
    for section in [&mut config.user_block.redis, &mut config.token_revoke.redis] {
        section.prefix = "one".to_owned();
    }
    config.user_block.storage_type = AccessStorage::Redis;
    config.token_revoke.storage_type = AccessStorage::Redis;
    config.user_tokens_invalidate.storage_type = AccessStorage::Redis;
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let refused = open(&config, &clock, &nowhere).await.unwrap_err();
    assert_eq!(refused.to_string(), "user_block.redis");

    // Another repository stands in for it, once for each Redis that is named.
    let opened = parking_lot::Mutex::new(Vec::new());
    let stand_in = Arc::new(Sqlite::open(&file("places-stand-in")).await.unwrap());
    let redis = |section: &StorageRedis| {
        opened.lock().push(section.prefix.clone());
        Ok(Arc::clone(&stand_in) as Arc<dyn Exclusions>)
    };
    let store = open(&config, &clock, &redis).await.unwrap();
    assert_eq!(store.keepers.len(), 2);
    assert_eq!(*opened.lock(), ["one", "gyre"]);
}
