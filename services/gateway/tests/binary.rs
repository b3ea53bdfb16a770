//! The binary: what it refuses.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> std::io::Result<Output> {
    command(arguments).output()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyre-gateway"));
    command
        .args(arguments)
        .env_clear()
        .current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

#[test]
fn an_engine_of_one_process_is_refused() -> Result<(), Box<dyn std::error::Error>> {
    let output = run(&[])?;
    assert_eq!(output.status.code(), Some(64));
    let told = String::from_utf8(output.stderr)?;
    assert!(
        told.contains("engine.type memory keeps publications within one process"),
        "{told}"
    );
    Ok(())
}

#[test]
fn an_engine_of_one_process_may_be_meant() -> Result<(), Box<dyn std::error::Error>> {
    // It goes on to what it refuses next: there is no key for internal calls.
    let output = command(&["-a", "127.0.0.1", "-p", "0"])
        .env("GYRE_LINKS_WITHOUT_BUS", "true")
        .env("GYRE_GATEWAY_RPC_PORT", "0")
        .output()?;
    let told = String::from_utf8(output.stderr)?;
    assert!(!told.contains("engine.type memory"), "{told}");
    assert!(
        told.contains("gateway.rpc would be open to everybody"),
        "{told}"
    );
    Ok(())
}

#[test]
fn it_says_what_it_is() -> Result<(), Box<dyn std::error::Error>> {
    let output = run(&["--version"])?;
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout)?.starts_with("gyre-gateway "));
    Ok(())
}
