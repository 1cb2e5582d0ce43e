//! Patterns on JSON: `{ $.user.id = 1 && ($.tags[0] = "a*" || $.error NOT EXISTS) }`. A field that is not there fails
//! every test but `NOT EXISTS`.

use serde_json::Value as Json;

use super::{
    cursor::Cursor,
    value::{Op, Value},
};

/// Parentheses within parentheses.
const DEEPEST: usize = 32;

#[derive(Clone, Debug)]
pub(crate) enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Test(Vec<Step>, Test),
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Field(String),
    Index(usize),
    /// `[*]`: one of the elements.
    Any,
}

#[derive(Clone, Debug)]
pub(crate) enum Test {
    Compare(Op, Value),
    Null,
    Bool(bool),
    Exists(bool),
}

pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Expr, String> {
    cursor.expect("{")?;
    let expr = either(cursor, 0)?;
    cursor.expect("}")?;
    Ok(expr)
}

fn either(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, String> {
    let mut parts = vec![both(cursor, depth)?];
    while next_is(cursor, "||") {
        parts.push(both(cursor, depth)?);
    }
    Ok(one_or(parts, Expr::Or))
}

fn both(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, String> {
    let mut parts = vec![atom(cursor, depth)?];
    while next_is(cursor, "&&") {
        parts.push(atom(cursor, depth)?);
    }
    Ok(one_or(parts, Expr::And))
}

fn next_is(cursor: &mut Cursor<'_>, sign: &str) -> bool {
    cursor.skip_space();
    cursor.eat(sign)
}

fn one_or(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

fn atom(cursor: &mut Cursor<'_>, depth: usize) -> Result<Expr, String> {
    if next_is(cursor, "(") {
        if depth == DEEPEST {
            return Err(format!("more than {DEEPEST} parentheses are open {}", cursor.place()));
        }
        let expr = either(cursor, depth + 1)?;
        cursor.expect(")")?;
        return Ok(expr);
    }
    let path = selector(cursor)?;
    Ok(Expr::Test(path, test(cursor)?))
}

fn selector(cursor: &mut Cursor<'_>) -> Result<Vec<Step>, String> {
    cursor.expect("$")?;
    let mut path = Vec::new();
    loop {
        if cursor.eat(".") && cursor.peek() != Some('[') {
            let name = cursor.take_until(|c| c.is_whitespace() || ".[]=!<>()&|{}\"'".contains(c));
            if name.is_empty() {
                return Err(format!("a field's name is missing {}", cursor.place()));
            }
            path.push(Step::Field(name.to_owned()));
        } else if cursor.eat("[") {
            path.push(bracket(cursor)?);
            cursor.expect("]")?;
        } else {
            return Ok(path);
        }
    }
}

fn bracket(cursor: &mut Cursor<'_>) -> Result<Step, String> {
    cursor.skip_space();
    match cursor.peek() {
        Some(quote @ ('"' | '\'')) => Ok(Step::Field(cursor.quoted(quote, false)?)),
        Some('*') => {
            cursor.eat("*");
            Ok(Step::Any)
        }
        _ => {
            let place = cursor.place();
            let digits = cursor.take_until(|c| !c.is_ascii_digit());
            digits.parse().map(Step::Index).map_err(|_| format!("an index is missing {place}"))
        }
    }
}

fn test(cursor: &mut Cursor<'_>) -> Result<Test, String> {
    if let Some(op) = Op::parse(cursor) {
        return Ok(Test::Compare(op, Value::parse(cursor, |c| "()&|{}".contains(c))?));
    }
    if cursor.eat_word("IS") {
        cursor.skip_space();
        let table = [("NULL", Test::Null), ("TRUE", Test::Bool(true)), ("FALSE", Test::Bool(false))];
        let found = table.into_iter().find(|(word, _)| cursor.eat_word(word));
        return found
            .map(|(_, test)| test)
            .ok_or_else(|| format!("NULL, TRUE or FALSE is missing {}", cursor.place()));
    }
    let exists = !cursor.eat_word("NOT");
    cursor.skip_space();
    if cursor.eat_word("EXISTS") {
        return Ok(Test::Exists(exists));
    }
    Err(format!("a comparison is missing {}", cursor.place()))
}

impl Expr {
    pub(crate) fn match_value(&self, value: &Json) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.match_value(value)),
            Self::Or(parts) => parts.iter().any(|part| part.match_value(value)),
            Self::Test(path, Test::Exists(wanted)) => reach(value, path, &|_| true) == *wanted,
            Self::Test(path, test) => reach(value, path, &|found| test.holds(found)),
        }
    }
}

/// Whether one of the values at the path fulfils the test.
fn reach(value: &Json, path: &[Step], test: &dyn Fn(&Json) -> bool) -> bool {
    let Some((step, rest)) = path.split_first() else { return test(value) };
    match step {
        Step::Field(name) => value.get(name).is_some_and(|inner| reach(inner, rest, test)),
        Step::Index(index) => value.get(index).is_some_and(|inner| reach(inner, rest, test)),
        Step::Any => value.as_array().is_some_and(|all| all.iter().any(|inner| reach(inner, rest, test))),
    }
}

impl Test {
    fn holds(&self, found: &Json) -> bool {
        match self {
            Self::Null => found.is_null(),
            Self::Bool(wanted) => found.as_bool() == Some(*wanted),
            Self::Exists(wanted) => *wanted,
            Self::Compare(op, value) => match found {
                Json::String(text) => value.match_text(*op, text),
                Json::Number(number) => value.match_text(*op, &number.to_string()),
                Json::Bool(yes) => value.match_text(*op, if *yes { "true" } else { "false" }),
                Json::Null | Json::Array(_) | Json::Object(_) => false,
            },
        }
    }
}
