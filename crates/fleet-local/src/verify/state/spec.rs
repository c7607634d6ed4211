//! The form of a `state` verifier's definition.
//!
//! Read strictly: a key that nobody knows is a condition that nobody checks, and would let a wrong state pass.

use std::collections::{BTreeMap, BTreeSet};

use fleet_api::types::manager::IgnoreConfig;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::AnswerCondition;
use super::matcher::Matcher;

/// A definition is not of the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the state verifier's definition is wrong at {at}: {what}")]
pub struct SpecError {
    /// Where, as a path into the definition.
    pub at: String,
    /// What is wrong there.
    pub what: String,
}

/// What a `state` verifier expects.
///
/// ```json
/// {"kind": "state",
///  "expect": [{"table": "tickets", "change": "update", "key": {"id": 7}, "fields": {"status": "closed"}, "weight": 1},
///             {"table": "comments", "change": "insert", "where": {"ticket_id": 7}, "fields": {"body": {"contains": "refund"}}, "count": 1}],
///  "ignore": {"tables": ["activity"], "fields": ["updated_at"], "table_fields": {"tickets": ["last_viewed_at"]}},
///  "answer": [{"contains": "Ada", "weight": 1}],
///  "partial": false}
/// ```
///
/// `key` and `where` select rows and mean the same: conditions on the inserted row, on the deleted row, and for an update on the row as it
/// was. `fields` are conditions on the row as it is (for a delete, as it was); for an update they are also the only fields that may change.
#[derive(Debug)]
pub struct StateSpec {
    pub(super) expect: Vec<Expectation>,
    pub(super) ignore: IgnoreConfig,
    pub(super) answer: Vec<AnswerCondition>,
    pub(super) partial: bool,
}

#[derive(Debug)]
pub(super) struct Expectation {
    pub(super) table: String,
    pub(super) change: Change,
    pub(super) select: BTreeMap<String, Matcher>,
    pub(super) fields: BTreeMap<String, Matcher>,
    pub(super) count: usize,
    pub(super) weight: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    Insert,
    Update,
    Delete,
}

