//! Conditions on the agent's final answer.

use jsonschema::Validator;
use regex::Regex;
use serde_json::Value;

use super::matcher::regex;
use crate::verify::text;

/// How far a number may be off when the definition does not say: the noise of decimal fractions.
const DEFAULT_TOLERANCE: f64 = 1e-9;

/// One condition and its weight.
#[derive(Debug)]
pub(super) struct AnswerCondition {
    pub(super) check: Check,
    pub(super) weight: f64,
}

#[derive(Debug)]
pub(super) enum Check {
    /// Text: equal but for space around it. A number: the answer is that number. Anything else: the answer is that JSON.
    Equals(Value),
    /// Contained once case, punctuation and white space are left aside.
    Contains(String),
    /// Some number in the answer is this one.
    Number { wanted: f64, tolerance: f64 },
    /// A match anywhere in the answer.
    Regex(Box<Regex>),
    /// The answer is JSON of this schema.
    Schema(Box<Validator>),
}

impl AnswerCondition {
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        let object = value
            .as_object()
            .ok_or("an answer condition is an object")?;
        let weight = match object.get("weight") {
            None => 1.0,
            Some(weight) => super::spec::weight(weight)?,
        };
        let mut others = object
            .iter()
            .filter(|(key, _)| !["weight", "tolerance"].contains(&key.as_str()));
        let (Some((key, operand)), None) = (others.next(), others.next()) else {
            return Err("an answer condition has exactly one of equals, contains, number, regex, json_schema".to_owned());
        };
        let tolerance = object.get("tolerance");
        if tolerance.is_some() && key != "number" {
            return Err("\"tolerance\" belongs to \"number\"".to_owned());
        }
        let check = match (key.as_str(), operand) {
            ("equals", operand) => Check::Equals(operand.clone()),
            ("contains", Value::String(text)) => Check::Contains(text.clone()),
            ("number", Value::Number(number)) => {
                let wanted = number.as_f64().ok_or("\"number\" is out of range")?;
                let tolerance = match tolerance {
                    None => DEFAULT_TOLERANCE,
                    Some(tolerance) => tolerance
                        .as_f64()
                        .filter(|t| *t >= 0.0)
                        .ok_or("\"tolerance\" takes a number not below 0")?,
                };
                Check::Number { wanted, tolerance }
            }
            ("regex", Value::String(pattern)) => Check::Regex(Box::new(regex(pattern)?)),
            ("json_schema", schema) => {
                let validator = jsonschema::validator_for(schema)
                    .map_err(|error| format!("not a JSON schema: {error}"))?;
                Check::Schema(Box::new(validator))
            }
            ("contains" | "regex", _) => return Err(format!("{key:?} takes text")),
            ("number", _) => return Err("\"number\" takes a number".to_owned()),
            _ => {
                return Err(format!(
                    "unknown answer condition {key:?}; known are equals, contains, number, regex, json_schema"
                ));
            }
        };
        Ok(Self { check, weight })
    }

    /// A missing answer meets no condition.
    pub(super) fn holds(&self, answer: Option<&Value>) -> bool {
        let Some(answer) = answer else { return false };
        let said = text::of_value(answer);
        match &self.check {
            Check::Equals(Value::String(wanted)) => said.trim() == wanted.trim(),
            Check::Equals(Value::Number(wanted)) => wanted
                .as_f64()
                .is_some_and(|wanted| only_number(&said) == Some(wanted)),
            Check::Equals(wanted) => as_json(answer).as_ref() == Some(wanted),
            Check::Contains(wanted) => text::normalized_contains(wanted, &said),
            Check::Number { wanted, tolerance } => text::numbers(&said)
                .iter()
                .any(|number| (number - wanted).abs() <= *tolerance),
            Check::Regex(regex) => regex.is_match(&said),
            Check::Schema(schema) => as_json(answer).is_some_and(|json| schema.is_valid(&json)),
        }
    }
}

/// Reads well after "the final answer should".
impl std::fmt::Display for Check {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equals(value) => write!(out, "be {value}"),
            Self::Contains(text) => write!(out, "contain {}", Value::from(text.as_str())),
            Self::Number { wanted, .. } => write!(out, "give the number {wanted}"),
            Self::Regex(regex) => write!(out, "match /{regex}/"),
            Self::Schema(_) => write!(out, "be JSON of the asked form"),
        }
    }
}

fn only_number(text: &str) -> Option<f64> {
    text.trim().replace(',', "").parse().ok()
}

fn as_json(answer: &Value) -> Option<Value> {
    match answer {
        Value::String(text) => serde_json::from_str(text.trim()).ok(),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_condition_says_yes_and_no() {
        let table = [
            (
                json!({"equals": "42"}),
                json!(" 42\n"),
                json!("the answer is 42"),
            ),
            (json!({"equals": 42}), json!("42.0"), json!("43")),
            (json!({"equals": 1200}), json!("1,200"), json!("x")),
            (json!({"equals": [1, 2]}), json!("[1, 2]"), json!("[2, 1]")),
            (
                json!({"contains": "ada lovelace"}),
                json!("It was Ada-Lovelace."),
                json!("It was Ada."),
            ),
            (
                json!({"number": 12.5, "tolerance": 0.01}),
                json!("about 12.505 hours"),
                json!("12.52"),
            ),
            (
                json!({"number": 3}),
                json!("there are 3."),
                json!("there are 13"),
            ),
            (
                json!({"regex": "(?i)^yes"}),
                json!("Yes, it is"),
                json!("no, yes"),
            ),
            (
                json!({"json_schema": {"type": "array", "minItems": 2}}),
                json!("[1,2]"),
                json!("[1]"),
            ),
            (
                json!({"json_schema": {"type": "object"}}),
                json!({"a": 1}),
                json!("not json"),
            ),
        ];
        for (condition, yes, no) in table {
            let parsed = AnswerCondition::parse(&condition).unwrap();
            assert!(
                parsed.holds(Some(&yes)),
                "{condition} should hold for {yes}"
            );
            assert!(
                !parsed.holds(Some(&no)),
                "{condition} should not hold for {no}"
            );
            assert!(
                !parsed.holds(None),
                "{condition} should not hold without an answer"
            );
        }
    }

    #[test]
    fn malformed_conditions_are_refused() {
        for condition in [
            json!("42"),
            json!({}),
            json!({"weight": 1}),
            json!({"contains": 4}),
            json!({"number": "4"}),
            json!({"number": 4, "tolerance": -1}),
            json!({"equals": 4, "tolerance": 1}),
            json!({"equals": 4, "contains": "4"}),
            json!({"regex": "["}),
            json!({"json_schema": {"type": "nonsense"}}),
            json!({"equal": 4}),
            json!({"equals": 4, "weight": 0}),
        ] {
            assert!(AnswerCondition::parse(&condition).is_err(), "{condition}");
        }
    }
}
