//! One SQL statement with limits on time, rows and bytes.

use std::time::{Duration, Instant};

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, ErrorCode, ToSql, types};
use serde_json::Value;

use super::cell::{read_cell, weight};
use super::open::confine;

/// Virtual-machine steps between two looks at the clock: about a millisecond of work.
const STEPS_PER_CHECK: i32 = 20_000;

/// What one statement may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time.
    pub time: Duration,
    /// Result rows.
    pub rows: usize,
    /// Result bytes, roughly as JSON.
    pub bytes: usize,
}

impl Default for Limits {
    /// Well under the official client's 300 s, and room for `SELECT *` over any table that a verifier would read whole.
    fn default() -> Self {
        Self {
            time: Duration::from_mins(1),
            rows: 500_000,
            bytes: 256 * 1024 * 1024,
        }
    }
}

/// What a statement gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Column names; empty for statements that give no rows.
    pub columns: Vec<String>,
    /// Rows in the order of the statement.
    pub rows: Vec<Vec<Value>>,
    /// Rows changed; none for statements that only read.
    pub rows_affected: Option<u64>,
    /// The rowid of the last insert; none for statements that only read.
    pub last_insert_id: Option<i64>,
}

/// Why a statement gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// `SQLite`'s own message.
    #[error("{0}")]
    Sqlite(String),
    /// No statement, only space or comments.
    #[error("the query is empty")]
    Empty,
    /// More than one statement.
    #[error("the query holds more than one statement; send them one by one")]
    Several,
    /// The number of arguments is not the number of placeholders.
    #[error("the statement has {expected} placeholders, {given} arguments were given")]
    ArgumentCount {
        /// Placeholders.
        expected: usize,
        /// Arguments.
        given: usize,
    },
    /// An argument is a list or an object.
    #[error("argument {position} is neither text, a number, a boolean nor null")]
    ArgumentType {
        /// 1-based position.
        position: usize,
    },
    /// The time limit struck.
    #[error("the query took longer than {} s and was stopped", limit.as_secs_f64())]
    Time {
        /// The limit.
        limit: Duration,
    },
    /// More rows than allowed.
    #[error("the result has more than {limit} rows; narrow it with WHERE or LIMIT")]
    Rows {
        /// The limit.
        limit: usize,
    },
    /// More bytes than allowed.
    #[error(
        "the result is larger than {limit} bytes; name the columns or narrow it with WHERE or LIMIT"
    )]
    Bytes {
        /// The limit.
        limit: usize,
    },
}

/// Runs one statement.
///
/// # Errors
/// See [`QueryError`].
pub fn run(
    connection: &mut Connection,
    sql: &str,
    arguments: &[Value],
    limits: Limits,
) -> Result<Answer, QueryError> {
    let failed = |error: rusqlite::Error| sqlite_error(error, limits);
    confine(connection).map_err(failed)?;
    limit_time(connection, limits.time).map_err(failed)?;
    let connection = &*connection;
    let mut batch = Batch::new(connection, sql);
    let mut statement = batch.next().map_err(failed)?.ok_or(QueryError::Empty)?;
    // The second statement may also be one that cannot be prepared before the first has run.
    if !matches!(batch.next(), Ok(None)) {
        return Err(QueryError::Several);
    }
    if statement.parameter_count() != arguments.len() {
        return Err(QueryError::ArgumentCount {
            expected: statement.parameter_count(),
            given: arguments.len(),
        });
    }
    for (index, argument) in arguments.iter().enumerate() {
        let value = Argument::new(argument).ok_or(QueryError::ArgumentType {
            position: index + 1,
        })?;
        statement
            .raw_bind_parameter(index + 1, value)
            .map_err(failed)?;
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let reads_only = statement.readonly();
    let mut rows = Vec::new();
    let mut bytes = 0_usize;
    let mut cursor = statement.raw_query();
    while let Some(row) = cursor.next().map_err(failed)? {
        if rows.len() == limits.rows {
            return Err(QueryError::Rows { limit: limits.rows });
        }
        let mut values = Vec::with_capacity(columns.len());
        for index in 0..columns.len() {
            let cell = read_cell(row.get_ref(index).map_err(failed)?);
            bytes += weight(&cell) + 1;
            values.push(cell.to_json());
        }
        if bytes > limits.bytes {
            return Err(QueryError::Bytes {
                limit: limits.bytes,
            });
        }
        rows.push(values);
    }
    drop(cursor);
    let wrote = !reads_only;
    Ok(Answer {
        columns,
        rows,
        rows_affected: wrote.then(|| connection.changes()),
        last_insert_id: wrote.then(|| connection.last_insert_rowid()),
    })
}

/// Makes every statement of this connection fail as interrupted once `limit` has passed from now.
pub(crate) fn limit_time(connection: &mut Connection, limit: Duration) -> rusqlite::Result<()> {
    let deadline = Instant::now() + limit;
    connection.progress_handler(STEPS_PER_CHECK, Some(move || Instant::now() >= deadline))
}

fn sqlite_error(error: rusqlite::Error, limits: Limits) -> QueryError {
    match error {
        rusqlite::Error::SqliteFailure(failure, _)
            if failure.code == ErrorCode::OperationInterrupted =>
        {
            QueryError::Time { limit: limits.time }
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => QueryError::Sqlite(message),
        rusqlite::Error::SqlInputError { msg, .. } => QueryError::Sqlite(msg),
        other => QueryError::Sqlite(other.to_string()),
    }
}

/// A JSON scalar as `SQLite` takes it.
enum Argument<'json> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'json str),
}

impl<'json> Argument<'json> {
    fn new(value: &'json Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Integer(i64::from(*flag)),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Integer(integer),
                None => Self::Real(number.as_f64()?),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }
}

impl ToSql for Argument<'_> {
    fn to_sql(&self) -> rusqlite::Result<types::ToSqlOutput<'_>> {
        Ok(types::ToSqlOutput::Borrowed(match self {
            Self::Null => types::ValueRef::Null,
            Self::Integer(integer) => types::ValueRef::Integer(*integer),
            Self::Real(real) => types::ValueRef::Real(*real),
            Self::Text(text) => types::ValueRef::Text(text.as_bytes()),
        }))
    }
}
