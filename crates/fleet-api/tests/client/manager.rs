//! Calls to the manager of an instance: what they carry, what is repeated, what is an error.

use std::time::Duration;

use fleet_api::manager::{Change, CheckError, DiffSource, IgnoreConfig, Manager, expect_exactly};
use fleet_api::{CallLimits, Client, ErrorKind};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Seen, Service, builder, detail, ok, raw, status};

const TOKEN: &str = "runner-token-0123456789";

/// A manager at a service that answers for the token and for the manager alike.
async fn start(
    script: impl Fn(&Seen) -> axum::response::Response + Send + Sync + 'static,
) -> (Service, Client, Manager) {
    let service = Service::start(script).await;
    let client = service.client();
    let manager = Manager::at(&client, &format!("{}/api/v1/env", service.url)).unwrap();
    (service, client, manager)
}

/// As [`start`], with a token that was given, so that the service is asked for nothing else.
async fn start_with_token(
    script: impl Fn(&Seen) -> axum::response::Response + Send + Sync + 'static,
) -> (Service, Manager) {
    let service = Service::start(script).await;
    let client = builder(&service.url)
        .runner_token(TOKEN.into())
        .build()
        .unwrap();
    let manager = Manager::at(&client, &format!("{}/api/v1/env", service.url)).unwrap();
    (service, manager)
}

fn is_token(seen: &Seen) -> bool {
    seen.line.contains("runner-auth")
}

fn healthy() -> axum::response::Response {
    ok(&json!({"status": "healthy", "timestamp": "", "service": "m"}))
}

fn rows(columns: &[&str], rows: &Value) -> axum::response::Response {
    ok(&json!({"success": true, "message": "", "columns": columns, "rows": rows}))
}

#[tokio::test]
async fn a_manager_sees_the_runner_token_and_neither_the_key_nor_a_request_id() {
    let (service, _, manager) = start(|seen| {
        if is_token(seen) {
            return ok(&json!({"token": TOKEN, "header": "X-Runner-Token"}));
        }
        healthy()
    })
    .await;
    manager.health().await.unwrap();
    let [token, health] = service.seen().try_into().unwrap();
    assert_eq!(token.line, "GET /v1/runner-auth/token");
    assert!(token.header("authorization").starts_with("Bearer "));
    assert_eq!(token.header("x-request-id"), "");
    assert_eq!(health.line, "GET /api/v1/env/health");
    assert_eq!(health.header("x-runner-token"), TOKEN);
    assert_eq!(health.header("x-fleet-sdk-language"), "Rust");
    assert_ne!(health.header("x-fleet-sdk-version"), "");
    for absent in ["authorization", "x-request-id", "x-request-timestamp"] {
        assert!(!health.headers.contains_key(absent), "{absent}");
    }
}

#[tokio::test]
async fn the_token_is_asked_for_once_a_client_though_there_is_none() {
    for answer in [404, 401, 422] {
        let (service, client, manager) = start(move |seen| {
            if is_token(seen) {
                return detail(answer, "there is no gate here");
            }
            healthy()
        })
        .await;
        let other = Manager::at(&client, &format!("{}/mail/api/v1/env", service.url)).unwrap();
        let calls = [&manager, &other, &manager, &other].map(Manager::health);
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        manager.app("web").unwrap().health().await.unwrap();
        let seen = service.seen();
        assert_eq!(seen.iter().filter(|seen| is_token(seen)).count(), 1);
        assert!(
            seen.iter()
                .all(|seen| !seen.headers.contains_key("x-runner-token"))
        );
    }
}

#[tokio::test]
async fn a_token_that_could_not_be_had_is_not_asked_for_before_every_call() {
    let (service, _, manager) = start(|seen| {
        if is_token(seen) {
            return detail(503, "starting");
        }
        healthy()
    })
    .await;
    for _ in 0..3 {
        manager.health().await.unwrap();
    }
    assert_eq!(
        service.seen().iter().filter(|seen| is_token(seen)).count(),
        1
    );
}

#[tokio::test]
async fn a_token_is_not_shown_to_another_host_unless_it_is_that_host_s() {
    let elsewhere = Service::start(|_| healthy()).await;
    let url = format!("{}/api/v1/env", elsewhere.url);
    let client = builder("https://orchestrator.fleetai.com")
        .runner_token(TOKEN.into())
        .build()
        .unwrap();
    let manager = Manager::at(&client, &url).unwrap();
    manager.health().await.unwrap();
    manager
        .with_runner_token("its own".into())
        .health()
        .await
        .unwrap();
    let shown: Vec<String> = elsewhere
        .seen()
        .iter()
        .map(|seen| seen.header("x-runner-token").to_owned())
        .collect();
    assert_eq!(shown, ["", "its own"]);
}

