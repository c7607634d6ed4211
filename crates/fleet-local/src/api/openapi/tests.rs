//! The documents against the routers, and their kept copies.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{ApiPlane, openapi};
use crate::api::router;
use crate::manager;

/// The copies that are kept with the documentation.
const COPIES: [(ApiPlane, &str); 2] = [
    (ApiPlane::Control, "openapi.json"),
    (ApiPlane::Manager, "openapi-manager.json"),
];

/// Set to write the copies anew.
const UPDATE: &str = "HARNESS_UPDATE_DOCS";

#[test]
fn the_copies_in_the_docs_are_up_to_date() {
    for (plane, name) in COPIES {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(name);
        let document = openapi(plane);
        let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == text,
            "docs/{name} is out of date: run the tests once with {UPDATE}=1"
        );
    }
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let control = router::routes();
    let manager = manager::routes();
    for (plane, routes) in [
        (ApiPlane::Control, control.named()),
        (ApiPlane::Manager, manager.named()),
    ] {
        let routed: BTreeSet<_> = routes
            .iter()
            .filter(|(_, path)| *path != super::PATH)
            .copied()
            .collect();
        let operations = super::operations(plane);
        let described: BTreeSet<_> = operations
            .iter()
            .map(|operation| (operation.method, operation.path))
            .collect();
        assert_eq!(described, routed, "{plane:?}");
        assert_eq!(described.len(), operations.len(), "{plane:?}");
    }
}

#[test]
fn every_segment_of_a_path_is_described() {
    for (plane, _) in COPIES {
        for operation in super::operations(plane) {
            let named = |name: &str| operation.path.contains(&format!("{{{name}}}"));
            let segments: Vec<_> = operation
                .parameters
                .iter()
                .filter(|parameter| parameter.place == "path")
                .collect();
            assert!(
                segments.iter().all(|segment| named(segment.name)),
                "{}",
                operation.path
            );
            assert_eq!(
                segments.len(),
                operation.path.matches('{').count(),
                "{}",
                operation.path
            );
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for (plane, _) in COPIES {
        let document = openapi(plane);
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[test]
fn what_is_always_written_is_required_and_what_may_be_left_out_is_not() {
    let document = openapi(ApiPlane::Control);
    let instance = &document["components"]["schemas"]["Instance"];
    let required = instance["required"].as_array().unwrap();
    assert!(required.contains(&"urls".into()) && required.contains(&"terminated_at".into()));
    let create = &document["paths"]["/v1/env/instances"]["post"]["requestBody"]["content"]["application/json"]
        ["schema"];
    assert_eq!(create["required"], serde_json::json!(["env_key"]));
    assert_eq!(create["properties"]["heartbeat_interval"]["minimum"], 30);
}
