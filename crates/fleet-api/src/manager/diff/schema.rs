//! What a snapshot must know of each table: its columns, its key, whether it has a rowid.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind};
use crate::manager::database::{Database, FromValue, Row, quote, quote_column};
use crate::types::manager::{ColumnSchema, TableSchema};

/// All columns of all tables in one statement; `SQLite`'s own tables and those behind virtual ones
/// left out. It needs `pragma_table_list`, which `SQLite` has since 3.37.
const SCHEMA: &str = "SELECT l.name AS \"table\", l.wr AS without_rowid, c.name AS \"column\", c.pk AS pk \
    FROM pragma_table_list AS l JOIN pragma_table_info(l.name) AS c \
    WHERE l.schema = 'main' AND l.type IN ('table', 'virtual') AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
    ORDER BY l.name, c.cid";

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) name: String,
    /// In order.
    pub(super) columns: Vec<String>,
    /// In key order; empty if none is declared.
    pub(super) primary_key: Vec<String>,
    /// The name by which the rowid can be read: none for WITHOUT ROWID tables, and for tables whose
    /// columns take all of its names.
    pub(super) rowid: Option<&'static str>,
}

/// The tables in name order.
pub(super) async fn shapes(database: &Database) -> Result<Vec<Shape>, Error> {
    match database.query(SCHEMA, ()).await {
        Ok(rows) => {
            let mut tables: BTreeMap<String, (bool, Vec<(String, i64)>)> = BTreeMap::new();
            for row in &rows {
                let name: String = read(row, "table")?;
                let table = tables.entry(name).or_default();
                table.0 = read::<i64>(row, "without_rowid")? != 0;
                table.1.push((read(row, "column")?, read(row, "pk")?));
            }
            let shape = |(name, (without_rowid, columns))| Shape::new(name, columns, without_rowid);
            Ok(tables.into_iter().map(shape).collect())
        }
        // An older SQLite, or a manager that lets nobody ask this way: what it says of itself must do.
        Err(error) if matches!(error.kind(), ErrorKind::Operation { .. }) => {
            let mut shapes: Vec<Shape> = database
                .describe()
                .await?
                .into_iter()
                .filter(|table| !table.name.starts_with("sqlite_"))
                .map(described)
                .collect();
            shapes.sort_by(|left, right| left.name.cmp(&right.name));
            Ok(shapes)
        }
        Err(error) => Err(error),
    }
}

fn read<T: FromValue>(row: &Row, column: &str) -> Result<T, Error> {
    row.get(column).map_err(|error| {
        let (reason, excerpt) = (error.to_string(), String::new());
        Error::new("read schema", ErrorKind::Undecodable { reason, excerpt })
    })
}

fn described(table: TableSchema) -> Shape {
    // The options of a table stand behind its last bracket.
    let options = table.sql.rsplit(')').next().unwrap_or_default();
    let without_rowid = options.to_ascii_uppercase().contains("WITHOUT");
    let columns = table.columns.into_iter().enumerate();
    let place = |index: usize, column: &ColumnSchema| match (column.pk, column.primary_key) {
        (Some(place), _) => place,
        // Where the place in the key is not told, the order of the columns has to do.
        (None, true) => i64::try_from(index + 1).unwrap_or(i64::MAX),
        (None, false) => 0,
    };
    let columns = columns
        .map(|(index, column)| {
            let place = place(index, &column);
            (column.name, place)
        })
        .collect();
    Shape::new(table.name, columns, without_rowid)
}

impl Shape {
    fn new(name: String, columns: Vec<(String, i64)>, without_rowid: bool) -> Self {
        let mut key: Vec<(i64, String)> = columns
            .iter()
            .filter(|(_, place)| *place > 0)
            .map(|(column, place)| (*place, column.clone()))
            .collect();
        key.sort();
        let is_free = |rowid: &&str| {
            !columns
                .iter()
                .any(|(column, _)| column.eq_ignore_ascii_case(rowid))
        };
        let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(is_free);
        Self {
            name,
            primary_key: key.into_iter().map(|(_, column)| column).collect(),
            rowid: rowid.filter(|_| !without_rowid),
            columns: columns.into_iter().map(|(column, _)| column).collect(),
        }
    }

    /// The rowid and the columns as they are selected, named `r`, `v0`, `v1`, … up to `width`.
    ///
    /// JSON has no bytes, and a manager's text for them could be somebody's text. So text is
    /// selected behind a `t` and bytes in hex behind an `x`; see [`super::pages`] for the way back.
    pub(super) fn selected(&self, width: usize) -> String {
        let mut pieces = vec![format!("{} AS r", self.rowid.unwrap_or("NULL"))];
        for (index, column) in self.columns.iter().enumerate() {
            let column = quote_column(column);
            pieces.push(format!(
                "CASE typeof({column}) WHEN 'text' THEN 't' || {column} WHEN 'blob' THEN 'x' || hex({column}) ELSE {column} END AS v{index}"
            ));
        }
        for index in self.columns.len()..width {
            pieces.push(format!("NULL AS v{index}"));
        }
        pieces.join(", ")
    }

    pub(super) fn from(&self) -> String {
        quote(&self.name)
    }
}
