//! A query that is put together: a table, conditions, joins, an order, a limit.
//!
//! Making SQL of it is pure ([`TableQuery::to_sql`]). Names are quoted and values bound, so neither
//! can become anything else.

use serde::de::DeserializeOwned;

use super::check::{CheckError, Unmet};
use super::column::{Column, quote};
use super::handle::Database;
use super::row::{Row, RowError, Rows};
use super::value::{FromValue, Value};
use crate::error::{Error, ErrorKind};

/// A query of one table, made by [`Database::table`]. Every step takes the query and gives it back.
#[derive(Debug, Clone)]
#[must_use = "a query asks for nothing until `all`, `first`, `one`, `count` or `exists`"]
pub struct TableQuery {
    database: Database,
    parts: Parts,
}

/// What a query says, apart from where.
#[derive(Debug, Clone, Default)]
struct Parts {
    table: String,
    columns: Vec<Column>,
    joins: Vec<Join>,
    conditions: Vec<(String, Vec<Value>)>,
    order: Vec<String>,
    limit: Option<u64>,
    offset: Option<u64>,
}

#[derive(Debug, Clone)]
struct Join {
    word: &'static str,
    table: String,
    on: Vec<(Column, Column)>,
}

/// A statement and the values of its `?`.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The SQL.
    pub sql: String,
    /// The values, in the order of the placeholders.
    pub params: Vec<Value>,
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $operator:literal;)+) => {
        $($(#[$doc])*
        pub fn $name(self, column: impl Into<Column>, value: impl Into<Value>) -> Self {
            self.compare(column.into(), $operator, value.into())
        })+
    };
}

impl TableQuery {
    pub(super) fn new(database: Database, table: String) -> Self {
        let parts = Parts {
            table,
            ..Parts::default()
        };
        Self { database, parts }
    }

