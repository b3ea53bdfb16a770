//! The binary: what it refuses.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_gyre-api"))
        .args(arguments)
        .env_clear()
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .output()
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
fn it_says_what_it_is() -> Result<(), Box<dyn std::error::Error>> {
    let output = run(&["--version"])?;
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout)?.starts_with("gyre-api "));
    Ok(())
}
