//! Conditions on connections in CEL, the Common Expression Language, as whoever calls the server API
//! writes them.
//!
//! What a newcomer would get wrong: an expression is input. The parser and the evaluator of the crate
//! `cel` recurse, and a comprehension in a comprehension costs what its lists cost together. So an
//! expression is bounded before it runs: in length, in depth and in the number of its parts, and no
//! comprehension stands within another. Then one evaluation is at worst as long as the expression
//! times the longest list, and stays within a fraction of a thread's stack.

#![forbid(unsafe_code)]

mod check;
mod facts;

use std::fmt;

use cel::parser::{ParseErrors, PrattParser};
use cel::{Context, IdedExpr, Value};

pub use facts::Facts;

/// Longest expression. Unit: bytes. 4 KiB: a list of two hundred users.
pub const LEN_MAX: usize = 4_096;

/// Most parts of an expression: names, literals, operators. A thousand: as many as fit into its length
/// when each has four bytes.
const PARTS_MAX: usize = 1_000;

/// Deepest nesting, of which a chain of additions is one too. 32: nobody writes more, and an evaluation
/// takes twenty kilobytes of stack for each where nothing is optimised.
const DEPTH_MAX: usize = 32;

/// Deepest nesting of brackets while parsing.
const BRACKETS_MAX: u16 = 32;

/// Mistakes after which the parser gives up.
const MISTAKES_MAX: u32 = 1;

/// What is wrong with an expression.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadExpression {
    /// Above [`LEN_MAX`].
    #[error("an expression has at most {LEN_MAX} bytes")]
    TooLong,
    /// Too many parts, or too deep.
    #[error(
        "the expression has more than {PARTS_MAX} parts or is nested more than {DEPTH_MAX} deep"
    )]
    TooComplex,
    /// It is not CEL.
    #[error("not an expression: {0}")]
    Syntax(String),
    /// A name that no connection has.
    #[error("there is no `{0}`; there are {list}", list = facts::NAMES.join(", "))]
    UnknownName(String),
    /// A function that is not there.
    #[error("there is no function `{0}`; there are {list}", list = check::FUNCTIONS.join(", "))]
    UnknownFunction(String),
    /// A comprehension within another.
    #[error("`all`, `exists`, `exists_one`, `filter` and `map` cannot stand within each other")]
    Nested,
    /// Its value cannot be true or false.
    #[error("the expression has to be true or false")]
    NotACondition,
}

/// A condition that can be evaluated.
pub struct Expression {
    root: IdedExpr,
    /// The names that it asks for.
    names: Vec<&'static str>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Expression {
    /// Reads an expression and checks all that can be known without a connection.
    ///
    /// # Errors
    ///
    /// [`BadExpression`].
    pub fn compile(text: &str) -> Result<Self, BadExpression> {
        if text.len() > LEN_MAX {
            return Err(BadExpression::TooLong);
        }
        let parser = PrattParser::new()
            .max_recursion_depth(BRACKETS_MAX)
            .error_recovery_limit(MISTAKES_MAX)
            .error_reporting_limit(MISTAKES_MAX);
        let root = parser.parse(text).map_err(|errors| syntax(&errors))?;
        let names = check::check(&root)?;
        Ok(Self { root, names })
    }

    /// What evaluates it for one connection after the other.
    #[must_use]
    pub fn evaluator(&self) -> Evaluator<'_> {
        Evaluator {
            expression: self,
            functions: Context::default(),
        }
    }
}

/// An expression with all that it needs besides facts.
pub struct Evaluator<'a> {
    expression: &'a Expression,
    functions: Context<'static, 'static>,
}

impl fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl Evaluator<'_> {
    /// Whether it is true. It is not if it cannot be evaluated: a label that the connection does not
    /// have, a text where a number is compared.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        let mut context = self.functions.new_inner_scope();
        for name in &self.expression.names {
            context.add_variable_from_value(*name, facts.value(name));
        }
        let value = Value::resolve(&self.expression.root, &context);
        matches!(value, Ok(Value::Bool(true)))
    }
}

/// The first mistake, without what the parser draws around it.
fn syntax(errors: &ParseErrors) -> BadExpression {
    let Some(first) = errors.errors.first() else {
        return BadExpression::TooComplex;
    };
    if first.msg.contains("ecursion limit") {
        return BadExpression::TooComplex;
    }
    let (line, column) = first.pos;
    let what = first.msg.trim_start_matches("Syntax error: ");
    BadExpression::Syntax(format!("{what} at {line}:{column}"))
}

#[cfg(test)]
mod tests;
