//! Calls of the server API, as little HTTP as that takes.

use std::io::{self, ErrorKind};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const KEY: &str = "key";

/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Calls a method on a connection of its own.
pub(crate) async fn call(port: u16, method: &str, body: &Value) -> io::Result<Value> {
    let (_, answer) = ask(port, &format!("POST /api/{method}"), &body.to_string()).await?;
    serde_json::from_str(&answer).map_err(io::Error::other)
}

/// Reads a page: status and body.
pub(crate) async fn get(port: u16, path: &str) -> io::Result<(u16, String)> {
    ask(port, &format!("GET {path}"), "").await
}

async fn ask(port: u16, what: &str, body: &str) -> io::Result<(u16, String)> {
    let asked = timeout(ANSWER_MAX, exchange(port, what, body)).await;
    let answer = asked.unwrap_or_else(|_elapsed| Err(ErrorKind::TimedOut.into()))?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.ok_or(ErrorKind::InvalidData)?, body.to_owned()))
}

async fn exchange(port: u16, what: &str, body: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!(
        "{what} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
