//! The JSON Schema (draft-07) of a spec, for editors. It says what the readers accept as far as a schema can; the
//! builders here keep the element files short. Draft-07 because the YAML servers of editors know it best.

use serde_json::{Map, Value, json};

use super::run_spec;

/// The keys of an object with their schemas.
pub(super) type Keys = Vec<(&'static str, Value)>;

/// A value that is only known when its variables are filled in.
const VARIABLE: &str = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}";

/// The JSON Schema of a run spec.
pub fn schema() -> Value {
    let mut schema = run_spec::json_schema();
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("harness run spec");
    schema
}

/// An object that has these keys and no others.
pub(super) fn object(description: &str, keys: Keys, required: &[&str]) -> Value {
    let properties: Map<_, _> = keys
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    json!({
        "description": description,
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

/// Text that is not empty.
pub(super) fn text(description: &str) -> Value {
    json!({"description": description, "type": "string", "minLength": 1})
}

/// Text, or a number or boolean that is taken as it is written.
pub(super) fn word(description: &str) -> Value {
    json!({"description": description, "type": ["string", "number", "boolean"]})
}

/// A list of equal items.
pub(super) fn list(item: &Value, description: &str) -> Value {
    json!({"description": description, "type": "array", "items": item})
}

/// A whole number, or a variable that holds one.
pub(super) fn integer(least: u32, most: u32, description: &str) -> Value {
    json!({
        "description": description,
        "type": ["integer", "string"],
        "minimum": least,
        "maximum": most,
        "pattern": VARIABLE,
    })
}

/// A number, or a variable that holds one.
pub(super) fn number(least: f64, most: f64, description: &str) -> Value {
    json!({
        "description": description,
        "type": ["number", "string"],
        "minimum": least,
        "maximum": most,
        "pattern": VARIABLE,
    })
}

/// `true`, `false`, or a variable that holds one of them.
pub(super) fn boolean(description: &str) -> Value {
    json!({"description": description, "type": ["boolean", "string"], "pattern": VARIABLE})
}

/// A duration with units.
pub(super) fn duration(description: &str) -> Value {
    let pattern = format!(r"^\s*([0-9]+\s*(ms|s|m|h|d)\s*)+$|{VARIABLE}");
    json!({"description": description, "type": "string", "pattern": pattern, "examples": ["90s", "30m", "2h"]})
}

/// A size with a unit.
pub(super) fn size(description: &str) -> Value {
    let pattern = format!(r"^\s*[0-9]+\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)\s*$|{VARIABLE}");
    json!({"description": description, "type": "string", "pattern": pattern, "examples": ["64MiB", "4GiB"]})
}

/// One of a few words, or a variable that holds one.
pub(super) fn choice(words: &[&str], description: &str) -> Value {
    json!({"description": description, "anyOf": [{"enum": words}, {"type": "string", "pattern": VARIABLE}]})
}

/// A key that is known and refused.
pub(super) fn not_yet(description: &str) -> Value {
    json!({"description": format!("{description} Not supported yet."), "not": {}})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::spec::testing;

    /// The part of the schema that describes a section; a section that may also be a number is the second choice.
    fn properties(schema: &Value, path: &str) -> BTreeSet<String> {
        let mut at = schema;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            at = &at["properties"][part];
            if let Some(object) = at["anyOf"]
                .get(1)
                .filter(|choice| choice["type"] == "object")
            {
                at = object;
            }
        }
        at["properties"]
            .as_object()
            .unwrap_or_else(|| panic!("{path}"))
            .keys()
            .cloned()
            .collect()
    }

    #[test]
    fn the_schema_knows_the_same_keys_as_the_readers() {
        let schema = schema();
        for (path, keys) in run_spec::sections() {
            let keys: BTreeSet<_> = keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(properties(&schema, path), keys, "{path}");
        }
    }

    #[test]
    fn every_key_is_described() {
        fn walk(value: &Value, path: &str) {
            let Some(properties) = value.get("properties").and_then(Value::as_object) else {
                for choice in value["anyOf"].as_array().into_iter().flatten() {
                    walk(choice, path);
                }
                return;
            };
            for (key, value) in properties {
                assert!(value["description"].is_string(), "{path}.{key}");
                walk(value, &format!("{path}.{key}"));
            }
        }
        walk(&schema(), "");
    }

    fn json_of(yaml: &str) -> Value {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn the_schema_is_valid_and_takes_every_example() {
        let validator = jsonschema::draft7::new(&schema()).unwrap();
        let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
        let mut count = 0;
        for entry in std::fs::read_dir(configs).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let errors: Vec<_> = validator
                .iter_errors(&json_of(&text))
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{}: {errors:?}", path.display());
            count += 1;
        }
        assert!(count >= 5);
        let full = json_of(&testing::spec(testing::FULL).to_resolved_yaml());
        assert_eq!(
            validator.validate(&full).map_err(|error| error.to_string()),
            Ok(())
        );
    }

    #[test]
    fn the_schema_refuses_what_the_readers_refuse() {
        let validator = jsonschema::draft7::new(&schema()).unwrap();
        let good = json_of(
            "{version: 1, tasks: {project: p}, agent: {command: [a]}, concurrency: '${N}'}",
        );
        assert!(validator.is_valid(&good));
        for bad in [
            "{tasks: {project: p}, agent: {command: [a]}}",
            "{version: 2, tasks: {project: p}, agent: {command: [a]}}",
            "{version: 1, tasks: {project: p, keys: [a]}, agent: {command: [a]}}",
            "{version: 1, tasks: {project: p}, agent: {command: []}}",
            "{version: 1, tasks: {project: p}, agent: {command: [a], timeuot: 5m}}",
            "{version: 1, tasks: {project: p}, agent: {command: [a], timeout: 5}}",
            "{version: 1, tasks: {project: p}, agent: {command: [a], stdin: pipe}}",
            "{version: 1, tasks: {project: p}, agent: {command: [a]}, concurrency: {agent: 3}}",
            "{version: 1, tasks: {project: p}, agent: {command: [a]}, gate: {baseline: x}}",
        ] {
            assert!(!validator.is_valid(&json_of(bad)), "{bad}");
        }
    }
}