impl Change {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSpec {
    kind: String,
    expect: Vec<Value>,
    #[serde(default)]
    ignore: Option<RawIgnore>,
    #[serde(default)]
    answer: Vec<Value>,
    #[serde(default)]
    partial: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawIgnore {
    tables: BTreeSet<String>,
    fields: BTreeSet<String>,
    table_fields: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpectation {
    table: String,
    change: Change,
    #[serde(default)]
    key: Map<String, Value>,
    #[serde(default, rename = "where")]
    conditions: Map<String, Value>,
    #[serde(default)]
    fields: Map<String, Value>,
    #[serde(default)]
    count: Option<usize>,
    #[serde(default)]
    weight: Option<Value>,
}

impl StateSpec {
    /// Reads a definition.
    ///
    /// # Errors
    /// Unknown keys, wrong types, expressions that do not compile, expectations that contradict themselves.
    pub fn parse(definition: &Value) -> Result<Self, SpecError> {
        let wrong = |at: &str, what: String| SpecError {
            at: at.to_owned(),
            what,
        };
        let raw: RawSpec = serde_json::from_value(definition.clone())
            .map_err(|error| wrong("the top", error.to_string()))?;
        if raw.kind != "state" {
            return Err(wrong(
                "kind",
                format!("expected \"state\", found {:?}", raw.kind),
            ));
        }
        let ignore = raw.ignore.unwrap_or_default();
        let ignore = IgnoreConfig {
            tables: ignore.tables,
            fields: ignore.fields,
            table_fields: ignore.table_fields,
        };
        let mut expect = Vec::new();
        for (index, value) in raw.expect.into_iter().enumerate() {
            let expectation = Expectation::parse(value, &ignore)
                .map_err(|what| wrong(&format!("expect[{index}]"), what))?;
            expect.push(expectation);
        }
        let mut answer = Vec::new();
        for (index, value) in raw.answer.iter().enumerate() {
            answer.push(
                AnswerCondition::parse(value)
                    .map_err(|what| wrong(&format!("answer[{index}]"), what))?,
            );
        }
        Ok(Self {
            expect,
            ignore,
            answer,
            partial: raw.partial,
        })
    }
}

impl Expectation {
    fn parse(value: Value, ignore: &IgnoreConfig) -> Result<Self, String> {
        let raw: RawExpectation =
            serde_json::from_value(value).map_err(|error| error.to_string())?;
        if ignore.tables.contains(&raw.table) {
            return Err(format!(
                "table {:?} is ignored, so no change in it can be seen",
                raw.table
            ));
        }
        let mut select = conditions(&raw.key, "key")?;
        for (field, matcher) in conditions(&raw.conditions, "where")? {
            if select.insert(field.clone(), matcher).is_some() {
                return Err(format!(
                    "field {field:?} stands in \"key\" and in \"where\""
                ));
            }
        }
        let fields = conditions(&raw.fields, "fields")?;
        if raw.change == Change::Update && fields.is_empty() {
            return Err("an update names in \"fields\" what may change".to_owned());
        }
        let count = raw.count.unwrap_or(1);
        if count == 0 {
            return Err(
                "\"count\" is at least 1; what is not expected need not be named".to_owned(),
            );
        }
        let weight = raw.weight.as_ref().map_or(Ok(1.0), weight)?;
        Ok(Self {
            table: raw.table,
            change: raw.change,
            select,
            fields,
            count,
            weight,
        })
    }
}

fn conditions(
    fields: &Map<String, Value>,
    place: &str,
) -> Result<BTreeMap<String, Matcher>, String> {
    let parse = |(field, value): (&String, &Value)| match Matcher::parse(value) {
        Ok(matcher) => Ok((field.clone(), matcher)),
        Err(what) => Err(format!("{place}.{field}: {what}")),
    };
    fields.iter().map(parse).collect()
}

pub(super) fn weight(value: &Value) -> Result<f64, String> {
    value
        .as_f64()
        .filter(|weight| weight.is_finite() && *weight > 0.0)
        .ok_or_else(|| "\"weight\" takes a number above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_form_is_read() {
        let spec = StateSpec::parse(&json!({"kind": "state",
            "expect": [
                {"table": "tickets", "change": "update", "key": {"id": 7}, "fields": {"status": "closed"}, "weight": 1},
                {"table": "comments", "change": "insert", "where": {"ticket_id": 7}, "fields": {"body": {"contains": "refund"}}, "count": 1, "weight": 1},
                {"table": "ticket_tags", "change": "delete", "where": {"ticket_id": 7, "tag_id": 3}}],
            "ignore": {"tables": ["activity"], "fields": ["updated_at"], "table_fields": {"tickets": ["last_viewed_at"]}},
            "answer": [{"equals": "42", "weight": 1}, {"number": 12.5, "tolerance": 0.01}],
            "partial": false}))
        .unwrap();
        assert_eq!(
            (spec.expect.len(), spec.answer.len(), spec.partial),
            (3, 2, false)
        );
    }

    #[test]
    fn every_malformed_definition_names_its_place() {
        let expectation = |extra: Value| {
            let mut base =
                json!({"table": "t", "change": "update", "key": {"id": 1}, "fields": {"a": 1}});
            base.as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            json!({"kind": "state", "expect": [base]})
        };
        let table = [
            (json!({"kind": "state"}), "the top"),
            (json!({"kind": "states", "expect": []}), "kind"),
            (
                json!({"kind": "state", "expect": [], "ignored": {}}),
                "the top",
            ),
            (
                json!({"kind": "state", "expect": [], "ignore": {"table": []}}),
                "the top",
            ),
            (
                json!({"kind": "state", "expect": [], "partial": "yes"}),
                "the top",
            ),
            (
                json!({"kind": "state", "expect": [{"table": "t", "change": "upsert"}]}),
                "expect[0]",
            ),
            (
                json!({"kind": "state", "expect": [{"table": "t", "change": "update", "key": {"id": 1}}]}),
                "expect[0]",
            ),
            (
                json!({"kind": "state", "expect": [{"table": "t", "change": "delete"}], "ignore": {"tables": ["t"]}}),
                "expect[0]",
            ),
            (
                json!({"kind": "state", "expect": [], "answer": [{"equals": 1}, {"nope": 1}]}),
                "answer[1]",
            ),
            (expectation(json!({"field": {}})), "expect[0]"),
            (expectation(json!({"count": 0})), "expect[0]"),
            (expectation(json!({"count": -1})), "expect[0]"),
            (expectation(json!({"weight": -1})), "expect[0]"),
            (expectation(json!({"where": {"id": 2}})), "expect[0]"),
            (
                expectation(json!({"fields": {"a": {"matches": 1}}})),
                "expect[0]",
            ),
        ];
        for (definition, at) in table {
            let error = StateSpec::parse(&definition).expect_err(&definition.to_string());
            assert_eq!(error.at, at, "{definition}: {error}");
        }
    }
}