#[tokio::test]
async fn a_manager_that_quotes_the_token_does_not_get_it_into_an_error() {
    let (_service, manager) =
        start_with_token(|_| detail(400, &format!("{TOKEN} is no good"))).await;
    let error = manager.health().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("is no good") && !text.contains(TOKEN),
        "{text}"
    );
    assert_eq!(error.request_id(), None);
}

#[tokio::test]
async fn a_404_is_waited_out_until_the_instance_is_routed_and_is_an_answer_afterwards() {
    let (service, manager) = start_with_token(|seen| match seen.number {
        1 | 2 => detail(404, "no such instance"),
        3 => healthy(),
        _ => detail(404, "no such path"),
    })
    .await;
    manager.health().await.unwrap();
    assert_eq!(service.seen().len(), 3);
    let error = manager.timestamp().await.unwrap_err();
    assert!(error.is_gone());
    assert_eq!(service.seen().len(), 4);
    // Another app is another route.
    let web = manager.app("web").unwrap();
    assert!(web.timestamp().await.is_err());
    assert_eq!(service.seen().len(), 8);
}

#[tokio::test]
async fn a_read_is_repeated_and_a_write_only_where_it_certainly_did_nothing() {
    let (service, manager) = start_with_token(|seen| match seen.number {
        2 => rows(&["n"], &json!([[1]])),
        3 => detail(429, "slower"),
        _ => status(502, &json!({})),
    })
    .await;
    let db = manager.db("current");
    let n: i64 = db
        .query("SELECT 1 AS n", ())
        .await
        .unwrap()
        .get("n")
        .unwrap();
    assert_eq!((n, service.seen().len()), (1, 2));
    // The 429 was refused before it did anything, the 502 may have come after.
    let error = db.exec("DELETE FROM t", ()).await.unwrap_err();
    assert_eq!((error.attempts(), error.is_ambiguous()), (2, true));
    assert_eq!(service.seen().len(), 4);
}

#[tokio::test]
async fn one_busy_instance_does_not_make_the_client_wait_for_the_service() {
    let (_service, client, manager) = start(|seen| match seen.line.as_str() {
        line if line.contains("runner-auth") => detail(404, ""),
        line if line.contains("/v1/account") => ok(&crate::support::account()),
        _ => {
            let mut answer = detail(503, "busy");
            let header = "retry-after".parse::<http::HeaderName>().unwrap();
            answer.headers_mut().insert(header, "30".parse().unwrap());
            answer
        }
    })
    .await;
    let quick = CallLimits::attempts(1).within(Duration::from_secs(2));
    assert!(manager.limited(quick).health().await.is_err());
    client.limited(quick).account().await.unwrap();
}

#[tokio::test]
async fn what_did_not_work_is_an_error_and_never_an_empty_result() {
    let (_service, manager) = start_with_token(|seen| {
        let failed = json!({"success": false, "message": "failed", "error": "no such table: t"});
        match seen.line.as_str() {
            "GET /api/v1/env/resources/cdp/describe" => ok(
                &json!({"success": true, "cdp_page_url": "", "cdp_browser_url": "ws://b", "cdp_devtools_url": ""}),
            ),
            line if line.ends_with("/health") => healthy(),
            _ => ok(&failed),
        }
    })
    .await;
    manager.health().await.unwrap();
    let db = manager.db("current");
    let errors = [
        db.query("SELECT * FROM t", ()).await.map(drop),
        db.exec("DELETE FROM t", ()).await.map(drop),
        db.describe().await.map(drop),
        db.table("t").count().await.map(drop),
        db.table("t").first().await.map(drop),
        db.snapshot().await.map(drop),
        manager.diff(&IgnoreConfig::default()).await.map(drop),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Operation { message } if message == "no such table: t"),
            "{error}"
        );
        assert!(!error.is_retryable());
    }
    let error = db.table("t").expect_none().await.unwrap_err();
    assert!(matches!(error, CheckError::Call(_)) && !error.is_unmet());
    assert!(manager.reset(None, None).await.is_err());
}

#[tokio::test]
async fn rows_that_lost_a_value_are_refused() {
    let (_service, manager) = start_with_token(|_| rows(&["a", "b"], &json!([[1, 2], [3]]))).await;
    let error = manager.db("current").query("SELECT 1", ()).await;
    assert!(matches!(
        error.unwrap_err().kind(),
        ErrorKind::Undecodable { .. }
    ));
}

