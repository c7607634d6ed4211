//! What tables a database has, and by what a row of each is known.

use fleet_api::types::manager::{ColumnSchema, TableSchema};
use rusqlite::Connection;

use super::cell::read_cell;

/// What the diff must know of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableShape {
    pub(crate) name: String,
    /// Names of the declared columns, in order; hidden ones left out.
    pub(crate) columns: Vec<String>,
    /// Key columns in key order; empty if none is declared.
    pub(crate) primary_key: Vec<String>,
    /// The name under which the rowid can be read: none for WITHOUT ROWID tables and for tables whose columns take all three names.
    pub(crate) rowid: Option<&'static str>,
}

/// Quotes an identifier for SQL.
pub(crate) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// The tables of a database in name order, with their columns; `SQLite`'s own tables are left out.
///
/// # Errors
/// `SQLite`'s error.
pub fn describe(connection: &Connection) -> rusqlite::Result<Vec<TableSchema>> {
    let mut list = connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")?;
    let tables = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let tables: Vec<(String, String)> = tables.collect::<rusqlite::Result<_>>()?;
    tables
        .into_iter()
        .map(|(name, sql)| {
            Ok(TableSchema {
                columns: columns(connection, &name)?,
                name,
                sql,
            })
        })
        .collect()
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ColumnSchema>> {
    let mut statement = connection.prepare("SELECT cid, name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?) ORDER BY cid")?;
    let rows = statement.query_map([table], |row| {
        let pk: i64 = row.get(5)?;
        let default = read_cell(row.get_ref(4)?);
        Ok(ColumnSchema {
            cid: Some(row.get(0)?),
            name: row.get(1)?,
            declared_type: row.get(2)?,
            notnull: row.get(3)?,
            default_value: (!default.is_null()).then(|| default.to_json()),
            primary_key: pk > 0,
            // The official client reads this one to emulate `PRAGMA table_info`.
            pk: Some(pk),
        })
    })?;
    rows.collect()
}

/// The shapes of all tables that hold data of the app, in name order.
///
/// Shadow tables are left out: they repeat, in another form, what their virtual table shows.
pub(crate) fn shapes(connection: &Connection) -> rusqlite::Result<Vec<TableShape>> {
    let mut list = connection.prepare(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let tables = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let tables: Vec<(String, bool)> = tables.collect::<rusqlite::Result<_>>()?;
    tables
        .into_iter()
        .map(|(name, without_rowid)| shape(connection, name, without_rowid))
        .collect()
}

fn shape(
    connection: &Connection,
    name: String,
    without_rowid: bool,
) -> rusqlite::Result<TableShape> {
    // table_xinfo, as generated columns are part of what a reader sees; hidden = 1 marks columns that `SELECT *` leaves out.
    let mut statement = connection
        .prepare("SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid")?;
    let rows = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut key: Vec<(i64, String)> = rows
        .iter()
        .filter(|(_, pk)| *pk > 0)
        .map(|(column, pk)| (*pk, column.clone()))
        .collect();
    key.sort_unstable();
    let columns: Vec<String> = rows.into_iter().map(|(column, _)| column).collect();
    let rowid = ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|alias| {
            !columns
                .iter()
                .any(|column| column.eq_ignore_ascii_case(alias))
        })
        .filter(|_| !without_rowid);
    Ok(TableShape {
        name,
        columns,
        primary_key: key.into_iter().map(|(_, column)| column).collect(),
        rowid,
    })
}
