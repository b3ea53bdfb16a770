//! What can be said about an expression before it is evaluated.

use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};

use crate::facts::NAMES;
use crate::{BadExpression, DEPTH_MAX, PARTS_MAX};

/// Functions that may be called.
pub(crate) const FUNCTIONS: [&str; 8] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "int",
    "uint",
    "double",
    "string",
];

/// What operators are called.
const OPERATORS: [&str; 18] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
];

/// Operators and functions whose value is neither true nor false.
const NO_CONDITIONS: [&str; 11] = [
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::NEGATE,
    "size",
    "int",
    "uint",
    "double",
    "string",
];

/// The names that an expression asks for, if it may be evaluated.
pub(crate) fn check(root: &IdedExpr) -> Result<Vec<&'static str>, BadExpression> {
    let mut walk = Walk {
        names: Vec::new(),
        own: Vec::new(),
        parts: 0,
        is_within: false,
    };
    walk.visit(root, 0)?;
    if !may_be_a_condition(&root.expr) {
        return Err(BadExpression::NotACondition);
    }
    Ok(walk.names)
}

/// A walk over an expression, no deeper than is allowed.
struct Walk<'e> {
    names: Vec<&'static str>,
    /// Names that a comprehension brings.
    own: Vec<&'e str>,
    /// How many were visited.
    parts: usize,
    /// Whether this is the body of a comprehension.
    is_within: bool,
}

impl<'e> Walk<'e> {
    fn visit(&mut self, at: &'e IdedExpr, depth: usize) -> Result<(), BadExpression> {
        self.parts += 1;
        if depth > DEPTH_MAX || self.parts > PARTS_MAX {
            return Err(BadExpression::TooComplex);
        }
        let below = depth + 1;
        match &at.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.visit(&select.operand, below),
            Expr::Call(call) => {
                let name = call.func_name.as_str();
                let is_ours = OPERATORS.contains(&name) || name == operators::NOT_STRICTLY_FALSE;
                if !is_ours && !FUNCTIONS.contains(&name) {
                    return Err(BadExpression::UnknownFunction(name.to_owned()));
                }
                let target = call.target.as_deref().into_iter();
                self.visit_all(target.chain(&call.args), below)
            }
            Expr::List(list) => self.visit_all(list.elements.iter(), below),
            Expr::Map(map) => {
                let entries = map.entries.iter().flat_map(|entry| parts(&entry.expr));
                self.visit_all(entries, below)
            }
            Expr::Struct(made) => Err(BadExpression::UnknownName(made.type_name.clone())),
            Expr::Comprehension(all) => self.comprehension(all, below),
        }
    }

    fn visit_all(
        &mut self,
        all: impl Iterator<Item = &'e IdedExpr>,
        depth: usize,
    ) -> Result<(), BadExpression> {
        let mut all = all;
        all.try_for_each(|one| self.visit(one, depth))
    }

    fn name(&mut self, name: &str) -> Result<(), BadExpression> {
        // The crate's own, or that of a comprehension.
        if name.starts_with('@') || self.own.contains(&name) {
            return Ok(());
        }
        let known = NAMES.into_iter().find(|known| *known == name);
        let known = known.ok_or_else(|| BadExpression::UnknownName(name.to_owned()))?;
        if !self.names.contains(&known) {
            self.names.push(known);
        }
        Ok(())
    }

    fn comprehension(
        &mut self,
        all: &'e ComprehensionExpr,
        depth: usize,
    ) -> Result<(), BadExpression> {
        if self.is_within {
            return Err(BadExpression::Nested);
        }
        self.visit(&all.iter_range, depth)?;
        let before = self.own.len();
        self.own.extend([all.iter_var.as_str(), &all.accu_var]);
        self.own.extend(all.iter_var2.as_deref());
        self.is_within = true;
        let parts = [&all.accu_init, &all.loop_cond, &all.loop_step, &all.result];
        self.visit_all(parts.into_iter(), depth)?;
        self.is_within = false;
        self.own.truncate(before);
        Ok(())
    }
}

fn parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}

/// Whether the value may be true or false, as far as that can be seen.
fn may_be_a_condition(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(literal) => matches!(literal, LiteralValue::Boolean(_)),
        Expr::Call(call) => !NO_CONDITIONS.contains(&call.func_name.as_str()),
        // All names themselves are texts, numbers, lists and maps.
        Expr::Unspecified | Expr::Ident(_) | Expr::List(_) | Expr::Map(_) | Expr::Struct(_) => {
            false
        }
        Expr::Select(_) | Expr::Comprehension(_) => true,
    }
}
