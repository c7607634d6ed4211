//! Looks into JSON of which nothing is promised.

use serde_json::{Map, Value, json};

/// A text that is there and not empty.
pub(super) fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object
        .get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// The first of these texts that is there.
pub(super) fn first_text(object: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    keys.iter()
        .find_map(|key| text(object, key))
        .map(str::to_owned)
}

/// A call of a tool, in the words that model services use. Arguments are JSON as text, as there.
pub(super) fn tool_call(
    id: Option<&str>,
    name: &str,
    arguments: Option<&Value>,
) -> Map<String, Value> {
    let arguments = match arguments {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "{}".to_owned(),
        Some(value) => value.to_string(),
    };
    let mut call = Map::new();
    if let Some(id) = id {
        call.insert("id".to_owned(), id.into());
    }
    call.insert("type".to_owned(), "function".into());
    call.insert(
        "function".to_owned(),
        json!({"name": name, "arguments": arguments}),
    );
    call
}

/// These values without the absent ones; `None` if nothing is left.
pub(super) fn object<const N: usize>(
    fields: [(&str, Option<Value>); N],
) -> Option<Map<String, Value>> {
    let there = |(key, value): (&str, Option<Value>)| {
        let value = value.filter(|value| !value.is_null())?;
        Some((key.to_owned(), value))
    };
    let object: Map<String, Value> = fields.into_iter().filter_map(there).collect();
    (!object.is_empty()).then_some(object)
}
