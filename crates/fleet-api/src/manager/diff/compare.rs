//! Two readings of one table, row against row.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::snapshot::{SnapshotRow, SnapshotTable};
use crate::manager::database::Value;
use crate::manager::same::same_text;
use crate::types::manager::{FieldChange, IgnoreConfig, ModifiedRow, TableDiff, WholeRow};

/// The name under which a row's rowid stands among its data.
const ROWID: &str = "rowid";

/// How `after` differs from `before`; a side without the table has no rows.
pub(super) fn tables(
    name: &str,
    before: Option<&SnapshotTable>,
    after: Option<&SnapshotTable>,
    ignore: &IgnoreConfig,
) -> TableDiff {
    let identity = Identity::of(before, after);
    let (old, new) = (identity.index(before), identity.index(after));
    let mut diff = TableDiff {
        table_name: name.to_owned(),
        primary_key: identity.names(after.or(before)),
        ..TableDiff::default()
    };
    for (id, row) in &new {
        match old.get(id) {
            None => diff.added_rows.push(WholeRow {
                row_id: id.to_json(),
                data: row.data(name, ignore),
            }),
            Some(earlier) => {
                let changes = changes(name, earlier, row, ignore);
                if changes.is_empty() {
                    diff.unchanged_count += 1;
                } else {
                    diff.modified_rows.push(ModifiedRow {
                        row_id: id.to_json(),
                        changes,
                        data: row.data(name, ignore),
                    });
                }
            }
        }
    }
    for (id, row) in old.iter().filter(|(id, _)| !new.contains_key(*id)) {
        diff.removed_rows.push(WholeRow {
            row_id: id.to_json(),
            data: row.data(name, ignore),
        });
    }
    let listed = diff.added_rows.len() + diff.removed_rows.len() + diff.modified_rows.len();
    diff.total_changes = listed as u64;
    diff
}

/// A row with the table it is of.
#[derive(Clone, Copy)]
struct Placed<'a> {
    table: &'a SnapshotTable,
    row: &'a SnapshotRow,
}

impl<'a> Placed<'a> {
    fn fields(self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let columns = self.table.shape.columns.iter().map(String::as_str);
        columns.zip(&self.row.values)
    }

    fn get(self, field: &str) -> Option<&'a Value> {
        self.fields()
            .find(|(column, _)| *column == field)
            .map(|(_, value)| value)
    }

    fn data(self, table: &str, ignore: &IgnoreConfig) -> Map<String, Json> {
        let rowid = (self.table.shape.rowid == Some(ROWID))
            .then_some(self.row.rowid)
            .flatten()
            .map(|rowid| (ROWID.to_owned(), Json::from(rowid)));
        let fields = self
            .fields()
            .map(|(field, value)| (field.to_owned(), value.to_json()));
        rowid
            .into_iter()
            .chain(fields)
            .filter(|(field, _)| !ignore.covers(table, field))
            .collect()
    }
}

/// The fields that differ and are not ignored. A field that is on one side only is NULL on the other.
fn changes(
    table: &str,
    before: &Placed<'_>,
    after: &Placed<'_>,
    ignore: &IgnoreConfig,
) -> BTreeMap<String, FieldChange> {
    let fields: BTreeSet<&str> = before
        .fields()
        .chain(after.fields())
        .map(|(field, _)| field)
        .filter(|field| !ignore.covers(table, field))
        .collect();
    let side = |row: &Placed<'_>, field| row.get(field).cloned().unwrap_or_default();
    fields
        .into_iter()
        .map(|field| (field, side(before, field), side(after, field)))
        .filter(|(_, before, after)| !same(before, after))
        .map(|(field, before, after)| {
            let (before, after) = (before.to_json(), after.to_json());
            (field.to_owned(), FieldChange { before, after })
        })
        .collect()
}

fn same(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Text(before), Value::Text(after)) => same_text(before, after),
        _ => before == after,
    }
}

/// By what the rows of a table are told apart.
enum Identity {
    /// The declared key.
    Key(Vec<String>),
    /// No key is declared.
    Rowid,
    /// No key is declared and the rowid is hidden: the whole row, and the how-manieth of its like.
    Whole,
}

/// What tells a row from the others of its table.
#[derive(Debug, Clone)]
struct Id {
    values: Vec<Value>,
    /// Tells rows apart whose values are alike: the rowid under a key with NULL, the place among equal rows.
    tie: Option<i64>,
    is_list: bool,
}

impl Identity {
    fn of(before: Option<&SnapshotTable>, after: Option<&SnapshotTable>) -> Self {
        let sides = || [after, before].into_iter().flatten();
        let key = sides()
            .map(|table| &table.shape.primary_key)
            .next()
            .cloned()
            .unwrap_or_default();
        let is_everywhere = |column: &String| {
            sides().all(|table| table.shape.columns.iter().any(|known| known == column))
        };
        if !key.is_empty() && key.iter().all(is_everywhere) {
            Self::Key(key)
        } else if sides().all(|table| table.shape.rowid.is_some()) {
            Self::Rowid
        } else {
            Self::Whole
        }
    }

    fn names(&self, table: Option<&SnapshotTable>) -> Vec<String> {
        match self {
            Self::Key(columns) => columns.clone(),
            Self::Rowid => vec![ROWID.to_owned()],
            Self::Whole => table.map_or_else(Vec::new, |table| table.shape.columns.clone()),
        }
    }

    fn index<'a>(&self, table: Option<&'a SnapshotTable>) -> BTreeMap<Id, Placed<'a>> {
        let mut index = BTreeMap::new();
        for (table, row) in table
            .into_iter()
            .flat_map(|table| table.rows.iter().map(move |row| (table, row)))
        {
            let placed = Placed { table, row };
            let mut id = self.id(placed);
            if matches!(self, Self::Whole) {
                while index.contains_key(&id) {
                    id.tie = id.tie.map(|place| place + 1);
                }
            }
            index.insert(id, placed);
        }
        index
    }

    fn id(&self, placed: Placed<'_>) -> Id {
        match self {
            Self::Key(columns) => {
                let values: Vec<Value> = columns
                    .iter()
                    .map(|column| placed.get(column).cloned().unwrap_or_default())
                    .collect();
                let repeats = values.iter().any(Value::is_null);
                Id {
                    tie: placed.row.rowid.filter(|_| repeats),
                    is_list: columns.len() > 1,
                    values,
                }
            }
            Self::Rowid => Id {
                values: vec![placed.row.rowid.into()],
                tie: None,
                is_list: false,
            },
            Self::Whole => Id {
                values: placed.row.values.clone(),
                tie: Some(0),
                is_list: true,
            },
        }
    }
}

impl Id {
    fn to_json(&self) -> Json {
        match self.values.as_slice() {
            [single] if !self.is_list => single.to_json(),
            values => values.iter().map(Value::to_json).collect(),
        }
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_value = self
            .values
            .iter()
            .zip(&other.values)
            .map(|(left, right)| left.order(right))
            .find(|order| order.is_ne());
        by_value
            .unwrap_or_else(|| self.values.len().cmp(&other.values.len()))
            .then_with(|| self.tie.cmp(&other.tie))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Id {}
