//! The service around the engines: bundles, arguments, instances.

use std::sync::Arc;

use fleet_api::native_verifier;
use fleet_api::types::ExecuteVerifierBody;
use fleet_local::verify::ExecuteError;
use serde_json::{Value, json};

use crate::support::{Instance, Service, failure, request, request_with, score};

fn accept_yes() -> String {
    native_verifier::render(&json!({"kind": "state", "expect": [], "answer": [{"equals": "yes"}]}))
}

#[tokio::test]
async fn a_bundle_is_kept_and_used_again_by_its_hash() {
    let (service, instance) = (Service::new(), Instance::new(""));
    let body = request(&accept_yes(), json!({"final_answer": "yes"}));
    assert!(!service.service.check(&body.sha256).success);
    let first = service
        .service
        .execute(body.clone(), Some(Arc::<Instance>::clone(&instance)))
        .await
        .unwrap();
    assert!(service.service.check(&body.sha256).success);
    let again = ExecuteVerifierBody {
        bundle: None,
        ..body
    };
    let second = service
        .service
        .execute(again, Some(instance))
        .await
        .unwrap();
    assert_eq!(score(&first), 1.0);
    assert_eq!(score(&second), 1.0);
    assert_eq!(
        (first.bundle_cache_hit, second.bundle_cache_hit),
        (Some(false), Some(true))
    );
    assert_eq!(
        (first.key.as_deref(), first.version),
        (Some("task-1"), Some(1))
    );
    assert_eq!(first.verifier_id, second.verifier_id);
    assert!(first.execution_id.is_some() && first.execution_id != second.execution_id);
}

#[tokio::test]
async fn requests_without_a_usable_bundle_are_refused_in_the_words_that_clients_look_for() {
    let (service, instance) = (Service::new(), Instance::new(""));
    let body = request(&accept_yes(), json!({}));
    let execute = |body| {
        service
            .service
            .execute(body, Some(Arc::<Instance>::clone(&instance) as _))
    };
    let unknown = execute(ExecuteVerifierBody {
        bundle: None,
        ..body.clone()
    })
    .await
    .unwrap_err();
    assert!(
        matches!(&unknown, ExecuteError::UnknownBundle { .. })
            && unknown.to_string().starts_with("Bundle not found")
    );
    let encoding = execute(ExecuteVerifierBody {
        bundle: Some("*".to_owned()),
        ..body.clone()
    })
    .await
    .unwrap_err();
    assert!(matches!(encoding, ExecuteError::Encoding));
    let hash = execute(ExecuteVerifierBody {
        sha256: "00".repeat(32),
        ..body
    })
    .await
    .unwrap_err();
    assert!(matches!(hash, ExecuteError::Bundle(_)));
    let no_source = execute(request_with(&[("other.py", "")], &json!([]), json!({})))
        .await
        .unwrap_err();
    assert!(no_source.to_string().contains("verifier.py"), "{no_source}");
}

#[tokio::test]
async fn the_answer_counts_however_it_was_passed() {
    let (service, instance) = (Service::new(), Instance::new(""));
    let files: [(&str, &str); 1] = [("verifier.py", &accept_yes())];
    let with = |args: Value, kwargs: Value| request_with(&files, &args, kwargs);
    let env = json!({"env": "a1b2c3d4"});
    let mut json_only = with(json!([]), json!({}));
    json_only.args = None;
    json_only.args_array = Some(vec![json!("yes"), env.clone()]);
    for body in [
        with(json!([null, env]), json!({"final_answer": "yes"})),
        with(json!([null, "yes", env]), json!({})),
        json_only,
    ] {
        assert_eq!(
            service.service.instance_id(&body).as_deref(),
            Some("a1b2c3d4")
        );
        let verdict = service
            .service
            .execute(body, Some(Arc::<Instance>::clone(&instance) as _))
            .await
            .unwrap();
        assert_eq!(score(&verdict), 1.0, "{verdict:?}");
    }
}

#[tokio::test]
async fn an_instance_that_is_not_there_is_an_error_without_the_words_for_a_missing_bundle() {
    let (service, instance) = (Service::new(), Instance::new(""));
    instance.end();
    let ended = service.run(&accept_yes(), json!({}), &instance).await;
    let unknown = service
        .service
        .execute(request(&accept_yes(), json!({})), None)
        .await
        .unwrap();
    let unnamed = service
        .service
        .execute(
            request_with(&[("verifier.py", &accept_yes())], &json!([]), json!({})),
            None,
        )
        .await
        .unwrap();
    for verdict in [ended, unknown, unnamed] {
        let (_, message) = failure(&verdict);
        assert!(
            !message.to_lowercase().contains("not found") && !message.contains("404"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn arguments_that_cannot_be_read_are_an_error_and_never_ignored() {
    let (service, instance) = (Service::new(), Instance::new(""));
    let mut body = request(&accept_yes(), json!({}));
    body.args = Some("gASVHAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==".to_owned()); // os.system("id")
    body.args_array = Some(vec![json!("yes"), json!({"env": "a1b2c3d4"})]);
    let verdict = service.service.execute(body, Some(instance)).await.unwrap();
    assert_eq!(failure(&verdict).0, "ArgumentError");
}

#[tokio::test]
async fn a_python_verifier_without_python_is_an_error_that_says_what_to_do() {
    let (service, instance) = (Service::new(), Instance::new(""));
    let verdict = service
        .run("def verify(env): return 1", json!({}), &instance)
        .await;
    let (kind, message) = failure(&verdict);
    assert_eq!(kind, "PythonUnavailable");
    assert!(message.contains("/nonexistent/python"), "{message}");
}
