//! Where log lines go.

use std::process::Stdio;
use std::thread::yield_now;

use super::Outcome;
use gyre_ports::free_port;

use super::server::{directory, gyre};

#[test]
fn lines_may_go_to_a_file() -> Outcome {
    let file = directory()?.join("lines.log");
    std::fs::write(&file, "from before\n")?;
    let port = free_port()?.to_string();
    let path = file.to_str().ok_or("path is not text")?;
    let mut process = gyre(&["-a", "127.0.0.1", "-p", &port, "--log.file", path])
        .stderr(Stdio::piped())
        .spawn()?;
    while !std::fs::read_to_string(&file)?.contains("\"message\":\"ready\"") {
        assert!(process.try_wait()?.is_none(), "it ended");
        yield_now();
    }
    process.kill()?;
    let output = process.wait_with_output()?;
    assert_eq!(output.stderr, b"");
    assert!(std::fs::read_to_string(&file)?.starts_with("from before\n{"));
    Ok(())
}
