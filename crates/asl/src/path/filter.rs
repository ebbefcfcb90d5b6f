//! Filters in a path: `[?(@.price < 10 && @.kind == 'book')]`.

use serde_json::Value;

use super::Path;
use super::parse::{Cursor, InvalidPath};
use crate::compare;

/// Deeper nesting than this is refused, so that no definition can exhaust the stack.
const DEEPEST: usize = 16;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    /// `@…`: from the element looked at.
    Element(Path),
    /// `$…`: from the whole.
    Root(Path),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Reads `(…)`.
    pub(super) fn parse(cursor: &mut Cursor<'_>, depth: usize) -> Result<Self, InvalidPath> {
        cursor.expect("(")?;
        let filter = any(cursor, depth + 1)?;
        cursor.expect(")")?;
        Ok(filter)
    }

    /// How many paths and values one element is held against.
    pub(super) fn looks(&self) -> usize {
        match self {
            Self::Any(filters) | Self::All(filters) => filters.iter().map(Self::looks).sum(),
            Self::Not(filter) => filter.looks(),
            Self::Exists(_) => 1,
            Self::Compare(..) => 2,
        }
    }

    pub(super) fn accepts(&self, element: &Value, root: &Value) -> bool {
        match self {
            Self::Any(filters) => filters.iter().any(|filter| filter.accepts(element, root)),
            Self::All(filters) => filters.iter().all(|filter| filter.accepts(element, root)),
            Self::Not(filter) => !filter.accepts(element, root),
            Self::Exists(operand) => operand.value(element, root).is_some(),
            Self::Compare(left, comparison, right) => {
                let (left, right) = (left.value(element, root), right.value(element, root));
                comparison.holds(left, right)
            }
        }
    }
}

impl Operand {
    fn value<'v>(&'v self, element: &'v Value, root: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Element(path) => path.find(element),
            Self::Root(path) => path.find(root),
            Self::Literal(value) => Some(value),
        }
    }
}

impl Comparison {
    fn holds(self, left: Option<&Value>, right: Option<&Value>) -> bool {
        let (Some(left), Some(right)) = (left, right) else {
            return self == Self::NotEqual && left.is_some() != right.is_some();
        };
        let order = match (left, right) {
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (Value::Number(left), Value::Number(right)) => compare::numbers(left, right),
            _ => None,
        };
        match self {
            Self::Equal => order.map_or(left == right, std::cmp::Ordering::is_eq),
            Self::NotEqual => order.map_or(left != right, std::cmp::Ordering::is_ne),
            Self::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
            Self::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

fn any(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, InvalidPath> {
    let mut filters = vec![all(cursor, depth)?];
    while cursor.eat("||") {
        filters.push(all(cursor, depth)?);
    }
    Ok(Filter::Any(filters))
}

fn all(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, InvalidPath> {
    let mut filters = vec![one(cursor, depth)?];
    while cursor.eat("&&") {
        filters.push(one(cursor, depth)?);
    }
    Ok(Filter::All(filters))
}

fn one(cursor: &mut Cursor<'_>, depth: usize) -> Result<Filter, InvalidPath> {
    if depth > DEEPEST {
        return Err(InvalidPath);
    }
    cursor.spaces();
    let filter = if cursor.rest.starts_with('(') {
        Filter::parse(cursor, depth)?
    } else if cursor.rest.starts_with('!') {
        cursor.expect("!")?;
        Filter::Not(Box::new(one(cursor, depth + 1)?))
    } else {
        let left = operand(cursor, depth)?;
        cursor.spaces();
        match comparison(cursor) {
            Some(comparison) => {
                cursor.spaces();
                Filter::Compare(left, comparison, operand(cursor, depth)?)
            }
            None => Filter::Exists(left),
        }
    };
    cursor.spaces();
    Ok(filter)
}

fn comparison(cursor: &mut Cursor<'_>) -> Option<Comparison> {
    [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ]
    .into_iter()
    .find_map(|(token, comparison)| cursor.eat(token).then_some(comparison))
}

fn operand(cursor: &mut Cursor<'_>, depth: usize) -> Result<Operand, InvalidPath> {
    match cursor.peek() {
        Some('@') => {
            cursor.expect("@")?;
            path(cursor, depth).map(Operand::Element)
        }
        Some('$') => {
            cursor.expect("$")?;
            path(cursor, depth).map(Operand::Root)
        }
        Some('\'' | '"') => Ok(Operand::Literal(cursor.quoted()?.into())),
        _ => {
            let word = cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
            serde_json::from_str(word)
                .map(Operand::Literal)
                .map_err(|_| InvalidPath)
        }
    }
}

/// A path inside a filter leads to one place only: a filter asks about every element, and one inside another would ask
/// about each of them every time.
fn path(cursor: &mut Cursor<'_>, depth: usize) -> Result<Path, InvalidPath> {
    let (path, rest) = Path::parse_nested(cursor.rest, depth + 1)?;
    cursor.rest = rest;
    if path.is_definite() {
        Ok(path)
    } else {
        Err(InvalidPath)
    }
}
