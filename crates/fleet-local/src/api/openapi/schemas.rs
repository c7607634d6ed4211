//! Shapes that are no wire types: errors, and what is put right in those that are.

use serde_json::{Map, Value, json};

use super::ApiPlane;
use super::operation::Refusal;

/// What every operation of a plane may answer.
pub(super) fn everywhere(plane: ApiPlane) -> Vec<Refusal> {
    let refusal = |status, description| Refusal {
        status,
        description,
        schema: "Error",
    };
    let foreign = refusal(403, "The Host header names no loopback address");
    match plane {
        ApiPlane::Control => vec![refusal(401, "The key is missing or wrong"), foreign],
        ApiPlane::Manager => vec![foreign, refusal(503, "The instance has ended")],
    }
}

/// The shapes of errors, by name.
pub(super) fn errors() -> Map<String, Value> {
    let detail = |detail: Value| json!({"type": "object", "required": ["detail"], "properties": {"detail": detail}});
    let object = |fields: Value| {
        let required: Vec<String> = fields
            .as_object()
            .map(|fields| fields.keys().cloned().collect())
            .unwrap_or_default();
        detail(json!({"type": "object", "required": required, "properties": fields}))
    };
    let text = json!({"type": "string"});
    let count = json!({"type": "integer", "minimum": 0});
    let problem = json!({
        "type": "object",
        "required": ["loc", "msg", "type"],
        "properties": {
            "loc": {"type": "array", "items": text, "description": "`body`, `query`, `path` or `header`, then the field"},
            "msg": text,
            "type": {"type": "string", "description": "A word for programs, for example `missing`"},
        },
    });
    let shapes = json!({
        "Error": detail(text.clone()),
        "Invalid": detail(json!({"type": "array", "minItems": 1, "items": problem})),
        "InstanceLimit": object(json!({
            "error_type": {"const": "instance_limit_exceeded"}, "message": text,
            "running_instances": count, "instance_limit": count,
        })),
        "DuplicateRequest": object(json!({
            "error": {"const": "duplicate_request_id"}, "message": text, "instance_id": text,
        })),
        "UnknownRequest": object(json!({
            "error": {"const": "durable_create_request_not_found"}, "message": text,
        })),
        "SessionEnded": object(json!({
            "error": {"const": "session_ended"}, "message": text,
        })),
        "CreateConflict": {"anyOf": [reference("DuplicateRequest"), reference("RequestReused")]},
        "RequestReused": object(json!({
            "error": {"const": "request_id_reused"}, "message": text,
        })),
        "NoBrowser": {
            "type": "object",
            "required": ["success", "cdp_page_url", "cdp_browser_url", "cdp_devtools_url", "detail"],
            "properties": {
                "success": {"const": false}, "cdp_page_url": text, "cdp_browser_url": text,
                "cdp_devtools_url": text, "detail": text,
            },
        },
        "StartFailed": object(json!({
            "error": {"const": "instance_start_failed"}, "message": text, "instance_id": text,
        })),
    });
    match shapes {
        Value::Object(shapes) => shapes,
        _ => Map::new(),
    }
}

pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Takes out of a generated schema what only Rust is interested in.
pub(super) fn refine(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields
                .get("format")
                .is_some_and(|format| format == "uint32")
            {
                fields.entry("maximum").or_insert_with(|| u32::MAX.into());
            }
            // `uint64` and the like are no formats that anybody else knows.
            let foreign = fields
                .get("format")
                .and_then(Value::as_str)
                .is_some_and(|format| format.starts_with("uint") || format == "double");
            if foreign {
                fields.remove("format");
            }
            fields.remove("title");
            fields.values_mut().for_each(refine);
        }
        Value::Array(elements) => elements.iter_mut().for_each(refine),
        _ => {}
    }
}

/// Puts `change` into `schema`: objects field by field, everything else in place of what was.
pub(super) fn merge(schema: &mut Value, change: &Value) {
    match (schema, change) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(fields.entry(name).or_insert(Value::Null), change);
            }
        }
        (_, Value::Null) => {}
        (schema, change) => *schema = change.clone(),
    }
}
