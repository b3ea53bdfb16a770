//! The server API over one HTTP/1.1 connection, one request at a time.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::API_KEY;

/// A connection to the HTTP API.
#[derive(Debug)]
pub(crate) struct Api {
    stream: TcpStream,
    host: String,
    buffer: Vec<u8>,
}

impl Api {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            host: address.to_string(),
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Whether `GET /health` answers 200.
    pub(crate) async fn is_healthy(&mut self) -> bool {
        let request = format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.exchange(request.as_bytes()).await.is_ok()
    }

    /// Calls a method and returns the body of its answer.
    pub(crate) async fn call(&mut self, method: &str, body: &str) -> Result<&[u8]> {
        let request = self.request(method, body);
        self.exchange(&request).await
    }

    /// A request that can be sent many times.
    pub(crate) fn request(&self, method: &str, body: &str) -> Vec<u8> {
        format!(
            "POST /api/{method} HTTP/1.1\r\nHost: {}\r\nX-API-Key: {API_KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )
        .into_bytes()
    }

    /// Sends a request and returns the body of its answer; a status other than 200 or an `error` is an error.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed the connection");
            if let Some((head, length)) = head(&self.buffer)?
                && self.buffer.len() >= head + length
            {
                let body = self.buffer.get(head..head + length).unwrap_or_default();
                ensure!(
                    !body.starts_with(br#"{"error""#),
                    "{}",
                    String::from_utf8_lossy(body)
                );
                return Ok(body);
            }
        }
    }
}

/// Lengths of head and body, once the head is whole.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else {
        return Ok(None);
    };
    ensure!(response.code == Some(200), "status {:?}", response.code);
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .context("an answer without Content-Length")?;
    Ok(Some((
        head,
        std::str::from_utf8(length.value)?.trim().parse()?,
    )))
}
