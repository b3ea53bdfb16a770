mod decimal;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use gyre_protocol::codes::Error;
use gyre_protocol::messages::FilterNode;
use gyre_types::limits::FILTER_DEPTH_MAX;

use decimal::{Decimal, Number};

/// A tags filter, checked and ready: decides which publications a subscriber gets.
#[derive(Clone, Debug)]
pub struct Filter(Node);

#[derive(Clone, Debug)]
enum Node {
    Compare { key: Box<str>, test: Test },
    And(Box<[Self]>),
    Or(Box<[Self]>),
    Not(Box<Self>),
}

/// What a tag is held against.
#[derive(Clone, Debug)]
enum Test {
    Equal(Box<str>),
    NotEqual(Box<str>),
    /// Sorted, for the search.
    In(Box<[Box<str>]>),
    /// Sorted, for the search.
    NotIn(Box<[Box<str>]>),
    Exists,
    NotExists,
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Contains(Box<str>),
    /// `None`: the value to compare with is no number, and nothing is true of that.
    Number(Relation, Option<Number>),
}

/// How the tag's number stands to the filter's.
#[derive(Clone, Copy, Debug)]
enum Relation {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// Checks a filter and makes it ready.
    ///
    /// # Errors
    ///
    /// 107: an operation or comparison that does not exist, or lacks what it needs, or has what it
    /// must not have; or the filter is deeper than [`FILTER_DEPTH_MAX`] levels.
    pub fn compile(node: &FilterNode) -> Result<Self, Error> {
        compile(node, FILTER_DEPTH_MAX).map(Self)
    }

    /// What gets through both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Node::And(Box::new([self.0, other.0])))
    }

    /// Whether a publication with these tags gets through. Allocates nothing.
    #[must_use]
    pub fn matches(&self, tags: &BTreeMap<String, String>) -> bool {
        matches(&self.0, tags)
    }
}

/// Compiles a node that may have `levels` levels, its own included.
fn compile(node: &FilterNode, levels: usize) -> Result<Node, Error> {
    let below = levels.checked_sub(1).ok_or(Error::BAD_REQUEST)?;
    let nodes = || node.nodes.iter().map(|node| compile(node, below));
    match (node.op.as_str(), node.nodes.as_slice()) {
        ("", _) => compare(node),
        ("and", [_, ..]) => Ok(Node::And(nodes().collect::<Result<_, _>>()?)),
        ("or", [_, ..]) => Ok(Node::Or(nodes().collect::<Result<_, _>>()?)),
        ("not", [only]) => Ok(Node::Not(Box::new(compile(only, below)?))),
        _ => Err(Error::BAD_REQUEST),
    }
}

fn compare(node: &FilterNode) -> Result<Node, Error> {
    let test = match node.cmp.as_str() {
        "eq" => Test::Equal(value(node)?),
        "neq" => Test::NotEqual(value(node)?),
        "in" => Test::In(values(node)?),
        "nin" => Test::NotIn(values(node)?),
        "ex" => nothing(node).map(|()| Test::Exists)?,
        "nex" => nothing(node).map(|()| Test::NotExists)?,
        "sw" => Test::StartsWith(value(node)?),
        "ew" => Test::EndsWith(value(node)?),
        "ct" => Test::Contains(value(node)?),
        "gt" => number(node, Relation::Greater)?,
        "gte" => number(node, Relation::GreaterOrEqual)?,
        "lt" => number(node, Relation::Less)?,
        "lte" => number(node, Relation::LessOrEqual)?,
        _ => return Err(Error::BAD_REQUEST),
    };
    Ok(Node::Compare {
        key: node.key.as_str().into(),
        test,
    })
}

/// The one value of a comparison that needs a key and a value.
fn value(node: &FilterNode) -> Result<Box<str>, Error> {
    if node.key.is_empty() || node.val.is_empty() || !node.vals.is_empty() {
        return Err(Error::BAD_REQUEST);
    }
    Ok(node.val.as_str().into())
}

/// The values of a comparison that needs a key and a list.
fn values(node: &FilterNode) -> Result<Box<[Box<str>]>, Error> {
    if node.key.is_empty() || !node.val.is_empty() || node.vals.is_empty() {
        return Err(Error::BAD_REQUEST);
    }
    let mut values: Box<[Box<str>]> = node.vals.iter().map(|text| text.as_str().into()).collect();
    values.sort_unstable();
    Ok(values)
}

/// Checks a comparison that takes no value; its key may be empty.
fn nothing(node: &FilterNode) -> Result<(), Error> {
    if !node.val.is_empty() || !node.vals.is_empty() {
        return Err(Error::BAD_REQUEST);
    }
    Ok(())
}

fn number(node: &FilterNode, relation: Relation) -> Result<Test, Error> {
    let text = value(node)?;
    Ok(Test::Number(
        relation,
        Decimal::parse(&text).map(Number::from),
    ))
}

/// Recursion ends after [`FILTER_DEPTH_MAX`] levels: deeper filters are not compiled.
fn matches(node: &Node, tags: &BTreeMap<String, String>) -> bool {
    match node {
        Node::Compare { key, test } => test.holds(tags.get(&**key).map(String::as_str)),
        Node::And(nodes) => nodes.iter().all(|node| matches(node, tags)),
        Node::Or(nodes) => nodes.iter().any(|node| matches(node, tags)),
        Node::Not(node) => !matches(node, tags),
    }
}

impl Test {
    fn holds(&self, tag: Option<&str>) -> bool {
        match self {
            Self::Equal(value) => tag == Some(value),
            Self::NotEqual(value) => tag != Some(value),
            Self::In(values) => is_among(values, tag),
            Self::NotIn(values) => !is_among(values, tag),
            Self::Exists => tag.is_some(),
            Self::NotExists => tag.is_none(),
            Self::StartsWith(value) => tag.is_some_and(|tag| tag.starts_with(&**value)),
            Self::EndsWith(value) => tag.is_some_and(|tag| tag.ends_with(&**value)),
            Self::Contains(value) => tag.is_some_and(|tag| tag.contains(&**value)),
            Self::Number(relation, number) => number.as_ref().is_some_and(|number| {
                tag.and_then(Decimal::parse)
                    .is_some_and(|tag| relation.holds(tag.cmp(&number.as_decimal())))
            }),
        }
    }
}

impl Relation {
    const fn holds(self, tag_to_value: Ordering) -> bool {
        match self {
            Self::Greater => tag_to_value.is_gt(),
            Self::GreaterOrEqual => tag_to_value.is_ge(),
            Self::Less => tag_to_value.is_lt(),
            Self::LessOrEqual => tag_to_value.is_le(),
        }
    }
}

/// Whether the tag is one of the values; one that is absent counts as the empty text.
fn is_among(values: &[Box<str>], tag: Option<&str>) -> bool {
    let tag = tag.unwrap_or_default();
    values.binary_search_by(|value| (**value).cmp(tag)).is_ok()
}

#[cfg(test)]
mod tests;
