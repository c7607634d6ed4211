//! What may, or must, have changed.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use crate::manager::same::{same_key, same_value};

/// A change of one row that is allowed or expected.
///
/// Named fields are compared with the row as it is (as it was, for a deleted one). Once a field is
/// named, the others are accounted for too: of an inserted row all fields but those of its key must
/// be named, of a modified row all that changed. [`Change::and_others`] lifts that. Without any
/// named field the row may be anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub(super) table: String,
    pub(super) key: Key,
    pub(super) kind: ChangeKind,
    pub(super) fields: BTreeMap<String, Expected>,
    pub(super) others: bool,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It is new.
    Insert,
    /// Some of its fields differ.
    Modify,
    /// It is gone.
    Delete,
}

impl ChangeKind {
    /// As a participle: `inserted`.
    pub(super) const fn done(self) -> &'static str {
        match self {
            Self::Insert => "inserted",
            Self::Modify => "modified",
            Self::Delete => "deleted",
        }
    }
}

/// What a field should hold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// Whatever it holds.
    Any,
    /// This; JSON null is SQL NULL.
    Value(Json),
}

impl Expected {
    pub(super) fn admits(&self, found: &Json) -> bool {
        match self {
            Self::Any => true,
            Self::Value(value) => same_value(value, found),
        }
    }
}

impl<T: Into<Json>> From<T> for Expected {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Value(value) => write!(f, "{value}"),
        }
    }
}

/// The key of a row: a value, or a list of values in key order. A number may be given as its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Key(Json);

impl Key {
    pub(super) fn as_json(&self) -> &Json {
        &self.0
    }

    pub(super) fn is(&self, row_id: &Json) -> bool {
        match (&self.0, row_id) {
            // A key of one field may come as a list of one value.
            (Json::Array(parts), single) if parts.len() == 1 && !single.is_array() => {
                same_key(&parts[0], single)
            }
            (single, Json::Array(parts)) if parts.len() == 1 && !single.is_array() => {
                same_key(single, &parts[0])
            }
            (own, other) => same_key(own, other),
        }
    }
}

macro_rules! values {
    ($($type:ty),+) => {
        $(impl From<$type> for Key {
            fn from(key: $type) -> Self {
                Self(key.into())
            }
        })+
    };
}

values!(i32, i64, u32, u64, f64, &str, String, Json, Vec<Json>);

macro_rules! tuples {
    ($(($($part:ident),+))+) => {
        $(impl<$($part: Into<Json>),+> From<($($part,)+)> for Key {
            #[expect(non_snake_case, reason = "the names of the types serve as those of the values")]
            fn from(($($part,)+): ($($part,)+)) -> Self {
                Self(Json::Array(vec![$($part.into()),+]))
            }
        })+
    };
}

tuples! {
    (A, B)
    (A, B, C)
    (A, B, C, D)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Change {
    /// A row that is new.
    ///
    /// ```
    /// use fleet_api::manager::Change;
    ///
    /// Change::insert("comments", 9).field("ticket_id", 2).field("body", "Done.").any("created_at");
    /// ```
    pub fn insert(table: impl Into<String>, key: impl Into<Key>) -> Self {
        Self::new(table.into(), key.into(), ChangeKind::Insert)
    }

    /// A row of which fields differ.
    ///
    /// ```
    /// use fleet_api::manager::Change;
    ///
    /// Change::modify("seats", ("flight-7", 12)).field("holder", "Ada").and_others();
    /// ```
    pub fn modify(table: impl Into<String>, key: impl Into<Key>) -> Self {
        Self::new(table.into(), key.into(), ChangeKind::Modify)
    }

    /// A row that is gone.
    ///
    /// ```
    /// use fleet_api::manager::Change;
    ///
    /// Change::delete("tickets", 7);
    /// ```
    pub fn delete(table: impl Into<String>, key: impl Into<Key>) -> Self {
        Self::new(table.into(), key.into(), ChangeKind::Delete)
    }

    pub(super) fn new(table: String, key: Key, kind: ChangeKind) -> Self {
        Self {
            table,
            key,
            kind,
            fields: BTreeMap::new(),
            others: false,
        }
    }

    /// With this value in a field. [`Json::Null`](serde_json::Value::Null) is SQL NULL.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Expected>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// With whatever value in a field.
    pub fn any(mut self, name: impl Into<String>) -> Self {
        self.fields.insert(name.into(), Expected::Any);
        self
    }

    /// Whatever is in the fields that are not named.
    pub fn and_others(mut self) -> Self {
        self.others = true;
        self
    }

    /// The table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The row.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What happened to it.
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// Whether fields that are not named may be anything.
    pub(super) fn admits_others(&self) -> bool {
        self.others || self.fields.is_empty()
    }
}
