//! Where a key set is: at an address, or at one that depends on who issued the token.

use std::collections::BTreeMap;
use std::sync::Arc;

use gyre_config::client::Token;
use gyre_types::UnixSeconds;
use parking_lot::Mutex;
use regex::Regex;
use regex_syntax::ast::{self, Ast, GroupKind};

use super::remote::{Found, KeySet, Patience};
use crate::error::{Reason, SetupError};
use crate::expectations::{Audience, regex};
use crate::outside::FetchKeys;

/// Option that names the address.
const OPTION: &str = "jwks_public_endpoint";
/// Key sets that one template may lead to.
const SETS_MAX: usize = 256;
/// Longest text that takes a placeholder's place. Unit: bytes. A label of a host name.
const FILLING_BYTES_MAX: usize = 63;

/// An address and what was seen there.
pub(crate) enum Endpoint {
    /// One address.
    Fixed(Arc<KeySet>),
    /// An address with placeholders.
    Template(Box<Template>),
}

/// An address with placeholders.
pub(crate) struct Template {
    parts: Vec<Part>,
    issuer: Option<Regex>,
    audience: Option<Regex>,
    ttl_secs: i64,
    fetcher: Arc<dyn FetchKeys>,
    sets: Mutex<BTreeMap<String, Arc<KeySet>>>,
}

enum Part {
    Text(String),
    Group {
        name: String,
        /// What may take its place; `None`: any text.
        allowed: Option<Vec<String>>,
    },
}

impl Endpoint {
    /// The endpoint of `jwks_public_endpoint`.
    ///
    /// # Errors
    ///
    /// The address has a placeholder that no group stands for, or whose group may match any text.
    pub(super) fn new(
        options: &Token,
        ttl_secs: i64,
        fetcher: Arc<dyn FetchKeys>,
    ) -> Result<Self, SetupError> {
        let url = &options.jwks_public_endpoint;
        if !url.contains("{{") {
            return Ok(Self::Fixed(KeySet::new(url.clone(), ttl_secs, fetcher)));
        }
        let groups = Groups::of(options)?;
        let any = options.insecure_skip_jwks_endpoint_safety_check;
        let template = Template {
            parts: parts(url, &groups, any)?,
            issuer: regex("issuer_regex", &options.issuer_regex)?,
            audience: regex("audience_regex", &options.audience_regex)?,
            ttl_secs,
            fetcher,
            sets: Mutex::default(),
        };
        Ok(Self::Template(Box::new(template)))
    }

    /// Looks for a key of the set that is meant by these claims, which nobody has signed yet.
    ///
    /// # Errors
    ///
    /// The claims lead to no set.
    pub(super) fn find(
        &self,
        id: &str,
        issuer: Option<&str>,
        audience: Option<&Audience>,
        now: UnixSeconds,
        patience: Patience,
    ) -> Result<Found, Reason> {
        match self {
            Self::Fixed(set) => Ok(set.find(id, now, patience)),
            Self::Template(template) => {
                let url = template.url(issuer, audience)?;
                Ok(match template.set(url) {
                    Some(set) => set.find(id, now, patience),
                    None => Found::Unavailable,
                })
            }
        }
    }
}

impl Template {
    fn url(&self, issuer: Option<&str>, audience: Option<&Audience>) -> Result<String, Reason> {
        let mut found = BTreeMap::new();
        if let Some(pattern) = &self.issuer {
            let captures = issuer.and_then(|issuer| pattern.captures(issuer));
            collect(pattern, &captures.ok_or(Reason::Issuer)?, &mut found);
        }
        if let Some(pattern) = &self.audience {
            let mut all = audience.into_iter().flat_map(Audience::all);
            let captures = all.find_map(|one| pattern.captures(one));
            collect(pattern, &captures.ok_or(Reason::Audience)?, &mut found);
        }
        let mut url = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => url.push_str(text),
                Part::Group { name, allowed } => {
                    let text = found.get(name.as_str()).copied().unwrap_or_default();
                    let is_allowed = match allowed {
                        Some(list) => list.iter().any(|one| one == text),
                        None => is_filling(text),
                    };
                    if !is_allowed {
                        return Err(Reason::Endpoint);
                    }
                    url.push_str(text);
                }
            }
        }
        Ok(url)
    }

    /// The set at this address; `None` if there are too many that answer.
    fn set(&self, url: String) -> Option<Arc<KeySet>> {
        let mut sets = self.sets.lock();
        if let Some(set) = sets.get(&url) {
            return Some(Arc::clone(set));
        }
        if sets.len() >= SETS_MAX {
            sets.retain(|_, set| set.is_seen());
        }
        if sets.len() >= SETS_MAX {
            return None;
        }
        let set = KeySet::new(url.clone(), self.ttl_secs, Arc::clone(&self.fetcher));
        sets.insert(url, Arc::clone(&set));
        Some(set)
    }
}

