//! Changes in the forms in which Python verifiers write them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::change::{Change, ChangeKind, Expected, Key};

/// Words of the older form, in place of a value.
const ADDED: &str = "__added__";
const REMOVED: &str = "__removed__";

/// Every key that some form has. Another one would be a condition that nobody checks.
const KEYS: [&str; 9] = [
    "table",
    "pk",
    "type",
    "fields",
    "resulting_fields",
    "no_other_changes",
    "field",
    "before",
    "after",
];

/// A change that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", index.map(|index| format!("change {index}: ")).unwrap_or_default())]
#[non_exhaustive]
pub struct ChangeError {
    /// Its place in the list, from 0.
    pub index: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

fn wrong(reason: impl Into<String>) -> ChangeError {
    ChangeError {
        index: None,
        reason: reason.into(),
    }
}

pub(super) fn list(list: &Json) -> Result<Vec<Change>, ChangeError> {
    let changes = list
        .as_array()
        .ok_or_else(|| wrong("a list of changes is needed"))?;
    changes
        .iter()
        .enumerate()
        .map(|(index, item)| {
            change(item).map_err(|error| ChangeError {
                index: Some(index),
                ..error
            })
        })
        .collect()
}

pub(super) fn change(json: &Json) -> Result<Change, ChangeError> {
    let spec = json.as_object().ok_or_else(|| wrong("it is no object"))?;
    if let Some(key) = spec.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(wrong(format!(
            "nobody knows {key:?}; known are {}",
            KEYS.join(", ")
        )));
    }
    let table = spec
        .get("table")
        .and_then(Json::as_str)
        .ok_or_else(|| wrong("`table` must name a table"))?;
    let key = spec
        .get("pk")
        .ok_or_else(|| wrong("`pk` must hold the row's key"))?;
    let new = |kind| Change::new(table.to_owned(), Key::from(key.clone()), kind);
    match spec.get("type") {
        Some(Json::String(word)) => match word.as_str() {
            "insert" => match fields(spec, "fields")? {
                // Read as no condition at all it would let any row pass.
                Some(fields) if fields.is_empty() => Err(wrong(
                    "`fields` names no field; leave it out if the row may be anything",
                )),
                _ => whole(new(ChangeKind::Insert), spec),
            },
            "delete" => Ok(Change {
                // Of a deleted row the named fields count and no others.
                others: true,
                ..whole(new(ChangeKind::Delete), spec)?
            }),
            "modify" => modification(new(ChangeKind::Modify), spec),
            other => Err(wrong(format!(
                "`type` {other:?} is none of insert, modify and delete"
            ))),
        },
        Some(_) => Err(wrong("`type` must be insert, modify or delete")),
        None => older(new, spec),
    }
}

fn whole(change: Change, spec: &Map<String, Json>) -> Result<Change, ChangeError> {
    if spec.contains_key("resulting_fields") {
        return Err(wrong(
            "`resulting_fields` is for modifications; a whole row names its `fields`",
        ));
    }
    let fields = fields(spec, "fields")?.unwrap_or_default();
    Ok(Change { fields, ..change })
}

fn modification(change: Change, spec: &Map<String, Json>) -> Result<Change, ChangeError> {
    if spec.contains_key("fields") {
        return Err(wrong(
            "a modification names its fields in `resulting_fields`, not `fields`",
        ));
    }
    let Some(fields) = fields(spec, "resulting_fields")? else {
        return Ok(change);
    };
    let strict = spec
        .get("no_other_changes")
        .and_then(Json::as_bool)
        .ok_or_else(|| wrong("`resulting_fields` needs `no_other_changes`: true or false"))?;
    let others = !strict;
    if fields.is_empty() && strict {
        return Err(wrong("a modification without a field is none"));
    }
    Ok(Change {
        fields,
        others,
        ..change
    })
}

fn older(
    new: impl Fn(ChangeKind) -> Change,
    spec: &Map<String, Json>,
) -> Result<Change, ChangeError> {
    if ["fields", "resulting_fields"]
        .iter()
        .any(|name| spec.get(*name).is_some_and(|fields| !fields.is_null()))
    {
        return Err(wrong("a change with fields needs a `type`"));
    }
    let after = spec
        .get("after")
        .ok_or_else(|| wrong("either `type` or `after` is needed"))?;
    match (spec.get("field"), after.as_str()) {
        (Some(Json::String(field)), _) => Ok(new(ChangeKind::Modify).field(field, expected(after))),
        (None | Some(Json::Null), Some(ADDED)) => Ok(new(ChangeKind::Insert)),
        (None | Some(Json::Null), Some(REMOVED)) => Ok(new(ChangeKind::Delete)),
        _ => Err(wrong(format!(
            "`field` must name a field, or `after` be {ADDED:?} or {REMOVED:?}"
        ))),
    }
}

fn fields(
    spec: &Map<String, Json>,
    name: &str,
) -> Result<Option<BTreeMap<String, Expected>>, ChangeError> {
    let list = match spec.get(name) {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Array(list)) => list,
        Some(_) => return Err(wrong(format!("`{name}` must be a list of pairs"))),
    };
    let pair = |item: &Json| match item.as_array().map(Vec::as_slice) {
        Some([Json::String(field), value]) => Ok((field.clone(), expected(value))),
        _ => Err(wrong(format!(
            "{item} in `{name}` is no pair of a field's name and its value"
        ))),
    };
    list.iter().map(pair).collect::<Result<_, _>>().map(Some)
}

fn expected(value: &Json) -> Expected {
    match value.get("any") {
        Some(Json::Bool(true)) => Expected::Any,
        _ => Expected::Value(value.clone()),
    }
}
