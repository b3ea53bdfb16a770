use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use gyre_runtime::Head;
use http::Version;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Longest wait for a whole body.
const BODY_WAIT: Duration = Duration::from_secs(30);

/// Longest line that announces a chunk. Unit: bytes.
const CHUNK_LINE_MAX: usize = 256;

/// Why a body cannot be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyError {
    /// It is longer than is allowed.
    TooLarge,
    /// It does not say how long it is, or not in a way that we know.
    Malformed,
    /// The client went away, or took too long.
    Broken,
}

/// Reads the body of a request, of which `early` has come with the head.
///
/// # Errors
///
/// [`BodyError`].
///
/// # Cancel safety
///
/// To drop the future is to lose the connection.
pub(crate) async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    head: &Head,
    early: Bytes,
    bytes_max: usize,
) -> Result<Bytes, BodyError> {
    let length = length(head)?;
    let expects_continue = head
        .header(&EXPECT)
        .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    if expects_continue && early.is_empty() {
        let interim = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        interim.map_err(|_broken| BodyError::Broken)?;
    }
    let mut input = Input {
        stream,
        read: BytesMut::from(early),
    };
    let body = async {
        match length {
            Length::Known(len) if len > bytes_max => Err(BodyError::TooLarge),
            Length::Known(len) => input.take(len).await,
            Length::Chunked => input.take_chunks(bytes_max).await,
            Length::ToTheEnd => input.take_all(bytes_max).await,
        }
    };
    timeout(BODY_WAIT, body)
        .await
        .unwrap_or(Err(BodyError::Broken))
}

enum Length {
    Known(usize),
    Chunked,
    /// The stream ends with the body.
    ToTheEnd,
}

fn length(head: &Head) -> Result<Length, BodyError> {
    match (
        head.headers.get(TRANSFER_ENCODING),
        head.headers.get(CONTENT_LENGTH),
    ) {
        (None, None) if head.version >= Version::HTTP_2 => Ok(Length::ToTheEnd),
        (None, None) => Ok(Length::Known(0)),
        (None, Some(value)) => value
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .map(Length::Known)
            .ok_or(BodyError::Malformed),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Ok(Length::Chunked)
        }
        (Some(_), _) => Err(BodyError::Malformed),
    }
}

struct Input<'a, S> {
    stream: &'a mut S,
    read: BytesMut,
}

impl<S: AsyncRead + Unpin> Input<'_, S> {
    async fn fill(&mut self) -> Result<(), BodyError> {
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) | Err(_) => Err(BodyError::Broken),
            Ok(_) => Ok(()),
        }
    }

    async fn take(&mut self, len: usize) -> Result<Bytes, BodyError> {
        while self.read.len() < len {
            self.fill().await?;
        }
        Ok(self.read.split_to(len).freeze())
    }

    async fn take_all(&mut self, bytes_max: usize) -> Result<Bytes, BodyError> {
        loop {
            if self.read.len() > bytes_max {
                return Err(BodyError::TooLarge);
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) => return Ok(self.read.split().freeze()),
                Ok(_) => {}
                Err(_) => return Err(BodyError::Broken),
            }
        }
    }

    async fn take_chunks(&mut self, bytes_max: usize) -> Result<Bytes, BodyError> {
        let mut body = BytesMut::new();
        loop {
            let size = self.take_chunk_size().await?;
            if size == 0 {
                return Ok(body.freeze()); // What trails does not matter: nothing else is read.
            }
            if size > bytes_max.saturating_sub(body.len()) {
                return Err(BodyError::TooLarge);
            }
            body.extend_from_slice(&self.take(size).await?);
            if self.take(2).await? != b"\r\n"[..] {
                return Err(BodyError::Malformed);
            }
        }
    }

    async fn take_chunk_size(&mut self) -> Result<usize, BodyError> {
        loop {
            match httparse::parse_chunk_size(&self.read) {
                Ok(httparse::Status::Complete((used, size))) => {
                    self.read.advance(used);
                    return usize::try_from(size).map_err(|_overflow| BodyError::TooLarge);
                }
                Ok(httparse::Status::Partial) if self.read.len() <= CHUNK_LINE_MAX => {
                    self.fill().await?;
                }
                Ok(httparse::Status::Partial) | Err(_) => return Err(BodyError::Malformed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn a_body_of_known_length_is_read_to_its_end() {
        let read =
            |early: &'static str, rest: &'static str| body(&[(CONTENT_LENGTH, "5")], early, rest);
        assert_eq!(read("hello, and more", "").await.unwrap(), "hello");
        assert_eq!(read("he", "llo").await.unwrap(), "hello");
        assert_eq!(read("he", "ll").await, Err(BodyError::Broken));
        assert_eq!(body(&[], "", "").await.unwrap(), "");
    }

    #[tokio::test]
    async fn chunks_are_joined() {
        let chunked = [(TRANSFER_ENCODING, "chunked")];
        let whole = body(&chunked, "3\r\nhel\r\n2;x=y\r", "\nlo\r\n0\r\n\r\n");
        assert_eq!(whole.await.unwrap(), "hello");
        for bad in ["z\r\n", "3\r\nhello\r\n"] {
            assert_eq!(
                body(&chunked, bad, "").await,
                Err(BodyError::Malformed),
                "{bad}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_read() {
        let known = body(&[(CONTENT_LENGTH, "101")], "", "").await;
        assert_eq!(known, Err(BodyError::TooLarge));
        let chunked = body(&[(TRANSFER_ENCODING, "chunked")], "65\r\n", "").await;
        assert_eq!(chunked, Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn a_length_that_is_none_or_two_is_refused() {
        for headers in [
            &[(CONTENT_LENGTH, "five")][..],
            &[(CONTENT_LENGTH, "5"), (TRANSFER_ENCODING, "chunked")],
            &[(TRANSFER_ENCODING, "gzip")],
        ] {
            assert_eq!(body(headers, "", "").await, Err(BodyError::Malformed));
        }
    }

    /// Reads a body of at most 100 bytes, of which `early` has come with the head and `rest` follows
    /// before the client closes.
    async fn body(
        headers: &[(HeaderName, &'static str)],
        early: &'static str,
        rest: &'static str,
    ) -> Result<Bytes, BodyError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(rest.as_bytes()).await.unwrap();
        drop(client);
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        let head = Head {
            method: Method::POST,
            uri: "/".parse().unwrap(),
            version: Version::HTTP_11,
            headers,
        };
        read(
            &mut server,
            &head,
            Bytes::from_static(early.as_bytes()),
            100,
        )
        .await
    }
}
