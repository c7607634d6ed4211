//! Reads all rows of all tables: by one statement where that can be, else page by page.

use tracing::debug;

use super::schema::Shape;
use super::snapshot::{SnapshotLimits, SnapshotRow};
use crate::error::{Error, ErrorKind};
use crate::manager::database::{Database, Row, Rows, Value, quote_column};

/// Rows that are read by a single statement at most: an answer of a few megabytes.
const ONE_STATEMENT: u64 = 20_000;

/// Tables in a single statement at most. `SQLite` allows 500 parts of a compound SELECT.
const ONE_STATEMENT_TABLES: usize = 400;

/// Rows of a page to begin with; halved while answers are larger than the client reads.
const PAGE: u64 = 2_000;

/// How often a database that does not stand still is read.
const READINGS: usize = 3;

/// Tables that are counted by one statement.
const COUNTED_AT_ONCE: usize = 100;

/// What was read: the rows of each table.
pub(super) struct Read {
    pub(super) rows: Vec<Vec<SnapshotRow>>,
    pub(super) is_of_one_moment: bool,
}

/// What may still be read.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    limits: SnapshotLimits,
    rows: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limits: SnapshotLimits) -> Self {
        Self {
            limits,
            rows: limits.rows,
            bytes: limits.bytes,
        }
    }

    fn take(&mut self, row: &SnapshotRow) -> Result<(), Error> {
        let weight: usize = row.values.iter().map(Value::weight).sum();
        match (self.rows.checked_sub(1), self.bytes.checked_sub(weight)) {
            (Some(rows), Some(bytes)) => {
                (self.rows, self.bytes) = (rows, bytes);
                Ok(())
            }
            _ => Err(failed(format!(
                "the snapshot is larger than {} rows or {} bytes",
                self.limits.rows, self.limits.bytes
            ))),
        }
    }
}

/// Reads the tables.
pub(super) async fn read(
    database: &Database,
    shapes: &[Shape],
    budget: Budget,
) -> Result<Read, Error> {
    let mut counts = count(database, shapes).await?;
    let total: u64 = counts.iter().sum();
    if usize::try_from(total).unwrap_or(usize::MAX) > budget.limits.rows {
        let limit = budget.limits.rows;
        return Err(failed(format!(
            "the snapshot is larger than {limit} rows: there are {total}"
        )));
    }
    if total <= ONE_STATEMENT && (1..=ONE_STATEMENT_TABLES).contains(&shapes.len()) {
        match at_once(database, shapes, budget).await {
            Ok(rows) => {
                return Ok(Read {
                    rows,
                    is_of_one_moment: true,
                });
            }
            Err(error) if is_too_much_at_once(&error) => {
                debug!("not by one statement ({error}), so in pages");
            }
            Err(error) => return Err(error),
        }
    }
    for _ in 0..READINGS {
        let mut rows = Vec::with_capacity(shapes.len());
        let mut left = budget;
        for shape in shapes {
            rows.push(table(database, shape, &mut left).await?);
        }
        let after = count(database, shapes).await?;
        let read = rows.iter().map(|rows| rows.len() as u64);
        if after == counts && read.eq(counts.iter().copied()) {
            return Ok(Read {
                rows,
                is_of_one_moment: shapes.is_empty(),
            });
        }
        counts = after;
    }
    Err(failed(
        "the database is changed faster than it can be read".to_owned(),
    ))
}

async fn count(database: &Database, shapes: &[Shape]) -> Result<Vec<u64>, Error> {
    let mut counts = Vec::with_capacity(shapes.len());
    for some in shapes.chunks(COUNTED_AT_ONCE) {
        let pieces: Vec<String> = some
            .iter()
            .enumerate()
            .map(|(index, shape)| format!("(SELECT count(*) FROM {}) AS n{index}", shape.from()))
            .collect();
        let rows = database
            .query(&format!("SELECT {}", pieces.join(", ")), ())
            .await?;
        for index in 0..some.len() {
            counts.push(rows.get(&format!("n{index}")).map_err(unreadable)?);
        }
    }
    Ok(counts)
}

/// Everything by one statement: the tables one below the other, each row with its table's number.
async fn at_once(
    database: &Database,
    shapes: &[Shape],
    mut budget: Budget,
) -> Result<Vec<Vec<SnapshotRow>>, Error> {
    let width = shapes
        .iter()
        .map(|shape| shape.columns.len())
        .max()
        .unwrap_or_default();
    let selects: Vec<String> = shapes
        .iter()
        .enumerate()
        .map(|(number, shape)| {
            format!(
                "SELECT {number} AS n, {} FROM {}",
                shape.selected(width),
                shape.from()
            )
        })
        .collect();
    let answer = database.query(&selects.join(" UNION ALL "), ()).await?;
    let mut tables: Vec<Vec<SnapshotRow>> = shapes.iter().map(|_| Vec::new()).collect();
    for row in &answer {
        let number: usize = row.get("n").map_err(unreadable)?;
        let shape = shapes
            .get(number)
            .ok_or_else(|| failed(format!("a row of a table {number} that was not asked for")))?;
        let row = unpack(row, shape.columns.len())?;
        budget.take(&row)?;
        tables[number].push(row);
    }
    Ok(tables)
}

fn is_too_much_at_once(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Operation { .. } | ErrorKind::BodyTooLarge { .. }
    )
}

