//! Which origins may open a connection.

use http::HeaderMap;
use http::header::ORIGIN;
use regex::{RegexSet, RegexSetBuilder};
use thiserror::Error;

/// A pattern that does not compile.
#[derive(Debug, Error)]
#[error("allowed origins: {0}")]
pub struct PatternError(#[from] regex::Error);

/// Compiled patterns of `client.allowed_origins`.
///
/// A pattern is compared with the whole `Origin`, without regard to case. In it `*` stands for any
/// characters, `?` for one, `[a-z]` and `[!a-z]` for one of a class, `{one,other}` for alternatives,
/// and `\` takes the meaning away from what follows. A request without `Origin` is not from a browser
/// and always passes.
#[derive(Debug)]
pub struct Origins {
    allowed: Allowed,
}

#[derive(Debug)]
enum Allowed {
    Any,
    Matching(RegexSet),
}

impl Origins {
    /// Compiles `patterns`. With none, only requests without `Origin` pass.
    ///
    /// # Errors
    ///
    /// A class or a list of alternatives that does not end, or a class out of order.
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Self, PatternError> {
        if patterns.iter().any(|pattern| pattern.as_ref() == "*") {
            return Ok(Self {
                allowed: Allowed::Any,
            });
        }
        let expressions = patterns
            .iter()
            .map(|pattern| expression(&pattern.as_ref().to_lowercase()));
        let set = RegexSetBuilder::new(expressions)
            .dot_matches_new_line(true)
            .build()?;
        Ok(Self {
            allowed: Allowed::Matching(set),
        })
    }

    /// Whether a request with `headers` may be served.
    #[must_use]
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        match headers.get(ORIGIN) {
            None => true,
            Some(origin) if origin.is_empty() => true,
            Some(origin) => origin
                .to_str()
                .is_ok_and(|origin| self.allows_origin(origin)),
        }
    }

    /// Whether a request from `origin` may be served.
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        match &self.allowed {
            Allowed::Any => true,
            Allowed::Matching(set) => set.is_match(&origin.to_lowercase()),
        }
    }
}

/// The regular expression that means the same as the glob `pattern`.
fn expression(pattern: &str) -> String {
    let mut out = String::from("^");
    let mut depth = 0_usize;
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '{' => {
                depth += 1;
                out.push_str("(?:");
            }
            ',' if depth > 0 => out.push('|'),
            '}' if depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            '[' => class(&mut rest, &mut out),
            '\\' => push_literal(rest.next().unwrap_or('\\'), &mut out),
            c => push_literal(c, &mut out),
        }
    }
    out.push('$');
    out
}

/// Translates what follows `[`. One that does not end stays open, which does not compile.
fn class(rest: &mut std::str::Chars<'_>, out: &mut String) {
    out.push('[');
    let mut is_first = true;
    for c in rest.by_ref() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '!' if is_first => out.push('^'),
            '-' => out.push('-'),
            c => push_literal(c, out),
        }
        is_first = false;
    }
}

fn push_literal(c: char, out: &mut String) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(patterns: &[&str], origin: &str) -> bool {
        Origins::new(patterns).unwrap().allows_origin(origin)
    }

    #[test]
    fn an_empty_list_lets_only_requests_without_origin_pass() {
        let origins = Origins::new::<&str>(&[]).unwrap();
        let mut headers = HeaderMap::new();
        assert!(origins.allows(&headers));
        headers.insert(ORIGIN, "http://localhost".parse().unwrap());
        assert!(!origins.allows(&headers));
        headers.insert(ORIGIN, "".parse().unwrap());
        assert!(origins.allows(&headers));
    }

    #[test]
    fn the_star_lets_everything_pass() {
        let mut headers = HeaderMap::new();
        headers.insert(
            ORIGIN,
            http::HeaderValue::from_bytes(b"http://\xff").unwrap(),
        );
        assert!(!Origins::new(&["http://*"]).unwrap().allows(&headers));
        assert!(allows(&["https://a.example", "*"], "null"));
    }

    #[test]
    fn the_whole_origin_is_compared_without_case() {
        let patterns = ["https://*.Example.com", "http://localhost:3000"];
        assert!(allows(&patterns, "https://app.example.COM"));
        assert!(allows(&patterns, "https://a.b.example.com"));
        assert!(allows(&patterns, "HTTP://LOCALHOST:3000"));
        assert!(!allows(&patterns, "https://example.com"));
        assert!(!allows(&patterns, "https://app.example.com.evil.org"));
        assert!(
            !allows(&patterns, "https://appXexample.com"),
            "a dot is a dot"
        );
        assert!(!allows(&patterns, "http://localhost:30001"));
        assert!(!allows(&patterns, "xhttp://localhost:3000"));
    }

    #[test]
    fn the_other_wildcards() {
        assert!(allows(&["http://host-?"], "http://host-1"));
        assert!(!allows(&["http://host-?"], "http://host-12"));
        assert!(allows(&["http://[a-c]x"], "http://bx"));
        assert!(!allows(&["http://[!a-c]x"], "http://bx"));
        assert!(allows(&["{http,https}://x"], "https://x"));
        assert!(!allows(&["{http,https}://x"], "ftp://x"));
        assert!(allows(&["http://a\\*"], "http://a*"));
        assert!(!allows(&["http://a\\*"], "http://ab"));
        assert!(allows(&["a,b}"], "a,b}"));
    }

    #[test]
    fn what_does_not_compile_is_an_error() {
        for bad in ["http://[a", "{http,https", "[z-a]"] {
            assert!(Origins::new(&[bad]).is_err(), "{bad}");
        }
    }
}
