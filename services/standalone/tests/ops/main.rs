//! What operators do with the real binary.

mod commands;
mod logs;
mod metrics;
mod reload;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "shared with other tests, which use the rest")]
mod server;
mod tls;
mod traces;
mod webtransport;

use std::error::Error;
use std::io::Read;

use server::text;

type Outcome = Result<(), Box<dyn Error>>;

/// What is answered, up to a part of it.
fn read_until(stream: &mut impl Read, part: &str) -> Result<String, Box<dyn Error>> {
    let mut read = Vec::new();
    let mut buffer = [0; 1024];
    while !text(&read).contains(part) {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Err(format!("ended after {:?}", text(&read)).into());
        }
        read.extend_from_slice(buffer.get(..len).unwrap_or_default());
    }
    Ok(text(&read))
}
