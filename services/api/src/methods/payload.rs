use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::error::Error;

/// The payload of a field that has a twin in base64; the twin wins if it is not empty.
pub(crate) fn decode(plain: Bytes, base64: &str) -> Result<Bytes, Error> {
    if base64.is_empty() {
        return Ok(plain);
    }
    let decoded = STANDARD
        .decode(base64)
        .map_err(|_malformed| Error::BadRequest)?;
    Ok(decoded.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_wins_and_must_be_padded_standard_base64() {
        let plain = Bytes::from_static(b"1");
        assert_eq!(decode(plain.clone(), ""), Ok(plain.clone()));
        assert_eq!(
            decode(plain.clone(), "AAEC"),
            Ok(Bytes::from_static(&[0, 1, 2]))
        );
        for broken in ["!", "eyJuIjoxfQ", "eyJuIjoxfQ=", "_-8=", " "] {
            assert_eq!(
                decode(plain.clone(), broken),
                Err(Error::BadRequest),
                "{broken}"
            );
        }
    }
}
