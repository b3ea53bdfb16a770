use gyre_store::{DatabaseError, Exclusions as _, Kind, Sqlite};

use crate::suite::{self, all};
use crate::{NOW, block, file};

#[tokio::test]
async fn the_suite_passes() {
    let opened = Sqlite::open(&file("suite")).await.unwrap();
    suite::run(&opened).await;
}

#[tokio::test]
async fn what_is_there_is_there_after_opening_again() {
    let path = file("again");
    for round in 0..3 {
        let opened = Sqlite::open(&path).await.unwrap();
        assert_eq!(all(&opened, Kind::User, NOW).await.len(), round);
        let change = [block(&round.to_string(), None)];
        opened.apply(&change, NOW).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_is_one_process_s() {
    let path = file("two");
    let first = Sqlite::open(&path).await.unwrap();
    let second = Sqlite::open(&path).await.unwrap_err();
    assert!(matches!(second, DatabaseError::InUse { .. }), "{second:?}");
    drop(first);
    Sqlite::open(&path).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let path = file("missing").with_file_name("nowhere").join("gyre.db");
    let refused = Sqlite::open(&path).await.unwrap_err();
    assert!(refused.to_string().contains("nowhere"), "{refused}");
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let path = file("garbage");
    std::fs::write(&path, "not a database ".repeat(100)).unwrap();
    assert!(Sqlite::open(&path).await.is_err());
}
