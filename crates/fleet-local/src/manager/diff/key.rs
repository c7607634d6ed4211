//! By what rows are paired: choosing the key, reading in its order, comparing by it.

use std::cmp::Ordering;

use super::difference::Row;
use crate::manager::cell::Cell;
use crate::manager::schema::{TableShape, quote};

/// By what the rows of a table are paired.
pub(super) enum Key {
    Columns(Vec<String>),
    Rowid,
    /// Neither a key nor a readable rowid: equal rows pair up.
    WholeRow,
}

impl Key {
    pub(super) fn of(shape: &TableShape) -> Self {
        if !shape.primary_key.is_empty() {
            Self::Columns(shape.primary_key.clone())
        } else if shape.rowid.is_some() {
            Self::Rowid
        } else {
            Self::WholeRow
        }
    }

    pub(super) fn common(left: &TableShape, right: &TableShape) -> Option<Self> {
        for (one, other) in [(left, right), (right, left)] {
            if !one.primary_key.is_empty()
                && one
                    .primary_key
                    .iter()
                    .all(|column| other.columns.contains(column))
            {
                return Some(Self::Columns(one.primary_key.clone()));
            }
        }
        match (Self::of(left), Self::of(right)) {
            (Self::Rowid, Self::Rowid) => Some(Self::Rowid),
            (Self::WholeRow, Self::WholeRow) if left.columns == right.columns => {
                Some(Self::WholeRow)
            }
            _ => None,
        }
    }

    pub(super) fn names(&self, shape: &TableShape) -> Vec<String> {
        match self {
            Self::Columns(columns) => columns.clone(),
            Self::Rowid => vec!["rowid".to_owned()],
            Self::WholeRow => shape.columns.clone(),
        }
    }

    pub(super) fn compare(&self, left: &Row, right: &Row) -> Ordering {
        let rowids = || left.rowid.cmp(&right.rowid);
        let by = |pairs: &mut dyn Iterator<Item = (&Cell, &Cell)>| {
            let mut has_null = false;
            for (a, b) in pairs {
                match a.order(b) {
                    Ordering::Equal => has_null |= a.is_null(),
                    unequal => return unequal,
                }
            }
            if has_null { rowids() } else { Ordering::Equal }
        };
        match self {
            Self::Rowid => rowids(),
            Self::WholeRow => by(&mut left.cells.iter().zip(&right.cells)),
            Self::Columns(columns) => {
                const NULL: &Cell = &Cell::Null;
                by(&mut columns.iter().map(|column| {
                    (
                        left.get(column).unwrap_or(NULL),
                        right.get(column).unwrap_or(NULL),
                    )
                }))
            }
        }
    }

    pub(super) fn select(&self, shape: &TableShape) -> String {
        let columns: Vec<String> = shape.columns.iter().map(|column| quote(column)).collect();
        let ordered: Vec<String> = match self {
            // BINARY whatever the column declares, as the merge compares bytes.
            Self::Columns(key) => key
                .iter()
                .map(|column| format!("{} COLLATE BINARY", quote(column)))
                .collect(),
            Self::Rowid => Vec::new(),
            Self::WholeRow => columns
                .iter()
                .map(|column| format!("{column} COLLATE BINARY"))
                .collect(),
        };
        let rowid = shape.rowid.unwrap_or("NULL");
        let order: Vec<&str> = ordered
            .iter()
            .map(String::as_str)
            .chain(shape.rowid)
            .collect();
        format!(
            "SELECT {}, {} FROM {} ORDER BY {}",
            rowid,
            columns.join(", "),
            quote(&shape.name),
            order.join(", ")
        )
    }
}
