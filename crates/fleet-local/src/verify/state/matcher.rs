//! Conditions on one value.

use regex::Regex;
use serde_json::Value;

use crate::manager::Cell;
use crate::verify::text;

/// A condition on a field's value.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    /// Equal by value; numbers numerically, `true` and `false` as `SQLite`'s 1 and 0.
    Equals(Value),
    /// Contained once case, punctuation and white space are left aside.
    Contains(String),
    /// A match anywhere in the text.
    Regex(Box<Regex>),
    /// Equal to one of several values.
    OneOf(Vec<Value>),
    /// SQL NULL.
    Null,
    /// Whatever it is.
    Any,
}

impl Matcher {
    /// Reads a scalar, or an object with exactly one of the known keys.
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let object = match value {
            Value::Array(_) => {
                return Err("a list is not a condition; use {\"one_of\": […]}".to_owned());
            }
            Value::Object(object) => object,
            scalar => return Ok(Self::Equals(scalar.clone())),
        };
        let mut entries = object.iter();
        let (Some((key, operand)), None) = (entries.next(), entries.next()) else {
            return Err("a condition has exactly one key".to_owned());
        };
        match (key.as_str(), operand) {
            ("contains", Value::String(text)) => Ok(Self::Contains(text.clone())),
            ("regex", Value::String(pattern)) => {
                regex(pattern).map(|regex| Self::Regex(Box::new(regex)))
            }
            ("one_of", Value::Array(values))
                if !values.is_empty() && values.iter().all(is_scalar) =>
            {
                Ok(Self::OneOf(values.clone()))
            }
            ("any", Value::Bool(true)) => Ok(Self::Any),
            ("null", Value::Bool(true)) => Ok(Self::Null),
            ("contains" | "regex", _) => Err(format!("{key:?} takes text")),
            ("one_of", _) => {
                Err("\"one_of\" takes a list of scalars with at least one in it".to_owned())
            }
            ("any" | "null", _) => Err(format!("{key:?} takes true")),
            _ => Err(format!(
                "unknown condition {key:?}; known are contains, regex, one_of, any, null"
            )),
        }
    }

    pub(super) fn matches(&self, cell: &Cell) -> bool {
        match self {
            Self::Any => true,
            Self::Null => cell.is_null(),
            Self::Equals(value) => equals(value, cell),
            Self::OneOf(values) => values.iter().any(|value| equals(value, cell)),
            // NULL is no text: it contains nothing, not even the empty text.
            Self::Contains(_) | Self::Regex(_) if cell.is_null() => false,
            Self::Contains(target) => {
                text::normalized_contains(target, &text::of_value(&cell.to_json()))
            }
            Self::Regex(regex) => regex.is_match(&text::of_value(&cell.to_json())),
        }
    }

    /// Reads well after the field's name.
    pub(super) fn brief(&self) -> String {
        match self {
            Self::Equals(value) => format!("= {value}"),
            Self::Contains(text) => format!("contains {}", Value::from(text.as_str())),
            Self::Regex(regex) => format!("matches /{regex}/"),
            Self::OneOf(values) => format!("is one of {}", Value::from(values.clone())),
            Self::Null => "is null".to_owned(),
            Self::Any => "is anything".to_owned(),
        }
    }
}

/// Reads well after "should".
impl std::fmt::Display for Matcher {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equals(value) => write!(out, "be {value}"),
            Self::Contains(text) => write!(out, "contain {}", Value::from(text.as_str())),
            Self::Regex(regex) => write!(out, "match /{regex}/"),
            Self::OneOf(values) => write!(out, "be one of {}", Value::from(values.clone())),
            Self::Null => write!(out, "be null"),
            Self::Any => write!(out, "be anything"),
        }
    }
}

/// Compiles a pattern with a bound on its size, as definitions come from outside.
pub(super) fn regex(pattern: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(pattern)
        .build()
        .map_err(|error| format!("not a regular expression: {error}"))
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn equals(value: &Value, cell: &Cell) -> bool {
    let wanted = match value {
        Value::Null => Cell::Null,
        Value::Bool(flag) => Cell::Integer(i64::from(*flag)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cell::Integer(integer),
            (None, Some(real)) => Cell::Real(real),
            (None, None) => return false,
        },
        Value::String(text) => Cell::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => return false,
    };
    wanted == *cell
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(condition: &Value, cell: &Cell) -> bool {
        Matcher::parse(condition).unwrap().matches(cell)
    }

    #[test]
    fn every_condition_says_yes_and_no() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let table = [
            (json!("closed"), text("closed"), text("Closed")),
            (json!(7), Cell::Integer(7), text("7")),
            (json!(7), Cell::Real(7.0), Cell::Real(7.5)),
            (json!(2.5), Cell::Real(2.5), Cell::Null),
            (json!(true), Cell::Integer(1), Cell::Integer(0)),
            (json!(null), Cell::Null, text("")),
            (
                json!({"contains": "Re-fund"}),
                text("your REFUND is on its way"),
                text("return"),
            ),
            (json!({"contains": ""}), text("anything"), Cell::Null),
            (
                json!({"contains": "12"}),
                Cell::Integer(4123),
                Cell::Integer(13),
            ),
            (json!({"regex": "^A.*z$"}), text("A to z"), text("a to z")),
            (json!({"one_of": ["a", 1, null]}), Cell::Null, text("b")),
            (
                json!({"one_of": ["a", 1, null]}),
                Cell::Integer(1),
                Cell::Integer(2),
            ),
            (json!({"null": true}), Cell::Null, Cell::Integer(0)),
        ];
        for (condition, yes, no) in table {
            assert!(
                matches(&condition, &yes),
                "{condition} should match {yes:?}"
            );
            assert!(
                !matches(&condition, &no),
                "{condition} should not match {no:?}"
            );
        }
        assert!(matches(&json!({"any": true}), &Cell::Null));
    }

    #[test]
    fn malformed_conditions_are_refused() {
        for condition in [
            json!([1]),
            json!({}),
            json!({"contains": 1}),
            json!({"regex": "("}),
            json!({"one_of": []}),
            json!({"one_of": [[1]]}),
            json!({"any": false}),
            json!({"null": "yes"}),
            json!({"contain": "x"}),
            json!({"contains": "x", "regex": "y"}),
        ] {
            assert!(Matcher::parse(&condition).is_err(), "{condition}");
        }
    }
}
