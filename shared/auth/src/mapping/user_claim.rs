use gyre_types::UserId;
use serde_json::value::RawValue;

use super::path::Path;
use crate::error::{Reason, SetupError};

/// Where the claims hold the user id.
pub(crate) enum UserClaim {
    /// In `sub`, which the standard makes a text.
    Subject,
    /// At the end of a path, as a text or a number.
    Path(Path),
}

impl UserClaim {
    /// Takes a path whose steps are divided by dots; empty is `sub`.
    pub(crate) fn new(path: &str) -> Result<Self, SetupError> {
        if path.is_empty() {
            return Ok(Self::Subject);
        }
        Path::new(path)
            .map(Self::Path)
            .ok_or_else(|| SetupError::UserClaim {
                path: path.to_owned(),
            })
    }

    /// The user id in these claims; without one the token is anonymous.
    ///
    /// # Errors
    ///
    /// It is there, but of a type that it must not have.
    pub(crate) fn read(&self, subject: Option<&RawValue>, claims: &str) -> Result<UserId, Reason> {
        match self {
            Self::Subject => match subject {
                None => Ok(UserId::default()),
                Some(raw) => text(raw.get()).ok_or(Reason::User),
            },
            Self::Path(path) => match path.follow(claims) {
                None | Some("null") => Ok(UserId::default()),
                Some(json) => text(json).or_else(|| number(json)).ok_or(Reason::User),
            },
        }
    }
}

fn text(json: &str) -> Option<UserId> {
    let text: String = serde_json::from_str(json).ok()?;
    Some(UserId::new(&text))
}

/// A number's own digits are the id: going through a float would change long ones.
fn number(json: &str) -> Option<UserId> {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
        .then(|| UserId::new(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_no_empty_step() {
        assert!(UserClaim::new("a..b").is_err());
        assert!(UserClaim::new(".").is_err());
    }

    #[test]
    fn the_id_at_the_end_of_a_path() {
        let read = |path: &str, claims: &str| {
            let user = UserClaim::new(path).unwrap().read(None, claims);
            user.map(|user| user.as_str().to_owned()).ok()
        };
        let claims = r#"{"a":{"b":"x","n":12345678901234567890123,"o":{},"l":[1],"t":true,"z":null},"s":"é\""}"#;
        for (path, expected) in [
            ("a.b", Some("x")),
            ("a.n", Some("12345678901234567890123")),
            ("s", Some("é\"")),
            ("a.z", Some("")),
            ("a.absent", Some("")),
            ("absent.b", Some("")),
            ("s.b", Some("")),
            ("a.o", None),
            ("a.l", None),
            ("a.t", None),
        ] {
            assert_eq!(read(path, claims).as_deref(), expected, "{path}");
        }
    }
}
