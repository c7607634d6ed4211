//! Specs of changes in the forms of Python verifiers: those that describe what happened, and what becomes of them.

use fleet_api::manager::{Diff, ModifiedRow, WholeRow};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// What a verifier's author may get wrong, or say otherwise.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edit {
    /// A change is not named.
    Forget,
    /// A field should hold something else.
    WrongValue,
    /// A field may hold anything.
    AnyValue,
    /// A field is not named.
    ForgetField,
    /// A field is named that did not change, with what it does not hold.
    NameUnchanged,
    /// A field is named that does not exist.
    NameUnknown,
    /// A change is named that did not happen.
    Invent,
    /// Fields that are not named may be anything.
    AdmitOthers,
}

const EDITS: [Edit; 8] = [
    Edit::Forget,
    Edit::WrongValue,
    Edit::AnyValue,
    Edit::ForgetField,
    Edit::NameUnchanged,
    Edit::NameUnknown,
    Edit::Invent,
    Edit::AdmitOthers,
];

pub(super) fn edits() -> impl Strategy<Value = Vec<(Edit, usize)>> {
    prop::collection::vec((prop::sample::select(&EDITS[..]), 0..100_usize), 0..3)
}

/// As a verifier's author names a row: the table that declares no key has an `id`, and nobody sees its rowids.
fn key(table: &str, row_id: &Value, data: &Map<String, Value>) -> Value {
    let id = data.get("id").filter(|_| table == "logs");
    id.unwrap_or(row_id).clone()
}

/// Specs with a type and fields, describing the difference.
pub(super) fn typed(diff: &Diff) -> Vec<Value> {
    let mut specs = Vec::new();
    for (table, changes) in diff.tables() {
        let fields = |row: &WholeRow| pairs(row.data.iter().filter(|(field, _)| *field != "rowid"));
        for row in &changes.added_rows {
            specs.push(
                json!({"table": table, "pk": key(table, &row.row_id, &row.data), "type": "insert", "fields": fields(row)}),
            );
        }
        for row in &changes.removed_rows {
            specs.push(
                json!({"table": table, "pk": key(table, &row.row_id, &row.data), "type": "delete", "fields": fields(row)}),
            );
        }
        for row in &changes.modified_rows {
            let fields = pairs(
                row.changes
                    .iter()
                    .map(|(field, change)| (field, &change.after)),
            );
            specs.push(json!({"table": table, "pk": key(table, &row.row_id, &row.data), "type": "modify", "resulting_fields": fields, "no_other_changes": true}));
        }
    }
    specs
}

/// The same in the older form: a field each.
pub(super) fn older(diff: &Diff) -> Vec<Value> {
    let whole = |table: &str, row: &WholeRow, word| json!({"table": table, "pk": key(table, &row.row_id, &row.data), "field": null, "after": word});
    let fields = |table: &str, row: &ModifiedRow| -> Vec<Value> {
        let spec = |(field, change): (&String, &fleet_api::manager::FieldChange)| json!({"table": table, "pk": key(table, &row.row_id, &row.data), "field": field, "after": change.after});
        row.changes.iter().map(spec).collect()
    };
    let mut specs = Vec::new();
    for (table, changes) in diff.tables() {
        specs.extend(
            changes
                .added_rows
                .iter()
                .map(|row| whole(table, row, "__added__")),
        );
        specs.extend(
            changes
                .removed_rows
                .iter()
                .map(|row| whole(table, row, "__removed__")),
        );
        specs.extend(
            changes
                .modified_rows
                .iter()
                .flat_map(|row| fields(table, row)),
        );
    }
    specs
}

fn pairs<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> Vec<Value> {
    fields.map(|(field, value)| json!([field, value])).collect()
}

/// Edits the specs; `number` picks which and where.
pub(super) fn edit(specs: &mut Vec<Value>, (edit, number): (Edit, usize)) {
    if matches!(edit, Edit::Invent) {
        specs.push(invented(specs.first(), number));
        return;
    }
    if specs.is_empty() {
        return;
    }
    let place = number % specs.len();
    if matches!(edit, Edit::Forget) {
        specs.remove(place);
        return;
    }
    let spec = &mut specs[place];
    if spec.get("type").is_none() {
        if spec["field"].is_string() {
            spec["after"] = json!("something else");
        }
        return;
    }
    if matches!(edit, Edit::AdmitOthers) {
        if spec["type"] == "modify" {
            spec["no_other_changes"] = json!(false);
        }
        return;
    }
    let name = if spec["type"] == "modify" {
        "resulting_fields"
    } else {
        "fields"
    };
    let Some(fields) = spec[name].as_array_mut() else {
        return;
    };
    let at = number % fields.len().max(1);
    match edit {
        Edit::WrongValue => fields[at][1] = json!("something else"),
        Edit::AnyValue => fields[at][1] = json!({"any": true}),
        Edit::ForgetField if fields.len() > 1 => drop(fields.remove(at)),
        Edit::NameUnchanged if name == "resulting_fields" => {
            let is_named = |field: &str| fields.iter().any(|pair| pair[0] == field);
            let unchanged = ["name", "holder", "body", "qty"];
            if let Some(field) = unchanged.iter().find(|field| !is_named(field)) {
                fields.push(json!([field, "what it does not hold"]));
            }
        }
        Edit::NameUnknown => fields.push(json!(["colour", "red"])),
        _ => {}
    }
}

fn invented(like: Option<&Value>, number: usize) -> Value {
    let is_older = like.is_some_and(|spec| spec.get("type").is_none());
    let (table, key) = [
        ("items", json!(77)),
        ("items", json!(1)),
        ("seats", json!(["F9", 9])),
        ("codes", json!("b")),
    ][number % 4]
        .clone();
    if is_older {
        return json!({"table": table, "pk": key, "field": null, "after": "__removed__"});
    }
    json!({"table": table, "pk": key, "type": "delete"})
}
