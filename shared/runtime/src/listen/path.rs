//! Paths that come from the configuration, such as `health.handler_prefix`.

/// A text that cannot be served as a path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a path: it may have letters, digits and -._~!$&'()+,;=@%/")]
pub struct BadPath(String);

/// The path that this prefix means: with a slash in front, without one at the end.
///
/// # Errors
///
/// [`BadPath`] if a character may not stand in a path, or means something to the router.
pub fn parse(prefix: &str) -> Result<String, BadPath> {
    let is_valid = prefix
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=@%/".contains(&byte));
    if !is_valid {
        return Err(BadPath(prefix.to_owned()));
    }
    let trimmed = prefix.trim_end_matches('/');
    Ok(match trimmed.strip_prefix('/') {
        Some(_) => trimmed.to_owned(),
        None => format!("/{trimmed}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_put_right_and_patterns_refused() {
        assert_eq!(parse("/health/").unwrap(), "/health");
        assert_eq!(parse("api").unwrap(), "/api");
        assert_eq!(parse("").unwrap(), "/");
        for bad in ["/{id}", "/*rest", "/:id", "/a b", "/ä", "/a?b"] {
            assert_eq!(parse(bad), Err(BadPath(bad.to_owned())));
        }
    }
}
