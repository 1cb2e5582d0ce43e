//! Checks an input against the model's constraints, in the words of AWS's services.
//!
//! All violations are collected, in the order of the model's members, and reported as one error.

mod pattern;
mod words;

use std::sync::OnceLock;

pub use pattern::{Pattern, PatternError};

use crate::error::ServiceError;
use crate::schema::{Kind, Service, Shape, ShapeId, Structure};
use crate::value::Value;
use words::Violation;

/// The most violations that one answer lists; a hostile list of a million bad items must not become a huge answer.
const MAX_VIOLATIONS: usize = 50;

/// A service's constraints, with its patterns compiled on first use.
#[derive(Debug)]
pub(crate) struct Validator {
    service: &'static Service,
    patterns: Vec<OnceLock<Option<Pattern>>>,
}

impl Validator {
    pub(crate) fn new(service: &'static Service) -> Self {
        Self { service, patterns: service.shapes.iter().map(|_| OnceLock::new()).collect() }
    }

    /// Checks the input of shape `id`.
    ///
    /// # Errors
    /// One error of the service's code for this, with all violations, the count in front.
    pub(crate) fn check(&self, id: ShapeId, input: &Value) -> Result<(), ServiceError> {
        let mut found = Vec::new();
        if let (Kind::Structure(structure), Value::Map(_)) = (&self.service.shape(id).kind, input) {
            self.structure(structure, input, "", &mut found);
        }
        if found.is_empty() {
            return Ok(());
        }
        let code = self.service.validation_code;
        let mut error = ServiceError::unmodelled(code, 400, words::sentence(&found));
        error.shape = self.service.shape_named(code).map_or("", |shape| shape.name);
        Err(error)
    }

    fn structure(&self, structure: &Structure, value: &Value, path: &str, found: &mut Vec<Violation>) {
        if structure.document || structure.event_stream {
            return;
        }
        for member in structure.members {
            let path = words::join(path, &words::lower_first(member.name));
            match value.get(member.name) {
                None | Some(Value::Null) => {
                    if member.required {
                        found.push(Violation::missing(path));
                    }
                }
                Some(value) => self.value(member.shape, value, &path, found),
            }
            if found.len() >= MAX_VIOLATIONS {
                return;
            }
        }
    }

    fn value(&self, id: ShapeId, value: &Value, path: &str, found: &mut Vec<Violation>) {
        let shape = self.service.shape(id);
        for constraint in self.broken(id, value) {
            found.push(Violation::new(shape, value, path, constraint));
        }
        match (&shape.kind, value) {
            (Kind::Structure(structure), Value::Map(_)) => self.structure(structure, value, path, found),
            (Kind::List(item), Value::List(items)) => {
                self.items(item.shape, items, (shape, value, path), found)
            }
            (Kind::Map(key, item), Value::Map(map)) => {
                if map.keys().any(|name| !self.broken(key.shape, &Value::from(name.as_str())).is_empty()) {
                    let all = words::all(self.service.shape(key.shape));
                    let constraint = format!("Map keys must satisfy constraint: [{all}]");
                    found.push(Violation::new(shape, value, path, constraint));
                }
                if self.is_deep(item.shape) {
                    for (name, each) in map {
                        self.each(item.shape, each, &format!("{path}.{name}.member"), found);
                    }
                } else if map.values().any(|each| self.fails(item.shape, each)) {
                    let all = words::all(self.service.shape(item.shape));
                    let constraint = format!("Map value must satisfy constraint: [{all}]");
                    found.push(Violation::new(shape, value, path, constraint));
                }
            }
            _ => {}
        }
    }

    fn items(
        &self,
        item: ShapeId,
        items: &[Value],
        (shape, value, path): (&Shape, &Value, &str),
        found: &mut Vec<Violation>,
    ) {
        if self.is_deep(item) {
            for (at, each) in items.iter().enumerate() {
                self.each(item, each, &format!("{path}.{}.member", at + 1), found);
            }
        } else if items.iter().any(|each| self.fails(item, each)) {
            let all = words::all(self.service.shape(item));
            let constraint = format!("Member must satisfy constraint: [{all}]");
            found.push(Violation::new(shape, value, path, constraint));
        }
    }

    fn each(&self, id: ShapeId, value: &Value, path: &str, found: &mut Vec<Violation>) {
        if found.len() >= MAX_VIOLATIONS {
            return;
        }
        match value {
            Value::Null => found.push(Violation::missing(path.to_owned())),
            value => self.value(id, value, path, found),
        }
    }

    /// Elements that have members of their own are reported one by one, plain ones with their list.
    fn is_deep(&self, id: ShapeId) -> bool {
        matches!(self.service.shape(id).kind, Kind::Structure(_) | Kind::List(_) | Kind::Map(..))
    }

    fn fails(&self, id: ShapeId, value: &Value) -> bool {
        *value == Value::Null || !self.broken(id, value).is_empty()
    }

    /// The constraints of the shape itself that `value` breaks.
    fn broken(&self, id: ShapeId, value: &Value) -> Vec<String> {
        let shape = self.service.shape(id);
        let mut broken = Vec::new();
        if let Some((word, size)) = words::size(value) {
            if shape.max.is_some_and(|max| size > max) {
                broken.push(words::at_most(word, shape.max.unwrap_or_default()));
            }
            if shape.min.is_some_and(|min| size < min) {
                broken.push(words::at_least(word, shape.min.unwrap_or_default()));
            }
        }
        if let Value::Str(text) = value {
            if !shape.pattern.is_empty() && self.pattern(id).is_some_and(|pattern| !pattern.matches(text)) {
                broken.push(words::pattern(shape.pattern));
            }
            if !shape.values.is_empty() && !shape.values.contains(&text.as_str()) {
                broken.push(words::one_of(shape.values));
            }
        }
        broken
    }

    /// The shape's pattern; `None` where it cannot be translated, which codegen lists.
    fn pattern(&self, id: ShapeId) -> Option<&Pattern> {
        let slot = self.patterns.get(usize::from(id))?;
        slot.get_or_init(|| Pattern::new(self.service.shape(id).pattern).ok()).as_ref()
    }
}