/// One table in pages, each beginning behind the last row of the one before.
async fn table(
    database: &Database,
    shape: &Shape,
    budget: &mut Budget,
) -> Result<Vec<SnapshotRow>, Error> {
    let key = page_key(shape);
    let mut rows: Vec<SnapshotRow> = Vec::new();
    let mut size = PAGE;
    loop {
        let answer = match page(database, shape, &key, rows.last(), size).await {
            Ok(answer) => answer,
            Err(error)
                if matches!(error.kind(), ErrorKind::BodyTooLarge { .. })
                    && size > 1
                    && !key.is_empty() =>
            {
                size /= 2;
                continue;
            }
            Err(error) => return Err(error),
        };
        for row in &answer {
            let row = unpack(row, shape.columns.len())?;
            budget.take(&row)?;
            rows.push(row);
        }
        if key.is_empty() || (answer.len() as u64) < size {
            return Ok(rows);
        }
    }
}

/// By what a table is paged: its rowid, else its key, which has no NULL where there is no rowid.
/// Nothing for a table that hides its rowid and has no key: that is read whole.
enum PageKey {
    Rowid(&'static str),
    Columns(Vec<usize>),
}

impl PageKey {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Columns(columns) if columns.is_empty())
    }
}

fn page_key(shape: &Shape) -> PageKey {
    match shape.rowid {
        Some(rowid) => PageKey::Rowid(rowid),
        None => PageKey::Columns(
            shape
                .primary_key
                .iter()
                .filter_map(|key| shape.columns.iter().position(|column| column == key))
                .collect(),
        ),
    }
}

async fn page(
    database: &Database,
    shape: &Shape,
    key: &PageKey,
    last: Option<&SnapshotRow>,
    size: u64,
) -> Result<Rows, Error> {
    let (names, behind): (Vec<String>, Vec<Value>) = match key {
        PageKey::Rowid(rowid) => (
            vec![(*rowid).to_owned()],
            last.and_then(|row| row.rowid)
                .map(Value::from)
                .into_iter()
                .collect(),
        ),
        PageKey::Columns(columns) => (
            columns
                .iter()
                .map(|index| quote_column(&shape.columns[*index]))
                .collect(),
            last.into_iter()
                .flat_map(|row| columns.iter().map(|index| row.values[*index].clone()))
                .collect(),
        ),
    };
    let mut sql = format!(
        "SELECT {} FROM {}",
        shape.selected(shape.columns.len()),
        shape.from()
    );
    let mut params = Vec::new();
    if !behind.is_empty() {
        let places: Vec<String> = behind
            .into_iter()
            .map(|value| place(value, &mut params))
            .collect();
        sql = format!(
            "{sql} WHERE ({}) > ({})",
            names.join(", "),
            places.join(", ")
        );
    }
    if !names.is_empty() {
        sql = format!("{sql} ORDER BY {} LIMIT {size}", names.join(", "));
    }
    database.query(&sql, params).await
}

/// A placeholder, or the value itself where JSON cannot carry it.
fn place(value: Value, params: &mut Vec<Value>) -> String {
    match value {
        Value::Blob(_) => value.to_string(),
        Value::Real(number) if number.is_infinite() => {
            if number > 0.0 { "9e999" } else { "-9e999" }.to_owned()
        }
        bound => {
            params.push(bound);
            "?".to_owned()
        }
    }
}

/// A row as it was before [`Shape::selected`].
fn unpack(row: &Row, width: usize) -> Result<SnapshotRow, Error> {
    let rowid = row.get("r").map_err(unreadable)?;
    let mut values = row.iter().filter(|(name, _)| name.starts_with('v'));
    let values = (0..width)
        .map(|_| {
            let (_, value) = values
                .next()
                .ok_or_else(|| failed("a row is shorter than its table".to_owned()))?;
            original(value)
        })
        .collect::<Result<_, _>>()?;
    Ok(SnapshotRow { rowid, values })
}

fn original(value: &Value) -> Result<Value, Error> {
    let Value::Text(packed) = value else {
        return Ok(value.clone());
    };
    if let Some(text) = packed.strip_prefix('t') {
        return Ok(Value::Text(text.to_owned()));
    }
    if let Some(bytes) = packed
        .strip_prefix('x')
        .and_then(|digits| hex::decode(digits).ok())
    {
        return Ok(Value::Blob(bytes));
    }
    // Numbers are not packed, and JSON has no infinite ones: managers have words for them.
    packed.parse().map(Value::Real).map_err(|_| {
        failed(format!(
            "the manager changed a value on its way: {packed:?}"
        ))
    })
}

fn unreadable(error: crate::manager::RowError) -> Error {
    failed(error.to_string())
}

fn failed(message: String) -> Error {
    Error::new("take snapshot", ErrorKind::Operation { message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        for (packed, value) in [
            ("ttext", Value::from("text")),
            ("t", Value::from("")),
            ("tx00", Value::from("x00")),
            ("x00ff", Value::from(vec![0_u8, 255])),
            ("x", Value::from(Vec::new())),
            ("inf", Value::from(f64::INFINITY)),
            ("-inf", Value::from(f64::NEG_INFINITY)),
        ] {
            assert_eq!(original(&packed.into()).unwrap(), value, "{packed}");
        }
        for value in [Value::Null, 7.into(), 2.5.into()] {
            assert_eq!(original(&value).unwrap(), value);
        }
        assert!(original(&"somebody's".into()).is_err());
    }
}
