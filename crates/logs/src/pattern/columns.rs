//! Patterns on columns: `[ip, user, ..., status = 4* || status = 5*]`. The text is cut at spaces; what stands in quotes
//! or brackets is one column. Without `...` the number of columns must be the same.

use super::{
    cursor::Cursor,
    value::{Op, Value},
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    before: Vec<Column>,
    /// Those after `...`, if there is one.
    after: Option<Vec<Column>>,
}

/// One of these must hold, each of which is a list that must hold as a whole. None: everything goes.
#[derive(Clone, Debug, Default)]
struct Column(Vec<Vec<(Op, Value)>>);

pub(crate) fn parse(cursor: &mut Cursor<'_>) -> Result<Columns, String> {
    cursor.expect("[")?;
    let mut columns = Columns::default();
    loop {
        cursor.skip_space();
        if cursor.eat("...") {
            if columns.after.replace(Vec::new()).is_some() {
                return Err(format!("a second `...` {}", cursor.place()));
            }
        } else {
            let column = column(cursor)?;
            columns.after.as_mut().unwrap_or(&mut columns.before).push(column);
        }
        cursor.skip_space();
        if !cursor.eat(",") {
            cursor.expect("]")?;
            return Ok(columns);
        }
    }
}

fn column(cursor: &mut Cursor<'_>) -> Result<Column, String> {
    name(cursor);
    let Some(first) = comparison(cursor)? else { return Ok(Column::default()) };
    let mut any = vec![vec![first]];
    loop {
        cursor.skip_space();
        let or = cursor.eat("||");
        if !or && !cursor.eat("&&") {
            return Ok(Column(any));
        }
        name(cursor);
        let next =
            comparison(cursor)?.ok_or_else(|| format!("a comparison is missing {}", cursor.place()))?;
        match any.last_mut().filter(|_| !or) {
            Some(all) => all.push(next),
            None => any.push(vec![next]),
        }
    }
}

/// Names are for the reader only.
fn name(cursor: &mut Cursor<'_>) {
    cursor.skip_space();
    cursor.take_until(|c| c.is_whitespace() || "=!<>,[]&|\"%".contains(c));
}

fn comparison(cursor: &mut Cursor<'_>) -> Result<Option<(Op, Value)>, String> {
    let Some(op) = Op::parse(cursor) else { return Ok(None) };
    Ok(Some((op, Value::parse(cursor, |c| ",]&|".contains(c))?)))
}

impl Column {
    fn holds(&self, field: &str) -> bool {
        self.0.is_empty()
            || self.0.iter().any(|all| all.iter().all(|(op, value)| value.match_text(*op, field)))
    }
}

impl Columns {
    pub(crate) fn match_text(&self, text: &str) -> bool {
        let fields = split(text);
        let pairs_hold = |columns: &[Column], fields: &[&str]| {
            columns.iter().zip(fields).all(|(column, field)| column.holds(field))
        };
        let Some(after) = &self.after else {
            return fields.len() == self.before.len() && pairs_hold(&self.before, &fields);
        };
        fields.len() >= self.before.len() + after.len()
            && pairs_hold(&self.before, &fields)
            && pairs_hold(after, &fields[fields.len() - after.len()..])
    }
}

fn split(text: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let closed = match first {
            '"' => rest[1..].find('"'),
            '[' => rest[1..].find(']'),
            _ => None,
        };
        let (field, end) = match closed {
            Some(len) => (&rest[1..=len], len + 2),
            None => {
                let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (&rest[..len], len)
            }
        };
        fields.push(field);
        rest = rest[end..].trim_start();
    }
    fields
}
