//! A small reader of `state` verifiers, enough to tell whether the examples and the agent fit
//! together. The one that counts is the server's.

use std::collections::BTreeMap;

use rusqlite::{Connection, types::ValueRef};
use serde_json::{Map, Value, json};

type Row = Map<String, Value>;

fn tables(db: &Connection) -> Vec<String> {
    let mut statement = db
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn rows(db: &Connection, table: &str) -> BTreeMap<String, Row> {
    let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = BTreeMap::new();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let mut object = Row::new();
        for (index, name) in names.iter().enumerate() {
            let value = match row.get_ref(index).unwrap() {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap().into(),
                ValueRef::Blob(_) => panic!("no blobs here"),
            };
            object.insert(name.clone(), value);
        }
        let key = object
            .get("id")
            .cloned()
            .unwrap_or_else(|| json!([object["ticket_id"], object["tag_id"]]));
        rows.insert(key.to_string(), object);
    }
    rows
}

/// What is different between two databases: `(table, kind, row, changed fields)`.
pub(crate) fn changes(
    seed: &Connection,
    current: &Connection,
) -> Vec<(String, &'static str, Row, Row)> {
    let mut changes = Vec::new();
    for table in tables(seed) {
        let (before, after) = (rows(seed, &table), rows(current, &table));
        for (key, row) in &after {
            match before.get(key) {
                None => changes.push((table.clone(), "insert", row.clone(), row.clone())),
                Some(old) if old != row => {
                    let fields = row
                        .iter()
                        .filter(|(name, value)| old[*name] != **value)
                        .map(|(n, v)| (n.clone(), v.clone()));
                    changes.push((table.clone(), "update", row.clone(), fields.collect()));
                }
                Some(_) => {}
            }
        }
        for (key, row) in &before {
            if !after.contains_key(key) {
                changes.push((table.clone(), "delete", row.clone(), Row::new()));
            }
        }
    }
    changes
}

fn normalized(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase()
}

fn fits(matcher: &Value, value: &Value) -> bool {
    match matcher.get("contains") {
        Some(part) => {
            normalized(value.as_str().unwrap()).contains(&normalized(part.as_str().unwrap()))
        }
        None => matcher == value,
    }
}

fn all_fit(matchers: Option<&Value>, row: &Row) -> bool {
    matchers.and_then(Value::as_object).is_none_or(|matchers| {
        matchers
            .iter()
            .all(|(name, matcher)| row.get(name).is_some_and(|value| fits(matcher, value)))
    })
}

/// The score of a `state` verifier.
pub(crate) fn score(
    verifier: &Value,
    seed: &Connection,
    current: &Connection,
    answer: &str,
) -> f64 {
    let ignored_tables = verifier["ignore"]["tables"].as_array().unwrap();
    let ignored_fields = verifier["ignore"]["fields"].as_array().unwrap();
    let mut open: Vec<_> = changes(seed, current)
        .into_iter()
        .filter(|(table, ..)| !ignored_tables.contains(&json!(table)))
        .map(|(table, kind, row, mut fields)| {
            fields.retain(|name, _| kind == "insert" || !ignored_fields.contains(&json!(name)));
            (table, kind, row, fields)
        })
        .filter(|(_, kind, _, fields)| *kind != "update" || !fields.is_empty())
        .collect();
    let (mut matched, mut total) = (0.0, 0.0);
    for expected in verifier["expect"].as_array().unwrap() {
        total += 1.0;
        let found = open.iter().position(|(table, kind, row, fields)| {
            expected["table"] == table.as_str()
                && expected["change"] == *kind
                && all_fit(expected.get("key").or(expected.get("where")), row)
                && all_fit(expected.get("fields"), row)
                && (*kind != "update"
                    || fields
                        .keys()
                        .all(|name| expected["fields"].as_object().unwrap().contains_key(name)))
        });
        if let Some(index) = found {
            open.remove(index);
            matched += 1.0;
        }
    }
    for condition in verifier
        .get("answer")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        total += 1.0;
        let right = if let Some(part) = condition["contains"].as_str() {
            normalized(answer).contains(&normalized(part))
        } else {
            let wanted = condition["number"].as_f64().unwrap();
            let numbers = answer.split(|c: char| !c.is_ascii_digit() && c != '.');
            numbers
                .filter_map(|text| text.parse::<f64>().ok())
                .any(|number| (number - wanted).abs() < 0.005)
        };
        if right {
            matched += 1.0;
        }
    }
    if !open.is_empty() {
        return 0.0;
    }
    let share = if total == 0.0 { 1.0 } else { matched / total };
    if verifier["partial"] == true || share >= 1.0 {
        share
    } else {
        0.0
    }
}
