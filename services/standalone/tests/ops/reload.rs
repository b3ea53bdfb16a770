//! SIGHUP.

use super::Outcome;
use super::server::{Server, directory};

fn write(path: &std::path::Path, config: &str) -> std::io::Result<()> {
    std::fs::write(path, config)
}

#[test]
fn a_reload_takes_effect_or_leaves_everything() -> Outcome {
    let path = directory()?.join("reload.json");
    write(
        &path,
        r#"{"prometheus":{"enabled":true},"log":{"level":"info"}}"#,
    )?;
    let mut server = Server::start(&["-c", path.to_str().ok_or("path is not text")?])?;
    assert!(server.get("/metrics")?.contains("gyre_config_version 1\n"));

    // Two problems, both told, and the level stays.
    write(
        &path,
        r#"{"log":{"level":"loud"},"client":{"concurrency":"y"}}"#,
    )?;
    server.signal("HUP")?;
    server.read_until("configuration stays as it was")?;
    let problems = server.values("configuration cannot be used", "problem");
    assert!(
        problems.iter().any(|one| one.starts_with("log.level")),
        "{problems:?}"
    );
    assert!(
        problems
            .iter()
            .any(|one| one.starts_with("client.concurrency")),
        "{problems:?}"
    );
    assert!(server.get("/metrics")?.contains("gyre_config_version 1\n"));

    // What a running process does not take on is named, without its value.
    write(
        &path,
        r#"{"prometheus":{"enabled":true},"log":{"level":"error"},"admin":{"password":"letmein"},
            "grpc_api":{"key":"letmein","max_receive_message_size":1000}}"#,
    )?;
    server.signal("HUP")?;
    server.read_until("configuration: takes effect at the next start")?;
    let waiting = server.values("configuration: takes effect at the next start", "option");
    assert_eq!(waiting, ["grpc_api.max_receive_message_size"]);
    // The last line of level info: then the level has changed, and the drain says nothing.
    while !server.get("/metrics")?.contains("gyre_config_version 2\n") {
        std::thread::yield_now();
    }
    server.signal("TERM")?;
    assert_eq!(server.wait()?, Some(0));
    assert!(server.line("draining").is_none(), "the level holds");
    Ok(())
}
