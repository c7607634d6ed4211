//! From a table of operations to a document.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::{Answer, Body, Operation, Parameter, Refusal};
use super::{ApiPlane, schemas};

pub(super) fn make(plane: ApiPlane, operations: &[Operation]) -> Value {
    // Written and read, a type has different shapes: a field with a default is always written and
    // need not be sent.
    let mut answers = generator(SchemaSettings::for_serialize);
    let mut bodies = generator(|settings| {
        let mut settings = settings.for_deserialize();
        settings.inline_subschemas = true;
        settings
    });
    let mut paths = Map::new();
    for operation in operations {
        let described = describe(plane, operation, &mut answers, &mut bodies);
        let path = paths
            .entry(operation.path)
            .or_insert_with(|| Value::Object(Map::new()));
        path[operation.method] = described;
    }
    let mut components = answers.take_definitions(true);
    for schema in components.values_mut() {
        schemas::refine(schema);
    }
    components.extend(schemas::errors());
    json!({
        "openapi": "3.1.0",
        "info": info(plane),
        "servers": [{"url": server(plane)}],
        "security": security(plane),
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "The key of `--api-key`. Without that option every caller on this machine is admitted."}},
        },
    })
}

fn generator(settle: impl FnOnce(SchemaSettings) -> SchemaSettings) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.meta_schema = None;
    "/components/schemas".clone_into(settings.definitions_path.to_mut());
    settle(settings).into_generator()
}

fn info(plane: ApiPlane) -> Value {
    let (title, description) = match plane {
        ApiPlane::Control => (
            "Fleet API, control plane",
            "What the embedded server offers of the Fleet API. Every error is `{\"detail\": …}`. Parameters with an empty value count as absent; unknown parameters and fields are ignored.",
        ),
        ApiPlane::Manager => (
            "Fleet API, instance manager",
            "What looks into one instance, below `urls.manager.api` of its record. An operation that fails says so with status 200 and `success: false`, because the official client reads a body whatever its status is.",
        ),
    };
    json!({"title": title, "version": env!("CARGO_PKG_VERSION"), "description": description})
}

/// Relative to where the document is served.
fn server(plane: ApiPlane) -> &'static str {
    match plane {
        ApiPlane::Control => "/",
        ApiPlane::Manager => ".",
    }
}

fn security(plane: ApiPlane) -> Value {
    match plane {
        ApiPlane::Control => json!([{"key": []}]),
        // The official client sends managers no credential.
        ApiPlane::Manager => json!([]),
    }
}

fn describe(
    plane: ApiPlane,
    operation: &Operation,
    answers: &mut SchemaGenerator,
    bodies: &mut SchemaGenerator,
) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": operation.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": responses(plane, operation, answers),
    });
    if let Some(wanted) = &operation.body {
        described["requestBody"] = body(wanted, bodies);
    }
    described
}

fn parameter(parameter: &Parameter) -> Value {
    let mut described = json!({
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    });
    if parameter.schema["type"] == "array" {
        // One `name=value` for each.
        described["style"] = "form".into();
        described["explode"] = true.into();
    }
    described
}

fn body(wanted: &Body, bodies: &mut SchemaGenerator) -> Value {
    let mut schema = (wanted.schema)(bodies).to_value();
    schemas::refine(&mut schema);
    schemas::merge(&mut schema, &wanted.limits);
    json!({"required": wanted.required, "content": {"application/json": {"schema": schema}}})
}

fn responses(plane: ApiPlane, operation: &Operation, answers: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    match &operation.answer {
        Answer::Json(schema) => {
            let schema = schema(answers).to_value();
            responses.insert("200".to_owned(), response("The answer", &schema));
        }
        Answer::Text => {
            let content = json!({"text/plain; charset=utf-8": {"schema": {"type": "string"}}});
            let described = json!({"description": "The text", "content": content});
            responses.insert("200".to_owned(), described);
        }
        Answer::Bytes => {
            let content = json!({"application/octet-stream": {}});
            let described = json!({"description": "The bytes", "content": content});
            responses.insert("200".to_owned(), described);
        }
        Answer::Nothing => {}
    }
    let everywhere = schemas::everywhere(plane);
    let refusals: Vec<&Refusal> = operation.refusals.iter().chain(&everywhere).collect();
    for refusal in &refusals {
        let status = refusal.status.to_string();
        if responses.contains_key(&status) {
            continue;
        }
        let same: Vec<&&Refusal> = refusals
            .iter()
            .filter(|other| other.status == refusal.status)
            .collect();
        let text: Vec<&str> = same.iter().map(|refusal| refusal.description).collect();
        let mut shapes: Vec<&str> = same.iter().map(|refusal| refusal.schema).collect();
        shapes.sort_unstable();
        shapes.dedup();
        let shapes: Vec<Value> = shapes.into_iter().map(schemas::reference).collect();
        let schema = match shapes.as_slice() {
            [one] => one.clone(),
            several => json!({"anyOf": several}),
        };
        responses.insert(status, response(&text.join("; "), &schema));
    }
    responses.into()
}

fn response(description: &str, schema: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}
