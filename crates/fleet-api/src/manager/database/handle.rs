//! A handle of one database: its schema and single statements.

use serde::de::DeserializeOwned;

use super::check::CheckError;
use super::params::IntoParams;
use super::query::TableQuery;
use super::row::Rows;
use super::value::Value;
use crate::error::{Error, ErrorKind};
use crate::manager::address::segment;
use crate::manager::call::{Caller, Request, check_success};
use crate::request::Repeat;
use crate::types::manager::{DescribeResponse, QueryBody, QueryResponse, TableSchema};

/// A database of an instance; see [`Manager::db`](crate::manager::Manager::db). Clones are cheap.
#[derive(Debug, Clone)]
pub struct Database {
    caller: Caller,
    name: String,
}

/// What a statement that writes did.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Executed {
    /// Rows it changed, where the manager says so.
    pub rows_affected: Option<u64>,
    /// The rowid of the row it inserted last, where the manager says so.
    pub last_insert_id: Option<i64>,
    /// What it returned, as `INSERT … RETURNING` does.
    pub rows: Rows,
}

impl Database {
    pub(in crate::manager) fn new(caller: Caller, name: String) -> Self {
        Self { caller, name }
    }

    /// Its name: `current`, `seed`.
    ///
    /// ```no_run
    /// # fn example(manager: fleet_api::manager::Manager) {
    /// assert_eq!(manager.db("current").name(), "current");
    /// # }
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tables with their columns.
    ///
    /// # Errors
    /// [`ErrorKind::Operation`] when the manager cannot say.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), fleet_api::Error> {
    /// for table in db.describe().await? {
    ///     println!("{}", table.sql);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn describe(&self) -> Result<Vec<TableSchema>, Error> {
        let request = Request::get("describe database", self.path("describe")?);
        let operation = request.operation();
        let answer: DescribeResponse = self.caller.json(request).await?;
        check_success(
            operation,
            answer.success,
            answer.error.as_deref(),
            &answer.message,
        )?;
        Ok(answer.tables.unwrap_or_default())
    }

    /// The rows of one statement that reads. `params` are the values of its `?`.
    ///
    /// # Errors
    /// [`ErrorKind::Operation`] with `SQLite`'s message when the statement fails, one that would
    /// write included; [`ErrorKind::InvalidArgument`] for a value that JSON cannot carry: bytes
    /// (`unhex(?)` with their hex digits is a way) and infinite numbers.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// let sql = "SELECT id, title FROM tickets WHERE status = ? AND priority > ?";
    /// for row in &db.query(sql, ("open", 3)).await? {
    ///     println!("{} {}", row.get::<i64>("id")?, row.get::<String>("title")?);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn query(&self, sql: &str, params: impl IntoParams) -> Result<Rows, Error> {
        let operation = "query database";
        let body = body(operation, sql, params.into_params(), true)?;
        let request = Request::read(operation, self.path("query")?, &body);
        Ok(self.answer(request).await?.rows)
    }

    /// As [`Database::query`], the rows as structures.
    ///
    /// # Errors
    /// [`CheckError::Call`] as [`Database::query`], [`CheckError::Row`] when a row does not fit.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// #[derive(serde::Deserialize)]
    /// struct Load {
    ///     assignee: Option<String>,
    ///     tickets: u32,
    /// }
    ///
    /// let sql = "SELECT assignee, count(*) AS tickets FROM tickets GROUP BY assignee";
    /// for load in db.query_as::<Load>(sql, ()).await? {
    ///     println!("{:?}: {}", load.assignee, load.tickets);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn query_as<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: impl IntoParams,
    ) -> Result<Vec<T>, CheckError> {
        Ok(self.query(sql, params).await?.to()?)
    }

    /// Runs one statement that may write. It is sent again only where it certainly did nothing;
    /// after an error with [`Error::is_ambiguous`] it may have had its effect.
    ///
    /// # Errors
    /// As [`Database::query`]; a database that may only be read refuses as well.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), fleet_api::Error> {
    /// let sql = "UPDATE tickets SET status = ? WHERE id = ?";
    /// let done = db.exec(sql, ("closed", 2)).await?;
    /// assert_eq!(done.rows_affected, Some(1));
    /// # Ok(()) }
    /// ```
    pub async fn exec(&self, sql: &str, params: impl IntoParams) -> Result<Executed, Error> {
        let operation = "change database";
        let body = body(operation, sql, params.into_params(), false)?;
        let request = Request::post(operation, self.path("query")?, &body, Repeat::Unacted);
        self.answer(request).await
    }

    /// Begins a query of a table, to be narrowed, joined and asked for.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// let urgent = db.table("tickets").eq("status", "open").gt("priority", 3);
    /// println!("{} urgent tickets", urgent.count().await?);
    /// # Ok(()) }
    /// ```
    pub fn table(&self, table: impl Into<String>) -> TableQuery {
        TableQuery::new(self.clone(), table.into())
    }

    async fn answer(&self, request: Request) -> Result<Executed, Error> {
        let operation = request.operation();
        let answer: QueryResponse = self.caller.json(request).await?;
        check_success(
            operation,
            answer.success,
            answer.error.as_deref(),
            &answer.message,
        )?;
        let columns = answer.columns.unwrap_or_default();
        let mut rows = Vec::new();
        for row in answer.rows.unwrap_or_default() {
            // A row that is shorter than its columns would lose values without a sign of it.
            if row.len() != columns.len() {
                let reason = format!(
                    "a row has {} values for {} columns",
                    row.len(),
                    columns.len()
                );
                let excerpt = String::new();
                return Err(Error::new(
                    operation,
                    ErrorKind::Undecodable { reason, excerpt },
                ));
            }
            rows.push(row.into_iter().map(Value::from_json).collect());
        }
        Ok(Executed {
            rows_affected: answer.rows_affected,
            last_insert_id: answer.last_insert_id,
            rows: Rows::new(columns, rows),
        })
    }

    fn path(&self, what: &str) -> Result<String, Error> {
        let name = segment("database", &self.name)?;
        Ok(format!("/resources/sqlite/{name}/{what}"))
    }
}

fn body(
    operation: &'static str,
    sql: &str,
    params: Vec<Value>,
    read_only: bool,
) -> Result<QueryBody, Error> {
    let cannot_be_sent = |value: &Value| match value {
        Value::Blob(_) => true,
        Value::Real(number) => !number.is_finite(),
        Value::Null | Value::Integer(_) | Value::Text(_) => false,
    };
    if params.iter().any(cannot_be_sent) {
        let reason = "bytes and infinite numbers cannot be sent as values of a statement";
        return Err(Error::invalid_argument(operation, reason));
    }
    Ok(QueryBody {
        query: sql.to_owned(),
        args: Some(params.iter().map(Value::to_json).collect()),
        read_only,
    })
}
