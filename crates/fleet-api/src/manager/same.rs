//! When two values of a database count as the same.

use serde_json::Value as Json;

use super::database::Value;

/// Whether two values of a row are the same: numbers by value, and two texts that hold JSON by what
/// they hold, as writing it anew with other spaces changes nothing.
pub(super) fn same_value(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::String(left), Json::String(right)) => same_text(left, right),
        // SQLite has no truth values: they are stored as 1 and 0.
        (Json::Bool(yes), number @ Json::Number(_))
        | (number @ Json::Number(_), Json::Bool(yes)) => {
            same_json(&Json::from(u8::from(*yes)), number)
        }
        _ => same_json(left, right),
    }
}

/// As [`same_value`], for two texts.
pub(super) fn same_text(left: &str, right: &str) -> bool {
    if left == right {
        return true;
    }
    if !(looks_like_json(left) && looks_like_json(right)) {
        return false;
    }
    let parse = |text: &str| serde_json::from_str::<Json>(text);
    matches!((parse(left), parse(right)), (Ok(left), Ok(right)) if same_json(&left, &right))
}

/// Whether two key values are the same; a number and its text are, as specs are often written so.
pub(super) fn same_key(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(number), Json::String(text)) | (Json::String(text), Json::Number(number)) => {
            number.to_string() == *text
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same_key(l, r))
        }
        _ => same_json(left, right),
    }
}

fn same_json(left: &Json, right: &Json) -> bool {
    match (left, right) {
        // By way of the values, which are compared exactly: a double does not have all the digits
        // of a large integer.
        (Json::Number(_), Json::Number(_)) => {
            Value::from_json(left.clone()) == Value::from_json(right.clone())
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same_json(l, r))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| {
                    right.get(name).is_some_and(|other| same_json(value, other))
                })
        }
        _ => left == right,
    }
}

fn looks_like_json(text: &str) -> bool {
    let text = text.trim();
    (text.starts_with('{') && text.ends_with('}')) || (text.starts_with('[') && text.ends_with(']'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        for (left, right) in [
            (json!(1), json!(1.0)),
            (json!(true), json!(1)),
            (json!("{\"a\": [1, 2]}"), json!("{\"a\":[1,2.0]}")),
            (json!(null), json!(null)),
        ] {
            assert!(same_value(&left, &right), "{left} {right}");
        }
        for (left, right) in [
            (json!(1), json!("1")),
            (json!(null), json!("")),
            (json!("{\"a\": 1}"), json!("{\"a\": 2}")),
            (json!("{broken}"), json!("{ broken}")),
            (json!("[true]"), json!("[1]")),
            (
                json!(9_007_199_254_740_993_i64),
                json!(9_007_199_254_740_992.0),
            ),
            (
                json!(9_007_199_254_740_993_i64),
                json!(9_007_199_254_740_992_i64),
            ),
        ] {
            assert!(!same_value(&left, &right), "{left} {right}");
        }
    }

    #[test]
    fn a_key_may_be_written_as_text() {
        assert!(same_key(&json!(2), &json!("2")));
        assert!(same_key(&json!([1, "a"]), &json!(["1", "a"])));
        assert!(!same_key(&json!(2), &json!("02")));
        assert!(!same_key(&json!([1]), &json!(1)));
        assert!(!same_key(&json!(null), &json!("null")));
    }
}
