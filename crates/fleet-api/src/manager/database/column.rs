//! Names of columns and tables, and how SQL is told that they are names.

/// A column: by name alone, or with its table, as joined tables may need.
///
/// ```
/// use fleet_api::manager::Column;
///
/// assert_eq!(Column::from("order").to_sql(), "`order`");
/// assert_eq!(Column::from(("users", "name")).to_sql(), "\"users\".`name`");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    table: Option<String>,
    name: String,
}

impl Column {
    /// The column, quoted: whatever the name holds, it stays one name.
    ///
    /// ```
    /// # use fleet_api::manager::Column;
    /// assert_eq!(Column::from("a` = 1 --").to_sql(), "`a`` = 1 --`");
    /// ```
    pub fn to_sql(&self) -> String {
        match &self.table {
            Some(table) => format!("{}.{}", quote(table), quote_column(&self.name)),
            None => quote_column(&self.name),
        }
    }
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self {
            table: None,
            name: name.to_owned(),
        }
    }
}

impl From<String> for Column {
    fn from(name: String) -> Self {
        Self { table: None, name }
    }
}

impl From<&String> for Column {
    fn from(name: &String) -> Self {
        Self::from(name.as_str())
    }
}

impl<T: Into<String>, N: Into<String>> From<(T, N)> for Column {
    fn from((table, name): (T, N)) -> Self {
        Self {
            table: Some(table.into()),
            name: name.into(),
        }
    }
}

/// Quotes the name of a column for SQL, in backticks: `SQLite` takes a name in double quotes for a
/// piece of text when there is no such column, and a misspelt condition would select nothing
/// without a sign of it.
pub(in crate::manager) fn quote_column(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Quotes the name of a table for SQL.
pub(in crate::manager) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