/// Whether a text that nobody has listed may take a placeholder's place: it cannot leave it.
fn is_filling(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=FILLING_BYTES_MAX).contains(&text.len())
        && !text.bytes().all(|byte| byte == b'.')
        && text.bytes().all(is_plain)
}

fn collect<'a>(
    pattern: &'a Regex,
    captures: &regex::Captures<'a>,
    found: &mut BTreeMap<&'a str, &'a str>,
) {
    for name in pattern.capture_names().flatten() {
        if let Some(text) = captures.name(name) {
            found.insert(name, text.as_str());
        }
    }
}

/// Takes an address apart at its placeholders.
fn parts(url: &str, groups: &Groups, any: bool) -> Result<Vec<Part>, SetupError> {
    let refuse = |name: &str, problem| SetupError::Endpoint {
        option: OPTION,
        name: name.to_owned(),
        problem,
    };
    let mut parts = Vec::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            return Err(refuse(after, "is not closed"));
        };
        let name = name.trim();
        let Some(texts) = groups.0.get(name) else {
            let problem = "is no named group of issuer_regex or audience_regex";
            return Err(refuse(name, problem));
        };
        if texts.is_none() && !any {
            let problem = "may match any text: let its group list them, as in (?P<name>one|two)";
            return Err(refuse(name, problem));
        }
        parts.push(Part::Text(before.to_owned()));
        parts.push(Part::Group {
            name: name.to_owned(),
            allowed: texts.clone(),
        });
        rest = behind;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

/// Named groups, with the texts that they match if they list them.
struct Groups(BTreeMap<String, Option<Vec<String>>>);

impl Groups {
    fn of(options: &Token) -> Result<Self, SetupError> {
        let mut groups = Self(BTreeMap::new());
        // As with what they match, the audience's replaces the issuer's of the same name.
        for (option, pattern) in [
            ("issuer_regex", &options.issuer_regex),
            ("audience_regex", &options.audience_regex),
        ] {
            let tree =
                ast::parse::Parser::new()
                    .parse(pattern)
                    .map_err(|_| SetupError::Endpoint {
                        option,
                        name: pattern.clone(),
                        problem: "is not a regular expression",
                    })?;
            groups.add(&tree);
        }
        Ok(groups)
    }

    fn add(&mut self, tree: &Ast) {
        match tree {
            Ast::Group(group) => {
                if let GroupKind::CaptureName { name, .. } = &group.kind {
                    self.0.insert(name.name.clone(), texts(&group.ast));
                }
                self.add(&group.ast);
            }
            Ast::Repetition(repetition) => self.add(&repetition.ast),
            Ast::Alternation(alternation) => alternation.asts.iter().for_each(|it| self.add(it)),
            Ast::Concat(concat) => concat.asts.iter().for_each(|it| self.add(it)),
            Ast::Empty(_)
            | Ast::Flags(_)
            | Ast::Literal(_)
            | Ast::Dot(_)
            | Ast::Assertion(_)
            | Ast::ClassUnicode(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_) => {}
        }
    }
}

/// The texts that an expression lists, if that is all it does.
fn texts(tree: &Ast) -> Option<Vec<String>> {
    if let Ast::Alternation(alternation) = tree {
        return alternation.asts.iter().map(text).collect();
    }
    Some(vec![text(tree)?])
}

fn text(tree: &Ast) -> Option<String> {
    if let Ast::Concat(concat) = tree {
        return concat.asts.iter().map(text).collect();
    }
    let Ast::Literal(literal) = tree else {
        return None;
    };
    Some(literal.c.to_string())
}

#[cfg(test)]
mod tests;