    /// Only rows whose column is this value. NULL is found as well: `eq("assignee", None::<i64>)`.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// let ticket = db.table("tickets").eq("id", 2).one().await?;
    /// # Ok(()) }
    /// ```
    pub fn eq(self, column: impl Into<Column>, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.is_null(column),
            value => self.compare(column.into(), "=", value),
        }
    }

    /// Only rows whose column is another value. As everywhere in SQL a NULL is not another value;
    /// `ne(column, None::<i64>)` asks for what is not NULL.
    pub fn ne(self, column: impl Into<Column>, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.not_null(column),
            value => self.compare(column.into(), "<>", value),
        }
    }

    comparisons! {
        /// Only rows whose column is greater.
        gt ">";
        /// Only rows whose column is greater or equal.
        gte ">=";
        /// Only rows whose column is less.
        lt "<";
        /// Only rows whose column is less or equal.
        lte "<=";
        /// Only rows whose column is like this pattern: `%` for any text, `_` for one character,
        /// ASCII letters in either case.
        like "LIKE";
        /// Only rows whose column is not like this pattern (and not NULL).
        not_like "NOT LIKE";
    }

    /// Only rows whose column is one of these values, NULL included if it is among them. No value
    /// selects no row.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// let active = db.table("tickets").is_in("status", ["open", "pending"]).all().await?;
    /// # Ok(()) }
    /// ```
    pub fn is_in<V: Into<Value>>(
        mut self,
        column: impl Into<Column>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let column = column.into().to_sql();
        let (values, has_null) = without_null(values);
        let mut any = Vec::new();
        let (list, params) = placeholders(values);
        if !list.is_empty() {
            any.push(format!("{column} IN ({list})"));
        }
        if has_null {
            any.push(format!("{column} IS NULL"));
        }
        let sql = match any.as_slice() {
            [] => "0".to_owned(),
            several => format!("({})", several.join(" OR ")),
        };
        self.parts.conditions.push((sql, params));
        self
    }

    /// Only rows whose column is none of these values. A NULL is kept unless it is among them.
    pub fn not_in<V: Into<Value>>(
        mut self,
        column: impl Into<Column>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let column = column.into().to_sql();
        let (values, has_null) = without_null(values);
        let (list, params) = placeholders(values);
        let sql = match (list.is_empty(), has_null) {
            (true, false) => "1".to_owned(),
            (true, true) => format!("{column} IS NOT NULL"),
            (false, true) => format!("{column} NOT IN ({list})"),
            (false, false) => format!("({column} NOT IN ({list}) OR {column} IS NULL)"),
        };
        self.parts.conditions.push((sql, params));
        self
    }

    /// Only rows whose column is NULL.
    pub fn is_null(mut self, column: impl Into<Column>) -> Self {
        let sql = format!("{} IS NULL", column.into().to_sql());
        self.parts.conditions.push((sql, Vec::new()));
        self
    }

    /// Only rows whose column is not NULL.
    pub fn not_null(mut self, column: impl Into<Column>) -> Self {
        let sql = format!("{} IS NOT NULL", column.into().to_sql());
        self.parts.conditions.push((sql, Vec::new()));
        self
    }

    /// Rows together with those of another table, where the pairs of columns are equal.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// let rows = db
    ///     .table("tickets")
    ///     .join("users", [(("tickets", "assignee"), ("users", "id"))])
    ///     .eq(("users", "name"), "Ada")
    ///     .select([("tickets", "title")])
    ///     .all()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn join<L: Into<Column>, R: Into<Column>>(
        self,
        table: impl Into<String>,
        on: impl IntoIterator<Item = (L, R)>,
    ) -> Self {
        self.joined("JOIN", table.into(), on)
    }

    /// As [`TableQuery::join`], keeping rows without a partner.
    pub fn left_join<L: Into<Column>, R: Into<Column>>(
        self,
        table: impl Into<String>,
        on: impl IntoIterator<Item = (L, R)>,
    ) -> Self {
        self.joined("LEFT JOIN", table.into(), on)
    }

    /// In the order of a column, after those named before.
    pub fn order_by(mut self, column: impl Into<Column>) -> Self {
        self.parts.order.push(column.into().to_sql());
        self
    }

    /// In the opposite order of a column, after those named before.
    pub fn order_by_desc(mut self, column: impl Into<Column>) -> Self {
        let sql = format!("{} DESC", column.into().to_sql());
        self.parts.order.push(sql);
        self
    }

    /// At most this many rows.
    pub fn limit(mut self, rows: u64) -> Self {
        self.parts.limit = Some(rows);
        self
    }

    /// Without this many rows at the beginning.
    pub fn offset(mut self, rows: u64) -> Self {
        self.parts.offset = Some(rows);
        self
    }

    /// Only these columns, in this order; all of them when none is named.
    pub fn select<C: Into<Column>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.parts.columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// The statement that [`TableQuery::all`] sends.
    ///
    /// ```no_run
    /// # fn example(db: fleet_api::manager::Database) {
    /// let query = db.table("tickets").eq("status", "open").order_by("id").limit(2);
    /// let statement = query.to_sql();
    /// assert_eq!(
    ///     statement.sql,
    ///     r#"SELECT * FROM "tickets" WHERE `status` = ? ORDER BY `id` LIMIT 2"#
    /// );
    /// assert_eq!(statement.params, ["open".into()]);
    /// # }
    /// ```
    pub fn to_sql(&self) -> Statement {
        self.parts.statement()
    }

    /// Every row.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn all(&self) -> Result<Rows, Error> {
        self.ask(self.to_sql()).await
    }

    /// Every row as a structure; see [`Row::to`].
    ///
    /// # Errors
    /// [`CheckError::Call`] as [`Database::query`], [`CheckError::Row`] when a row does not fit.
    pub async fn all_as<T: DeserializeOwned>(&self) -> Result<Vec<T>, CheckError> {
        Ok(self.all().await?.to()?)
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn first(&self) -> Result<Option<Row>, Error> {
        Ok(self.at_most(1).await?.into_iter().next())
    }

    /// The only row.
    ///
    /// # Errors
    /// [`CheckError::Unmet`] when there is none or more than one, [`CheckError::Call`] as
    /// [`Database::query`].
    pub async fn one(&self) -> Result<Row, CheckError> {
        let mut rows = self.at_most(2).await?.into_iter();
        match (rows.next(), rows.next()) {
            (Some(row), None) => Ok(row),
            (None, _) => Err(self.unmet("expected exactly one row, found none", None)),
            (Some(row), Some(_)) => {
                Err(self.unmet("expected exactly one row, found more", Some(&row)))
            }
        }
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn count(&self) -> Result<u64, Error> {
        self.ask_number(self.parts.wrapped("SELECT count(*) AS n FROM"))
            .await
    }

    /// Whether there is a row.
    ///
    /// # Errors
    /// As [`Database::query`].
    pub async fn exists(&self) -> Result<bool, Error> {
        let mut parts = self.parts.clone();
        parts.limit = Some(parts.limit.map_or(1, |limit| limit.min(1)));
        let statement = parts.wrapped("SELECT count(*) AS n FROM");
        Ok(self.ask_number::<u64>(statement).await? > 0)
    }

    /// The first row, which must be there.
    ///
    /// # Errors
    /// [`CheckError::Unmet`] without a row, [`CheckError::Call`] as [`Database::query`].
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// db.table("comments").eq("ticket_id", 2).like("body", "%refund%").expect_exists().await?;
    /// # Ok(()) }
    /// ```
    pub async fn expect_exists(&self) -> Result<Row, CheckError> {
        let row = self.first().await?;
        row.ok_or_else(|| self.unmet("expected a row, found none", None))
    }

    /// That there is no row.
    ///
    /// # Errors
    /// [`CheckError::Unmet`] naming one that is there, [`CheckError::Call`] as [`Database::query`].
    pub async fn expect_none(&self) -> Result<(), CheckError> {
        match self.first().await? {
            None => Ok(()),
            Some(row) => Err(self.unmet("expected no row, found one", Some(&row))),
        }
    }

    /// That there are exactly this many rows.
    ///
    /// # Errors
    /// [`CheckError::Unmet`] with the number there is, [`CheckError::Call`] as [`Database::query`].
    pub async fn expect_count(&self, rows: u64) -> Result<(), CheckError> {
        let found = self.count().await?;
        if found == rows {
            return Ok(());
        }
        Err(self.unmet(&format!("expected {rows} rows, found {found}"), None))
    }

    /// That the only row has this value in this column. Numbers are compared as numbers; text is no
    /// number.
    ///
    /// # Errors
    /// [`CheckError::Unmet`] with the value there is, and as [`TableQuery::one`];
    /// [`CheckError::Row`] when there is no such column.
    ///
    /// ```no_run
    /// # async fn example(db: fleet_api::manager::Database) -> Result<(), Box<dyn std::error::Error>> {
    /// db.table("tickets").eq("id", 2).expect_eq("status", "closed").await?;
    /// # Ok(()) }
    /// ```
    pub async fn expect_eq(&self, column: &str, value: impl Into<Value>) -> Result<(), CheckError> {
        let expected = value.into();
        let row = self.one().await?;
        let found: Value = row.get(column)?;
        if found == expected {
            return Ok(());
        }
        let text = format!("expected {column} to be {expected}, but it is {found}");
        Err(self.unmet(&text, Some(&row)))
    }

    fn compare(mut self, column: Column, operator: &str, value: Value) -> Self {
        let (placeholder, params) = placeholders(vec![value]);
        let sql = format!("{} {operator} {placeholder}", column.to_sql());
        self.parts.conditions.push((sql, params));
        self
    }

    fn joined<L: Into<Column>, R: Into<Column>>(
        mut self,
        word: &'static str,
        table: String,
        on: impl IntoIterator<Item = (L, R)>,
    ) -> Self {
        let on = on
            .into_iter()
            .map(|(left, right)| (left.into(), right.into()))
            .collect();
        self.parts.joins.push(Join { word, table, on });
        self
    }

    async fn at_most(&self, rows: u64) -> Result<Rows, Error> {
        let mut parts = self.parts.clone();
        parts.limit = Some(parts.limit.map_or(rows, |limit| limit.min(rows)));
        self.ask(parts.statement()).await
    }

    async fn ask(&self, statement: Statement) -> Result<Rows, Error> {
        self.database.query(&statement.sql, statement.params).await
    }

    async fn ask_number<T: FromValue>(&self, statement: Statement) -> Result<T, Error> {
        let rows = self.ask(statement).await?;
        rows.get("n").map_err(|error: RowError| {
            let (reason, excerpt) = (error.to_string(), String::new());
            Error::new("query database", ErrorKind::Undecodable { reason, excerpt })
        })
    }

    fn unmet(&self, what: &str, row: Option<&Row>) -> CheckError {
        let database = self.database.name();
        CheckError::Unmet(Unmet::new(what, database, &self.to_sql(), row))
    }
}

impl Parts {
    fn statement(&self) -> Statement {
        let columns: Vec<String> = self.columns.iter().map(Column::to_sql).collect();
        let columns = if columns.is_empty() {
            "*".to_owned()
        } else {
            columns.join(", ")
        };
        self.selecting(&columns)
    }

    /// The rows as a table of another statement. They are counted, so their columns do not matter;
    /// naming none of them keeps columns that share a name apart.
    fn wrapped(&self, outer: &str) -> Statement {
        let inner = self.selecting("1");
        Statement {
            sql: format!("{outer} ({})", inner.sql),
            params: inner.params,
        }
    }

    fn selecting(&self, columns: &str) -> Statement {
        let mut sql = format!("SELECT {columns} FROM {}", quote(&self.table));
        for join in &self.joins {
            sql = format!("{sql} {} {}", join.word, quote(&join.table));
            let on: Vec<String> = join
                .on
                .iter()
                .map(|(left, right)| format!("{} = {}", left.to_sql(), right.to_sql()))
                .collect();
            if !on.is_empty() {
                sql = format!("{sql} ON {}", on.join(" AND "));
            }
        }
        let mut params = Vec::new();
        let mut conditions = Vec::new();
        for (condition, values) in &self.conditions {
            conditions.push(condition.as_str());
            params.extend(values.iter().cloned());
        }
        if !conditions.is_empty() {
            sql = format!("{sql} WHERE {}", conditions.join(" AND "));
        }
        if !self.order.is_empty() {
            sql = format!("{sql} ORDER BY {}", self.order.join(", "));
        }
        match (self.limit, self.offset) {
            (Some(limit), None) => sql = format!("{sql} LIMIT {limit}"),
            // SQLite has no OFFSET without a LIMIT; -1 is none.
            (None, Some(offset)) => sql = format!("{sql} LIMIT -1 OFFSET {offset}"),
            (Some(limit), Some(offset)) => sql = format!("{sql} LIMIT {limit} OFFSET {offset}"),
            (None, None) => {}
        }
        Statement { sql, params }
    }
}

fn without_null<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> (Vec<Value>, bool) {
    let (null, values): (Vec<Value>, Vec<Value>) =
        values.into_iter().map(Into::into).partition(Value::is_null);
    (values, !null.is_empty())
}

/// What stands in SQL for the values, and those that are bound: what JSON cannot carry is written
/// out, in forms that consist of digits.
fn placeholders(values: Vec<Value>) -> (String, Vec<Value>) {
    let mut texts = Vec::new();
    let mut params = Vec::new();
    for value in values {
        match value {
            Value::Blob(bytes) => texts.push(format!("x'{}'", hex::encode(bytes))),
            Value::Real(number) if number.is_nan() => texts.push("NULL".to_owned()),
            Value::Real(number) if number.is_infinite() => {
                let text = if number > 0.0 { "9e999" } else { "-9e999" };
                texts.push(text.to_owned());
            }
            bound => {
                texts.push("?".to_owned());
                params.push(bound);
            }
        }
    }
    (texts.join(", "), params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Client;
    use crate::manager::Manager;

    fn table(name: &str) -> TableQuery {
        let client = Client::builder("k".into())
            .base_url("http://127.0.0.1:1")
            .build()
            .unwrap();
        let manager = Manager::at(&client, "http://127.0.0.1:1/api/v1/env").unwrap();
        manager.db("current").table(name)
    }

    #[track_caller]
    fn check(query: TableQuery, sql: &str, params: &[Value]) {
        let statement = query.to_sql();
        assert_eq!(statement.sql, sql);
        assert_eq!(statement.params, params);
    }

    #[test]
    fn every_step_becomes_its_piece_of_sql() {
        check(table("t"), r#"SELECT * FROM "t""#, &[]);
        check(
            table("tickets")
                .eq("id", 2)
                .ne("status", "closed")
                .gt("a", 1.5)
                .gte("b", 1)
                .lt("c", 1)
                .lte("d", true)
                .like("title", "%x%")
                .not_like("title", "y%")
                .is_null("e")
                .not_null("f")
                .order_by("id")
                .order_by_desc("a")
                .limit(10)
                .offset(5)
                .select(["id", "title"]),
            "SELECT `id`, `title` FROM \"tickets\" WHERE `id` = ? AND `status` <> ? AND `a` > ? \
             AND `b` >= ? AND `c` < ? AND `d` <= ? AND `title` LIKE ? AND `title` NOT LIKE ? \
             AND `e` IS NULL AND `f` IS NOT NULL ORDER BY `id`, `a` DESC LIMIT 10 OFFSET 5",
            &[
                2.into(),
                "closed".into(),
                1.5.into(),
                1.into(),
                1.into(),
                1.into(),
                "%x%".into(),
                "y%".into(),
            ],
        );
        check(
            table("a")
                .join("b", [(("a", "x"), ("b", "y")), (("a", "z"), ("b", "z"))])
                .left_join("c", [("p", "q")])
                .eq(("b", "n"), "v"),
            "SELECT * FROM \"a\" JOIN \"b\" ON \"a\".`x` = \"b\".`y` AND \"a\".`z` = \"b\".`z` \
             LEFT JOIN \"c\" ON `p` = `q` WHERE \"b\".`n` = ?",
            &["v".into()],
        );
        check(
            table("t").offset(3),
            r#"SELECT * FROM "t" LIMIT -1 OFFSET 3"#,
            &[],
        );
    }

    #[test]
    fn null_is_compared_as_people_mean_it() {
        let none = None::<i64>;
        check(
            table("t").eq("a", none).ne("b", none),
            r#"SELECT * FROM "t" WHERE `a` IS NULL AND `b` IS NOT NULL"#,
            &[],
        );
        check(
            table("t").is_in("a", [Some(1), None]),
            r#"SELECT * FROM "t" WHERE (`a` IN (?) OR `a` IS NULL)"#,
            &[1.into()],
        );
        check(
            table("t").not_in("a", [Some(1), None]),
            r#"SELECT * FROM "t" WHERE `a` NOT IN (?)"#,
            &[1.into()],
        );
        check(
            table("t").not_in("a", [1, 2]),
            r#"SELECT * FROM "t" WHERE (`a` NOT IN (?, ?) OR `a` IS NULL)"#,
            &[1.into(), 2.into()],
        );
        let empty: [i64; 0] = [];
        check(
            table("t").is_in("a", empty).not_in("b", empty),
            r#"SELECT * FROM "t" WHERE 0 AND 1"#,
            &[],
        );
    }

    #[test]
    fn names_and_values_cannot_become_sql() {
        let evil = "x\"` OR 1=1; --";
        check(
            table(evil).eq(evil, evil).order_by(evil),
            "SELECT * FROM \"x\"\"` OR 1=1; --\" WHERE `x\"`` OR 1=1; --` = ? ORDER BY `x\"`` OR 1=1; --`",
            &[evil.into()],
        );
    }

    #[test]
    fn what_json_cannot_carry_is_written_out() {
        check(
            table("t")
                .eq("a", vec![0_u8, 255])
                .lt("b", f64::INFINITY)
                .gt("b", f64::NEG_INFINITY)
                .is_in("c", [f64::NAN, 1.0]),
            r#"SELECT * FROM "t" WHERE `a` = x'00ff' AND `b` < 9e999 AND `b` > -9e999 AND (`c` IN (NULL, ?))"#,
            &[1.0.into()],
        );
    }
}