#[tokio::test]
async fn a_query_sends_its_values_apart_and_a_name_stays_in_its_place() {
    let (service, manager) = start_with_token(|_| rows(&["n"], &json!([[2]]))).await;
    let db = manager.db("my db/?");
    assert!(db.describe().await.is_err());
    assert_eq!(service.seen().len(), 0);
    let db = manager.db("my db?");
    assert_eq!(db.table("t").eq("a", "x").count().await.unwrap(), 2);
    let error = db.query("SELECT ?", [f64::INFINITY]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
    let [asked] = service.seen().try_into().unwrap();
    assert_eq!(
        asked.line,
        "POST /api/v1/env/resources/sqlite/my%20db%3F/query"
    );
    assert_eq!(
        asked.json(),
        json!({"query": "SELECT count(*) AS n FROM (SELECT 1 FROM \"t\" WHERE `a` = ?)", "args": ["x"], "read_only": true})
    );
}

#[tokio::test]
async fn the_only_row_is_the_only_row() {
    let (_service, manager) = start_with_token(|seen| {
        let sql = seen.json()["query"].as_str().unwrap().to_owned();
        let all = if sql.contains("none") {
            json!([])
        } else if sql.contains("many") {
            json!([[1, "open"], [2, "open"]])
        } else {
            json!([[1, "open"]])
        };
        rows(&["id", "status"], &all)
    })
    .await;
    let db = manager.db("current");
    db.table("one").expect_eq("status", "open").await.unwrap();
    for table in ["none", "many"] {
        assert!(db.table(table).one().await.unwrap_err().is_unmet());
    }
    let error = db.table("one").expect_eq("id", 2).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("expected id to be 2, but it is 1"),
        "{error}"
    );
    assert!(matches!(
        db.table("one").expect_eq("nonsense", 2).await,
        Err(CheckError::Row(_))
    ));
}

#[tokio::test]
async fn a_difference_that_was_cut_proves_nothing() {
    let (_service, manager) = start_with_token(|_| {
        let cut = json!({"total_changes": 2, "added_rows": [{"row_id": 1, "data": {}}]});
        ok(&json!({"success": true, "message": "", "diff": {"t": cut}}))
    })
    .await;
    let error = manager.diff(&IgnoreConfig::default()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Undecodable { .. }));
}

#[tokio::test]
async fn texts_that_hold_the_same_json_are_no_difference() {
    let (_service, manager) = start_with_token(|_| {
        let row = json!({"row_id": 1, "data": {"id": 1, "meta": "{\"a\":1}"},
            "changes": {"meta": {"before": "{\"a\": 1}", "after": "{\"a\":1}"}}});
        let table = json!({"primary_key": ["id"], "modified_rows": [row], "total_changes": 1});
        ok(&json!({"success": true, "message": "", "diff": {"t": table}}))
    })
    .await;
    let diff = manager.diff(&IgnoreConfig::default()).await.unwrap();
    assert_eq!(diff.source(), DiffSource::Manager);
    assert!(diff.is_empty());
    expect_exactly(&diff, &[]).unwrap();
    assert!(expect_exactly(&diff, &[Change::modify("t", 1)]).is_err());
}

#[tokio::test]
async fn a_browser_that_does_not_run_is_started_and_asked_for_again() {
    for absent in [404, 500] {
        let (service, manager) = start_with_token(move |seen| match seen.number {
            1 => healthy(),
            2 => detail(absent, "no browser"),
            3 => ok(&json!({"success": true, "message": "started"})),
            _ => ok(&json!({"success": true, "cdp_page_url": "ws://p", "cdp_browser_url": "ws://b", "cdp_devtools_url": "http://d"})),
        })
        .await;
        manager.health().await.unwrap();
        let browser = manager.browser().addresses().await.unwrap();
        assert_eq!(browser.cdp_browser_url, "ws://b");
        let lines = service.lines();
        assert_eq!(
            lines[1..],
            [
                "GET /api/v1/env/resources/cdp/describe",
                "POST /api/v1/env/resources/cdp/start",
                "GET /api/v1/env/resources/cdp/describe"
            ]
        );
        assert_eq!(service.seen()[2].json(), json!({"resolution": "1920,1080"}));
    }
    let (service, manager) = start_with_token(|seen| match seen.number {
        1 => ok(&json!({"success": true, "message": "started"})),
        _ => ok(&json!({"success": true, "cdp_page_url": "", "cdp_browser_url": "ws://b", "cdp_devtools_url": ""})),
    })
    .await;
    manager.browser().start(1366, 768).await.unwrap();
    assert_eq!(service.seen()[0].json(), json!({"resolution": "1366,768"}));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_an_answer_and_an_error_s_text_is_no_file_s() {
    let (_service, manager) = start_with_token(|seen| match seen.line.as_str() {
        line if line.ends_with("/health") => healthy(),
        line if line.ends_with("/fs/file") => detail(404, "File not found"),
        line if line.ends_with("/fs/file/text") => detail(400, "too large"),
        _ => raw(200, "the text"),
    })
    .await;
    manager.health().await.unwrap();
    let files = manager.files();
    assert!(!files.state("/a").await.unwrap().exists);
    assert!(files.text("/a").await.is_err());
    assert_eq!(files.document_text("/a.pdf").await.unwrap(), "the text");
}
