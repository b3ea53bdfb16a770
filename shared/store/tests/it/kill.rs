//! What was answered outlives `kill -9`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;

use gyre_runtime::Clock;
use gyre_store::{Access, Kind, Sqlite};
use gyre_types::UnixMillis;

use crate::suite::all;
use crate::{NOW, block, file};

/// Where the child finds its database.
const PATH: &str = "GYRE_TEST_STORE";

/// What it says when a change was answered, with the change's number.
const ANSWERED: &str = "answered ";

#[tokio::test]
async fn what_was_answered_is_there_after_kill_9() {
    let path = file("kill");
    for round in 0..3_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--ignored", "--nocapture"])
            .env(PATH, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        for _ in 0..40 * (round + 1) {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "it ended by itself");
        }
        child.kill().unwrap();
        // What it said before it died counts as well.
        let mut rest = line;
        said.read_to_string(&mut rest).unwrap();
        child.wait().unwrap();
        let answered = rest
            .lines()
            .filter_map(|line| line.strip_prefix(ANSWERED)?.parse().ok())
            .max();
        let answered: usize = answered.unwrap();

        let reopened = Sqlite::open(&path).await.unwrap();
        let found = all(&reopened, Kind::User, NOW).await.len();
        assert!(found > answered, "{found} of {answered} and one more");
    }
}

/// Blocks one user after the other until it is killed.
#[tokio::test]
#[ignore = "the other half of the test above"]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "what the test's other half says")]
    let Ok(path) = std::env::var(PATH) else {
        return; // Somebody runs what is ignored.
    };
    let clock = Clock::fixed(UnixMillis(NOW.0 * 1000));
    let repository = Arc::new(Sqlite::open(path.as_ref()).await.unwrap());
    let (access, keeper) = Access::in_repository(repository, &clock).await.unwrap();
    let write = async {
        for number in access.view().len(Kind::User).. {
            access
                .change(block(&number.to_string(), None))
                .await
                .unwrap();
            eprintln!("{ANSWERED}{number}");
        }
    };
    tokio::select! {
        () = keeper.run() => {}
        () = write => {}
    }
}
