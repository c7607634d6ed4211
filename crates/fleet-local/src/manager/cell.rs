//! One value of a `SQLite` row: its order, its equality and its JSON form.
//!
//! Responsible for agreeing with `SQLite` about which value comes first; knows nothing of tables.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::ValueRef;
use serde_json::{Number, Value};

/// An owned `SQLite` value.
#[derive(Debug, Clone)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double; never NaN, which `SQLite` stores as NULL.
    Real(f64),
    /// Text. Invalid UTF-8 is replaced, as JSON could not carry it.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Cell {
    /// Takes a value out of a row.
    pub fn from_ref(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(bytes) => Self::Text(String::from_utf8_lossy(bytes).into_owned()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }

    /// The JSON form: numbers and text as they are, bytes as base64, and an infinite number as the text `inf` or `-inf`, as JSON has none.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::from(*number),
            Self::Real(number) => Number::from_f64(*number)
                .map_or_else(|| Value::String(number.to_string()), Value::Number),
            Self::Text(text) => Value::String(text.clone()),
            Self::Blob(bytes) => Value::String(STANDARD.encode(bytes)),
        }
    }

    /// Whether this is SQL NULL.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// About how many bytes the value takes in an answer.
    pub fn weight(&self) -> usize {
        match self {
            Self::Null => 4,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len() + 2,
            Self::Blob(bytes) => bytes.len().div_ceil(3) * 4 + 2,
        }
    }

    const fn class(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 1,
            Self::Text(_) => 2,
            Self::Blob(_) => 3,
        }
    }
}

/// Equality as [`compare_cells`] sees it: NULL equals NULL and 1 equals 1.0.
impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        compare_cells(self, other) == Ordering::Equal
    }
}

impl Eq for Cell {}

/// The order of `ORDER BY … COLLATE BINARY`: NULL, then numbers by value, then text by bytes, then blobs by bytes
/// (`SQLite`, "Datatypes in `SQLite`", §4.1).
pub fn compare_cells(left: &Cell, right: &Cell) -> Ordering {
    match (left, right) {
        (Cell::Integer(a), Cell::Integer(b)) => a.cmp(b),
        (Cell::Real(a), Cell::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (Cell::Integer(a), Cell::Real(b)) => compare_integer_real(*a, *b),
        (Cell::Real(a), Cell::Integer(b)) => compare_integer_real(*b, *a).reverse(),
        (Cell::Text(a), Cell::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Cell::Blob(a), Cell::Blob(b)) => a.cmp(b),
        _ => left.class().cmp(&right.class()),
    }
}

/// Compares exactly, where converting the integer to a double would lose its last bits.
fn compare_integer_real(integer: i64, real: f64) -> Ordering {
    // 2^63 is exact as a double; every double at or above it is larger than any i64.
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if real >= TWO_63 {
        return Ordering::Less;
    }
    if real < -TWO_63 {
        return Ordering::Greater;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked above; the fraction is compared below"
    )]
    let whole = real as i64;
    integer.cmp(&whole).then_with(|| {
        let fraction = real - real.trunc();
        0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_reals_compare_exactly() {
        let big = 9_007_199_254_740_993_i64; // 2^53 + 1, not representable as a double
        assert_eq!(
            compare_cells(&Cell::Integer(big), &Cell::Real(9_007_199_254_740_992.0)),
            Ordering::Greater
        );
        assert_eq!(
            compare_cells(&Cell::Integer(1), &Cell::Real(1.0)),
            Ordering::Equal
        );
        assert_eq!(
            compare_cells(&Cell::Integer(-1), &Cell::Real(-1.5)),
            Ordering::Greater
        );
        assert_eq!(
            compare_cells(&Cell::Integer(1), &Cell::Real(1.5)),
            Ordering::Less
        );
        assert_eq!(
            compare_cells(&Cell::Real(f64::INFINITY), &Cell::Integer(i64::MAX)),
            Ordering::Greater
        );
        assert_eq!(
            compare_cells(&Cell::Integer(i64::MIN), &Cell::Real(f64::NEG_INFINITY)),
            Ordering::Greater
        );
    }

    #[test]
    fn storage_classes_are_ordered_as_sqlite_orders_them() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t(v); INSERT INTO t VALUES ('b'),(X'00'),(3),(NULL),(2.5),('a'),('ä'),(-1),(X'ff'),(9007199254740993),(9007199254740992.0),('');")
            .unwrap();
        let read = |sql: &str| -> Vec<Cell> {
            let mut statement = connection.prepare(sql).unwrap();
            let cells = statement
                .query_map([], |row| Ok(Cell::from_ref(row.get_ref(0)?)))
                .unwrap();
            cells.map(Result::unwrap).collect()
        };
        let sorted = read("SELECT v FROM t ORDER BY v COLLATE BINARY");
        let mut ours = read("SELECT v FROM t");
        ours.sort_by(compare_cells);
        assert_eq!(format!("{sorted:?}"), format!("{ours:?}"));
    }
}
