//! What a check of a database can end with: a call that failed, a row that does not fit, or an
//! expectation that is not met.

use std::fmt;

use super::query::Statement;
use super::row::{Row, RowError};
use crate::error::Error;

/// A value in a message is cut to this many characters.
const SHOWN: usize = 200;

/// Why a check has no good end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The database could not be asked, which says nothing about what is in it.
    #[error(transparent)]
    Call(#[from] Error),
    /// A row is not of the form that was asked for.
    #[error(transparent)]
    Row(#[from] RowError),
    /// The database is not as expected.
    #[error(transparent)]
    Unmet(Unmet),
}

impl CheckError {
    /// Whether the database was asked and is not as expected, as opposed to an answer that did not
    /// come or could not be read.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<f64, fleet_api::manager::CheckError> {
    /// Ok(match db.table("tickets").eq("id", 2).expect_eq("status", "closed").await {
    ///     Ok(()) => 1.0,
    ///     Err(error) if error.is_unmet() => 0.0,
    ///     Err(error) => return Err(error),
    /// })
    /// # }
    /// ```
    pub fn is_unmet(&self) -> bool {
        matches!(self, Self::Unmet(_))
    }
}

/// An expectation that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    what: String,
    database: String,
    query: String,
    row: Option<String>,
}

impl Unmet {
    pub(super) fn new(what: &str, database: &str, query: &Statement, row: Option<&Row>) -> Self {
        Self {
            what: what.to_owned(),
            database: database.to_owned(),
            query: shown(query),
            row: row.map(described),
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: {}", self.what, self.database, self.query)?;
        match &self.row {
            Some(row) => write!(f, " (found {row})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Unmet {}

/// The statement with its values in their places, for people.
fn shown(statement: &Statement) -> String {
    let mut params = statement.params.iter();
    let mut text = String::new();
    let mut quoted = false;
    for letter in statement.sql.chars() {
        match letter {
            '?' if !quoted => match params.next() {
                Some(value) => text.push_str(&cut(&value.to_string())),
                None => text.push('?'),
            },
            _ => {
                quoted ^= matches!(letter, '"' | '`');
                text.push(letter);
            }
        }
    }
    text
}

fn described(row: &Row) -> String {
    let fields: Vec<String> = row
        .iter()
        .map(|(name, value)| format!("{name}={}", cut(&value.to_string())))
        .collect();
    fields.join(", ")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Rows;
    use super::*;

    #[test]
    fn an_unmet_expectation_says_what_was_asked_and_what_is_there() {
        let statement = Statement {
            sql: r#"SELECT * FROM "what?" WHERE "a" = ? AND "b" = ?"#.to_owned(),
            params: vec!["it's".into(), 2.into()],
        };
        let rows = Rows::new(vec!["a".into()], vec![vec![1.into()]]);
        let unmet = Unmet::new(
            "expected no row, found one",
            "current",
            &statement,
            rows.first(),
        );
        assert_eq!(
            unmet.to_string(),
            "expected no row, found one in current: SELECT * FROM \"what?\" WHERE \"a\" = 'it''s' AND \"b\" = 2 (found a=1)"
        );
    }
}
