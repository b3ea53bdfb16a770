//! The reference page of the codes, made from the file that declares them.

use std::fmt::Write;

/// Where the codes are declared.
pub const SOURCE: &str = "shared/protocol/src/codes.rs";

/// The page that is made from it.
pub const PAGE: &str = "docs/reference/codes.md";

const HEAD: &str = "\
# Codes

Every code that a client may see, made from `shared/protocol/src/codes.rs` by `make fix`. The texts are fixed: no client is
shown an error's own words.
";

/// What a table of the page is made of, and how it says what a client does.
const TABLES: [(&str, &str, &str, &str); 3] = [
    (
        "errors! {",
        "Errors",
        "An error answers one command; the connection lives on.",
        "try again",
    ),
    (
        "ends! { Disconnect:",
        "Disconnects",
        "A disconnect ends the connection. On WebSocket it is the code of the close frame.",
        "comes back",
    ),
    (
        "ends! { Unsubscribe:",
        "Unsubscribes",
        "An unsubscribe ends a subscription from the server's side.",
        "resubscribes",
    ),
];

/// One declared code.
#[derive(Debug, PartialEq, Eq)]
struct Code {
    number: u32,
    text: String,
    does: bool,
    meaning: String,
}

/// Renders the page.
pub fn page(source: &str) -> String {
    let mut page = HEAD.to_owned();
    for (begin, title, about, question) in TABLES {
        // Writing to a String does not fail.
        let _ = write!(
            page,
            "\n## {title}\n\n{about}\n\n| code | text | {question} | meaning |\n|---|---|---|---|\n"
        );
        for code in codes(source, begin) {
            let does = if code.does { "yes" } else { "no" };
            let _ = writeln!(
                page,
                "| {} | {} | {does} | {} |",
                code.number, code.text, code.meaning
            );
        }
    }
    page
}

/// Codes of the block that begins with a line, up to the brace that ends it.
fn codes(source: &str, begin: &str) -> Vec<Code> {
    let mut found = Vec::new();
    let mut meaning = String::new();
    for line in source
        .lines()
        .skip_while(|line| *line != begin)
        .skip(1)
        .take_while(|line| *line != "}")
    {
        match line.trim().strip_prefix("///") {
            Some(words) => {
                let space = if meaning.is_empty() { "" } else { " " };
                let _ = write!(meaning, "{space}{}", words.trim());
            }
            None => found.extend(code(line, std::mem::take(&mut meaning))),
        }
    }
    found
}

/// `NAME = 100 "text" true;`, or without the flag, which then follows from the number.
fn code(line: &str, meaning: String) -> Option<Code> {
    let (_, declared) = line.trim().trim_end_matches(';').split_once(" = ")?;
    let (number, rest) = declared.split_once(' ')?;
    let number = number.parse().ok()?;
    let (text, flag) = rest.strip_prefix('"')?.split_once('"')?;
    let does = match flag.trim() {
        "" => !matches!(number, 2000..2500 | 3500..4000 | 4500..5000),
        flag => flag == "true",
    };
    Some(Code {
        number,
        text: text.to_owned(),
        does,
        meaning,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"
errors! {
    /// Something failed, and
    /// nobody knows why.
    INTERNAL = 100 "internal server error" true;
}
ends! { Disconnect:
    /// Too slow.
    SLOW = 3008 "slow";
    /// Broken.
    BAD_REQUEST = 3501 "bad request";
}
"#;

    #[test]
    fn declared_codes_are_rows() {
        let page = page(SOURCE);
        assert!(page.contains(
            "| 100 | internal server error | yes | Something failed, and nobody knows why. |"
        ));
        assert!(page.contains("| 3008 | slow | yes | Too slow. |"));
        assert!(page.contains("| 3501 | bad request | no | Broken. |"));
    }

    #[test]
    fn each_block_has_its_own_codes() {
        assert_eq!(codes(SOURCE, "ends! { Disconnect:").len(), 2);
        assert_eq!(codes(SOURCE, "ends! { Unsubscribe:").len(), 0);
    }
}
