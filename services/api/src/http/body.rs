use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;

/// Longest request body over HTTP. Unit: bytes. 4 MiB: the same as the default over gRPC.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a request has no body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyError {
    /// Longer than [`BODY_BYTES_MAX`].
    TooLong,
    /// The connection broke.
    Unreadable,
}

/// Reads a whole body. One that came in one piece is not copied.
pub(crate) async fn read(mut body: Body) -> Result<Bytes, BodyError> {
    let announced = body.size_hint().lower();
    if announced > BODY_BYTES_MAX as u64 {
        return Err(BodyError::TooLong);
    }
    let Some(first) = next_piece(&mut body).await? else {
        return Ok(Bytes::new());
    };
    let mut whole = match body.is_end_stream() {
        true => return within_limit(first),
        false => BytesMut::from(first),
    };
    while let Some(piece) = next_piece(&mut body).await? {
        if piece.len() > BODY_BYTES_MAX - whole.len().min(BODY_BYTES_MAX) {
            return Err(BodyError::TooLong);
        }
        whole.extend_from_slice(&piece);
    }
    within_limit(whole.freeze())
}

async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken| BodyError::Unreadable)?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn within_limit(body: Bytes) -> Result<Bytes, BodyError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLong);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn in_pieces(pieces: Vec<usize>) -> Body {
        let pieces = pieces
            .into_iter()
            .map(|len| Ok::<_, std::io::Error>(vec![b'x'; len]));
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn pieces_are_joined_up_to_the_limit() {
        assert_eq!(read(Body::empty()).await, Ok(Bytes::new()));
        assert_eq!(
            read(Body::from("abc")).await,
            Ok(Bytes::from_static(b"abc"))
        );
        let joined = read(in_pieces(vec![1, 0, 2])).await;
        assert_eq!(joined, Ok(Bytes::from_static(b"xxx")));
        for last in [0, 1] {
            let body = in_pieces(vec![BODY_BYTES_MAX - 1, 1, last]);
            assert_eq!(read(body).await.is_ok(), last == 0);
            let body = Body::from(vec![b'x'; BODY_BYTES_MAX + last]);
            assert_eq!(read(body).await.is_ok(), last == 0);
            let body = in_pieces(vec![BODY_BYTES_MAX + last]);
            assert_eq!(read(body).await.is_ok(), last == 0);
        }
    }

    #[tokio::test]
    async fn a_broken_connection_is_no_body() {
        let broken = stream::iter([Ok(vec![b'{']), Err(std::io::Error::other("gone"))]);
        assert_eq!(
            read(Body::from_stream(broken)).await,
            Err(BodyError::Unreadable)
        );
    }

    #[tokio::test]
    async fn one_piece_is_not_copied() {
        let sent = Bytes::from(vec![b'x'; 100]);
        let read = read(Body::from(sent.clone())).await.unwrap();
        assert_eq!(read.as_ptr(), sent.as_ptr());
    }
}
