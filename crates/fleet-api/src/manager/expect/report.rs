//! What does not fit, for people.

use std::fmt;

use serde_json::{Map, Value as Json};

use super::change::{Change, ChangeKind, Expected};

/// Mismatches that are written out; the rest is counted.
const SHOWN: usize = 50;

/// Characters of a value that are written out.
const VALUE_CHARS: usize = 200;

/// Why a difference is not what was expected: every reason, at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatches(Vec<Mismatch>);

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Mismatch {
    /// A row changed that should not have.
    Unexpected {
        /// Its table.
        table: String,
        /// Its key; a list for a key of several fields.
        key: Json,
        /// What happened to it.
        kind: ChangeKind,
        /// Its fields, as they are now or were last.
        row: Map<String, Json>,
    },
    /// A row changed as it should or may, but not to what it should.
    Fields {
        /// Its table.
        table: String,
        /// Its key; a list for a key of several fields.
        key: Json,
        /// What happened to it.
        kind: ChangeKind,
        /// The fields that do not fit, at least one.
        fields: Vec<FieldMismatch>,
    },
    /// A change did not happen.
    Missing(Change),
}

/// A field that does not fit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FieldMismatch {
    /// The field.
    pub field: String,
    /// What it should hold; none if it was not to change, or be there, at all.
    pub expected: Option<Expected>,
    /// What it holds; none if the row has no such field.
    pub found: Option<Json>,
}

impl Mismatches {
    pub(super) fn of(mismatches: Vec<Mismatch>) -> Result<(), Self> {
        if mismatches.is_empty() {
            Ok(())
        } else {
            Err(Self(mismatches))
        }
    }

    /// Every reason, by table.
    pub fn iter(&self) -> std::slice::Iter<'_, Mismatch> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Mismatches {
    type Item = &'a Mismatch;
    type IntoIter = std::slice::Iter<'a, Mismatch>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for Mismatches {}

impl fmt::Display for Mismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = if self.0.len() == 1 { "thing" } else { "things" };
        write!(f, "{} {things} did not change as expected:", self.0.len())?;
        for mismatch in self.0.iter().take(SHOWN) {
            write!(f, "\n- {mismatch}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n- and {more} more"),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected {
                table,
                key,
                kind,
                row,
            } => write!(
                f,
                "{table} {key} was {}: {}",
                kind.done(),
                shortened(&Json::Object(row.clone()))
            ),
            Self::Fields {
                table,
                key,
                kind,
                fields,
            } => {
                write!(f, "{table} {key} was {}, but ", kind.done())?;
                for (place, field) in fields.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}{field}")?;
                }
                Ok(())
            }
            Self::Missing(change) => {
                write!(
                    f,
                    "{} {} was not {}",
                    change.table,
                    change.key,
                    change.kind.done()
                )
            }
        }
    }
}

impl fmt::Display for FieldMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => {
                write!(f, "{field} is {} and not {expected}", shortened(found))
            }
            (Some(_), None) => write!(f, "there is no field {field}"),
            (None, Some(found)) => write!(f, "{field} is {}, which nobody named", shortened(found)),
            (None, None) => write!(f, "{field} does not fit"),
        }
    }
}

fn shortened(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
