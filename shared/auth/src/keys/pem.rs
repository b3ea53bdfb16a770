use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::DecodingKey;

use super::material::Key;
use crate::error::{KeyProblem, SetupError};
use crate::outside::Outside;

/// What a PEM begins with.
const MARK: &str = "-----BEGIN ";
/// Fewer bytes cannot hold a modulus of 2048 bits. Unit: bytes of `RSAPublicKey` in DER.
const RSA_DER_BYTES_MIN: usize = 264;
/// A point of P-256 that is not compressed. Unit: bytes.
const P256_POINT_BYTES: usize = 65;
/// A point of P-384 that is not compressed. Unit: bytes.
const P384_POINT_BYTES: usize = 97;
/// A point of P-521 that is not compressed. Unit: bytes.
const P521_POINT_BYTES: usize = 133;

/// The RSA key of an option; `None` if the option is empty.
///
/// # Errors
///
/// The option holds no such key, or its file cannot be read.
pub(super) fn rsa(
    option: &'static str,
    given: &str,
    outside: &dyn Outside,
) -> Result<Option<Key>, SetupError> {
    let problem = |problem| SetupError::Key { option, problem };
    let Some(pem) = text(option, given, outside)? else {
        return Ok(None);
    };
    let key = DecodingKey::from_rsa_pem(pem.as_bytes()).ok();
    let der = key
        .as_ref()
        .and_then(|key| key.try_get_as_bytes().ok())
        .ok_or_else(|| problem(KeyProblem::NotRsa))?;
    if der.len() < RSA_DER_BYTES_MIN {
        return Err(problem(KeyProblem::ShortRsa));
    }
    Ok(Some(Key::RsaDer(der.to_vec())))
}

/// The ECDSA key of an option; `None` if the option is empty.
///
/// # Errors
///
/// The option holds no such key, or its file cannot be read.
pub(super) fn ecdsa(
    option: &'static str,
    given: &str,
    outside: &dyn Outside,
) -> Result<Option<Key>, SetupError> {
    let problem = |problem| SetupError::Key { option, problem };
    let Some(pem) = text(option, given, outside)? else {
        return Ok(None);
    };
    let key = DecodingKey::from_ec_pem(pem.as_bytes()).ok();
    let point = key
        .as_ref()
        .and_then(|key| key.try_get_as_bytes().ok())
        .ok_or_else(|| problem(KeyProblem::NotEcdsa))?
        .to_vec();
    match point.len() {
        P256_POINT_BYTES => Ok(Some(Key::P256(point))),
        P384_POINT_BYTES => Ok(Some(Key::P384(point))),
        P521_POINT_BYTES => Key::p521(&point)
            .map(Some)
            .ok_or_else(|| problem(KeyProblem::NotEcdsa)),
        _ => Err(problem(KeyProblem::Curve)),
    }
}

/// The text of a public key's PEM.
fn text(
    option: &'static str,
    given: &str,
    outside: &dyn Outside,
) -> Result<Option<String>, SetupError> {
    if given.trim().is_empty() {
        return Ok(None);
    }
    let pem = pem_text(given, |path| outside.read(path))
        .map_err(|source| SetupError::File { option, source })?;
    // Our parser would take a private key for a public one.
    let is_public = pem.trim_start().strip_prefix(MARK).is_some_and(|rest| {
        rest.starts_with("PUBLIC KEY-----") || rest.starts_with("RSA PUBLIC KEY-----")
    });
    if !is_public {
        let problem = KeyProblem::NotPublic;
        return Err(SetupError::Key { option, problem });
    }
    Ok(Some(pem))
}

/// The text of a PEM as options give it: as it stands, in base64, or in the file of that name.
///
/// # Errors
///
/// It is no text of a PEM, and the file cannot be read.
pub fn pem_text(given: &str, read: impl FnOnce(&Path) -> io::Result<String>) -> io::Result<String> {
    let given = given.trim();
    let pem = if given.contains(MARK) {
        given.to_owned()
    } else if let Some(pem) = from_base64(given) {
        pem
    } else {
        read(Path::new(given))?
    };
    // Environment variables and files of one line write the ends of lines out.
    Ok(pem.replace("\\n", "\n"))
}

fn from_base64(given: &str) -> Option<String> {
    let joined: String = given.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(joined).ok()?;
    String::from_utf8(bytes)
        .ok()
        .filter(|text| text.contains(MARK))
}
