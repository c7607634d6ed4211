//! One value of a `SQLite` row, between the database and the answer.

pub use fleet_api::manager::Value as Cell;
use rusqlite::types::ValueRef;

/// Takes a value out of a row. Text that is no UTF-8 is replaced, as JSON could not carry it.
pub fn read_cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
    }
}

/// About how many bytes a value takes in an answer.
pub(super) fn weight(cell: &Cell) -> usize {
    match cell {
        Cell::Null => 4,
        Cell::Integer(_) | Cell::Real(_) => 8,
        Cell::Text(text) => text.len() + 2,
        Cell::Blob(bytes) => bytes.len().div_ceil(3) * 4 + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_classes_are_ordered_as_sqlite_orders_them() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t(v); INSERT INTO t VALUES ('b'),(X'00'),(3),(NULL),(2.5),('a'),('ä'),(-1),(X'ff'),(9007199254740993),(9007199254740992.0),('');")
            .unwrap();
        let read = |sql: &str| -> Vec<Cell> {
            let mut statement = connection.prepare(sql).unwrap();
            let cells = statement
                .query_map([], |row| Ok(read_cell(row.get_ref(0)?)))
                .unwrap();
            cells.map(Result::unwrap).collect()
        };
        let sorted = read("SELECT v FROM t ORDER BY v COLLATE BINARY");
        let mut ours = read("SELECT v FROM t");
        ours.sort_by(Cell::order);
        assert_eq!(format!("{sorted:?}"), format!("{ours:?}"));
    }
}
