//! Prints the reference page of the codes: `cargo run -p gyre-tidy --example codes`.

use std::io::Write;

use anyhow::Result;
use gyre_tidy::codes;
use gyre_tidy::repository::Repository;

fn main() -> Result<()> {
    let page = codes::page(&Repository::open()?.text(codes::SOURCE)?);
    Ok(std::io::stdout().write_all(page.as_bytes())?)
}
