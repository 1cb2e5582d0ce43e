//! The bridge between [`Value`] and the generated structs.

use bytes::Bytes;
use indexmap::IndexMap;

use crate::value::{Map, Timestamp, Value};

/// A value was not of the kind that the model promises. Values that came through decoding and validation never cause it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}{}", if .member.is_empty() { String::new() } else { format!(" at {}", .member) })]
pub struct Mismatch {
    pub expected: &'static str,
    pub found: &'static str,
    /// The path from the outermost structure.
    pub member: String,
}

impl Mismatch {
    fn new(expected: &'static str, found: &Value) -> Self {
        Self { expected, found: found.kind(), member: String::new() }
    }

    fn under(mut self, name: &str) -> Self {
        self.member =
            if self.member.is_empty() { name.to_owned() } else { format!("{name}.{}", self.member) };
        self
    }
}

/// A Rust type with a shape.
pub trait Typed: Sized {
    /// Takes the value apart.
    ///
    /// # Errors
    /// [`Mismatch`] where the value is of another kind.
    fn from_value(value: Value) -> Result<Self, Mismatch>;

    /// The value with the model's member names; unset members are left out.
    fn into_value(self) -> Value;
}

macro_rules! plain {
    ($type:ty, $variant:ident, $expected:literal) => {
        impl Typed for $type {
            fn from_value(value: Value) -> Result<Self, Mismatch> {
                match value {
                    Value::$variant(value) => Ok(value),
                    other => Err(Mismatch::new($expected, &other)),
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

plain!(bool, Bool, "boolean");
plain!(i64, Int, "integer");
plain!(String, Str, "string");
plain!(Bytes, Blob, "blob");
plain!(Timestamp, Timestamp, "timestamp");

impl Typed for f64 {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::Float(value) => Ok(value),
            Value::Int(value) => Ok(value as Self),
            other => Err(Mismatch::new("float", &other)),
        }
    }

    fn into_value(self) -> Value {
        Value::Float(self)
    }
}

/// A document member: any JSON value.
impl Typed for Value {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        Ok(value)
    }

    fn into_value(self) -> Value {
        self
    }
}

/// The output of an operation that answers nothing.
impl Typed for () {
    fn from_value(_: Value) -> Result<Self, Mismatch> {
        Ok(())
    }

    fn into_value(self) -> Value {
        Value::empty()
    }
}

impl<T: Typed> Typed for Box<T> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        T::from_value(value).map(Self::new)
    }

    fn into_value(self) -> Value {
        (*self).into_value()
    }
}

impl<T: Typed> Typed for Vec<T> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| T::from_value(item).map_err(|e| e.under(&at.to_string())))
                .collect(),
            other => Err(Mismatch::new("list", &other)),
        }
    }

    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(Typed::into_value).collect())
    }
}

impl<T: Typed> Typed for IndexMap<String, T> {
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::Map(map) => map
                .into_iter()
                .map(|(key, item)| match T::from_value(item) {
                    Ok(item) => Ok((key, item)),
                    Err(error) => Err(error.under(&key)),
                })
                .collect(),
            other => Err(Mismatch::new("map", &other)),
        }
    }

    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(key, item)| (key, item.into_value())).collect())
    }
}

/// The members of a structure; for [`structure!`](crate::structure).
#[doc(hidden)]
pub fn members(value: Value) -> Result<Map, Mismatch> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(Mismatch::new("structure", &other)),
    }
}

/// Takes one member out; for [`structure!`](crate::structure).
#[doc(hidden)]
pub fn take<T: Typed>(map: &mut Map, name: &str) -> Result<Option<T>, Mismatch> {
    match map.swap_remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::from_value(value).map(Some).map_err(|e| e.under(name)),
    }
}

/// Puts one member in; for [`structure!`](crate::structure).
#[doc(hidden)]
pub fn put<T: Typed>(map: &mut Map, name: &'static str, value: Option<T>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), value.into_value());
    }
}

/// Prints one set member; for [`structure!`](crate::structure). Secrets print as `***`.
#[doc(hidden)]
pub fn show<T: std::fmt::Debug>(
    f: &mut std::fmt::DebugStruct<'_, '_>,
    name: &str,
    value: Option<&T>,
    secret: bool,
) {
    match value {
        Some(_) if secret => _ = f.field(name, &format_args!("***")),
        Some(value) => _ = f.field(name, value),
        None => {}
    }
}

/// Declares structs whose members are all optional, with their [`Typed`] bridge and a `Debug` that leaves out unset members
/// and hides secrets. A member reads `field: Type = "Name",`, a secret one `field: Type = secret "Name",`.
#[macro_export]
macro_rules! structure {
    ($($name:ident { $($field:ident: $type:ty = $($secret:ident)? $wire:literal,)* })*) => {$(
        #[derive(Clone, Default, PartialEq)]
        pub struct $name { $(pub $field: Option<$type>,)* }

        impl $crate::Typed for $name {
            #[allow(unused_mut, unused_variables, reason = "shapes without members")]
            fn from_value(value: $crate::Value) -> Result<Self, $crate::Mismatch> {
                let mut map = $crate::members(value)?;
                Ok(Self { $($field: $crate::take(&mut map, $wire)?,)* })
            }

            #[allow(unused_mut, reason = "shapes without members")]
            fn into_value(self) -> $crate::Value {
                let mut map = $crate::Map::new();
                $($crate::put(&mut map, $wire, self.$field);)*
                $crate::Value::Map(map)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                #[allow(unused_mut, reason = "shapes without members")]
                let mut out = f.debug_struct(stringify!($name));
                $($crate::show(&mut out, $wire, self.$field.as_ref(), $crate::structure!(@secret $($secret)?));)*
                out.finish()
            }
        }
    )*};
    (@secret) => { false };
    (@secret secret) => { true };
}
