//! The JSON API over a real port.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{common::Desk, verify};

async fn refused(desk: &Desk, method: &str, path: &str, body: Value, status: u16, field: &str) {
    let (got, answer) = desk
        .api(method.parse().unwrap(), path, Some(body.clone()))
        .await;
    assert_eq!(got.as_u16(), status, "{method} {path} {body}: {answer}");
    assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    if !field.is_empty() {
        assert_eq!(
            answer["error"]["field"], field,
            "{method} {path} {body}: {answer}"
        );
    }
}

/// The changed tables apart from the log, with the kind of change.
fn changed(desk: &Desk) -> Vec<(String, &'static str)> {
    verify::changes(&desk.seed(), &desk.current())
        .into_iter()
        .map(|(table, kind, ..)| (table, kind))
        .filter(|(table, _)| table != "activity")
        .collect()
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let desk = Desk::open("default").await;
    let ids = |answer: &Value| -> Vec<i64> {
        answer["tickets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ticket| ticket["id"].as_i64().unwrap())
            .collect()
    };
    assert_eq!(
        ids(&desk
            .get("/tickets?status=open&priority=urgent&sort=number")
            .await),
        [7, 9, 28, 34]
    );
    assert_eq!(
        ids(&desk
            .get("/tickets?category=billing&assignee=none&status=open&sort=oldest")
            .await),
        [10, 23, 15]
    );
    assert_eq!(
        ids(&desk.get("/tickets?tag=vip&sort=number").await),
        [9, 14, 42]
    );
    assert_eq!(
        ids(&desk
            .get("/tickets?customer=6&status=closed,open&sort=number")
            .await),
        [8, 17, 22, 31, 38]
    );
    assert_eq!(ids(&desk.get("/tickets?q=%2317").await), [17]);
    assert_eq!(ids(&desk.get("/tickets?q=frost%20printer").await), [3]);
    // LIKE's own signs are text.
    assert_eq!(ids(&desk.get("/tickets?q=%25").await), [] as [i64; 0]);
    let second = desk.get("/tickets?per_page=20&page=3&sort=number").await;
    assert_eq!(
        (
            ids(&second),
            second["total"].as_i64(),
            second["pages"].as_i64()
        ),
        (vec![41, 42], Some(42), Some(3))
    );
    assert_eq!(desk.get("/tickets?page=99").await["tickets"], json!([]));
    desk.stop().await;
}

#[tokio::test]
async fn a_ticket_is_created_changed_commented_and_tagged_with_a_log() {
    let desk = Desk::open("default").await;
    let new = json!({ "subject": " Torn labels ", "body": "All of them.", "customer_id": 6, "category": "shipping", "tags": ["printer"] });
    let (status, ticket) = desk.api(Method::POST, "/tickets", Some(new)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(
        (&ticket["id"], &ticket["subject"], &ticket["priority"]),
        (&json!(43), &json!("Torn labels"), &json!("normal"))
    );
    assert!(
        ticket["created_at"]
            .as_str()
            .unwrap()
            .starts_with("2026-11-16T"),
        "the desk's day, not the real one"
    );

    let patch = json!({ "status": "pending", "assignee_id": 4 });
    let (_, ticket) = desk.api(Method::PATCH, "/tickets/43", Some(patch)).await;
    assert_eq!(
        (&ticket["status"], &ticket["assignee"]["name"]),
        (&json!("pending"), &json!("Jonas Weber"))
    );
    let (_, ticket) = desk
        .api(
            Method::PATCH,
            "/tickets/43",
            Some(json!({ "assignee_id": null })),
        )
        .await;
    assert_eq!(
        (&ticket["status"], &ticket["assignee"]),
        (&json!("pending"), &Value::Null)
    );

    let (status, comment) = desk
        .api(
            Method::POST,
            "/tickets/43/comments",
            Some(json!({ "body": "Seen.", "visibility": "internal" })),
        )
        .await;
    assert_eq!(
        (status, &comment["author"]),
        (StatusCode::CREATED, &json!("Robin Vale"))
    );
    desk.api(Method::PUT, "/tickets/43/tags/refund", None).await;
    let (_, ticket) = desk
        .api(Method::DELETE, "/tickets/43/tags/printer", None)
        .await;
    assert_eq!(ticket["tags"], json!(["refund"]));

    let log = desk.get("/activity?entity=ticket&id=43").await;
    let actions: Vec<&str> = log["activity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions,
        [
            "tag.removed",
            "tag.added",
            "comment.added",
            "ticket.updated",
            "ticket.updated",
            "ticket.created"
        ]
    );
    assert_eq!(
        log["activity"][4]["detail"],
        "status: open → pending; assignee: nobody → Jonas Weber"
    );
    desk.stop().await;
}

#[tokio::test]
async fn what_is_already_so_changes_nothing() {
    let desk = Desk::open("default").await;
    let same = json!({ "status": "resolved", "priority": "low", "assignee_id": 5, "subject": "Add a second user to my account" });
    for (method, path, body) in [
        (Method::PATCH, "/tickets/5", Some(same)),
        (Method::PUT, "/tickets/9/tags/vip", None),
        (
            Method::PATCH,
            "/customers/7",
            Some(json!({ "phone": "+44 20 7946 0155" })),
        ),
        (
            Method::PATCH,
            "/agents/2",
            Some(json!({ "available": true })),
        ),
    ] {
        let (status, answer) = desk.api(method, path, body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }
    assert!(verify::changes(&desk.seed(), &desk.current()).is_empty());
    desk.stop().await;
}

#[tokio::test]
async fn duplicates_are_merged_under_conditions() {
    let desk = Desk::open("default").await;
    for (path, into) in [
        ("/tickets/15/merge", 15),
        ("/tickets/15/merge", 999),
        ("/tickets/3/merge", 4),
    ] {
        refused(&desk, "POST", path, json!({ "into": into }), 422, "into").await;
    }
    assert!(changed(&desk).is_empty());
    let (_, ticket) = desk
        .api(
            Method::POST,
            "/tickets/15/merge",
            Some(json!({ "into": 2 })),
        )
        .await;
    assert_eq!(
        (&ticket["status"], &ticket["merged_into"]),
        (&json!("closed"), &json!(2))
    );
    refused(
        &desk,
        "POST",
        "/tickets/15/merge",
        json!({ "into": 2 }),
        422,
        "into",
    )
    .await;
    refused(
        &desk,
        "POST",
        "/tickets/2/merge",
        json!({ "into": 15 }),
        422,
        "into",
    )
    .await;
    refused(
        &desk,
        "PATCH",
        "/tickets/15",
        json!({ "status": "open" }),
        422,
        "status",
    )
    .await;
    let kept = desk.get("/tickets/2").await;
    let note = kept["comments"].as_array().unwrap().last().unwrap();
    assert_eq!(note["visibility"], "internal");
    assert!(note["body"].as_str().unwrap().contains("#15"));
    desk.stop().await;
}

#[tokio::test]
async fn bad_requests_say_what_is_wrong_and_change_nothing() {
    let desk = Desk::open("default").await;
    // Method, path, body, status, and the field that is named, if one is.
    for (method, path, body, status, field) in [
        ("PATCH", "/tickets/999", r#"{"status":"open"}"#, 404, ""),
        ("PATCH", "/tickets/abc", r#"{"status":"open"}"#, 404, ""),
        ("PATCH", "/tickets/1", r#"{"status":"done"}"#, 422, ""),
        ("PATCH", "/tickets/1", r#"{"stauts":"open"}"#, 422, ""),
        (
            "PATCH",
            "/tickets/1",
            r#"{"assignee_id":77}"#,
            422,
            "assignee_id",
        ),
        (
            "PATCH",
            "/tickets/1",
            r#"{"status":"closed","subject":" "}"#,
            422,
            "subject",
        ),
        (
            "POST",
            "/tickets/1/comments",
            r#"{"body":" "}"#,
            422,
            "body",
        ),
        ("PUT", "/tickets/1/tags/nope", "null", 422, "tag"),
        ("DELETE", "/tickets/1/tags/vip", "null", 404, ""),
        ("POST", "/tags", r#"{"name":"Not Good"}"#, 422, "name"),
        ("POST", "/tags", r#"{"name":"vip"}"#, 422, "name"),
        (
            "PATCH",
            "/customers/1",
            r#"{"email":"nobody"}"#,
            422,
            "email",
        ),
        (
            "PATCH",
            "/customers/1",
            r#"{"email":"felix@braun-bikes.example"}"#,
            422,
            "email",
        ),
        ("PATCH", "/agents/1", r#"{"available":"no"}"#, 422, ""),
        ("PUT", "/tickets", "{}", 405, ""),
        ("GET", "/nothing", "null", 404, ""),
        ("GET", "/tickets?status=opne", "null", 422, "status"),
        ("GET", "/tickets?page=0", "null", 422, "page"),
        ("GET", "/tickets?stauts=open", "null", 422, ""),
        ("GET", "/activity?id=3", "null", 422, "id"),
    ] {
        refused(
            &desk,
            method,
            path,
            serde_json::from_str(body).unwrap(),
            status,
            field,
        )
        .await;
    }
    let long = json!({ "body": "x".repeat(20_001) });
    refused(&desk, "POST", "/tickets/1/comments", long, 422, "body").await;
    let orphan = json!({ "subject": "x", "body": "x", "customer_id": 99, "category": "account" });
    refused(&desk, "POST", "/tickets", orphan, 422, "customer_id").await;
    assert!(verify::changes(&desk.seed(), &desk.current()).is_empty());
    desk.stop().await;
}

#[tokio::test]
async fn customers_agents_tags_and_handbook() {
    let desk = Desk::open("default").await;
    let found = desk.get("/customers?q=bellini").await;
    assert_eq!(
        (&found["total"], &found["customers"][0]["open_tickets"]),
        (&json!(1), &json!(4))
    );
    assert_eq!(desk.get("/customers?plan=business").await["total"], 3);
    desk.api(
        Method::PATCH,
        "/customers/7",
        Some(json!({ "phone": " +44 1 " })),
    )
    .await;
    assert_eq!(desk.get("/customers/7").await["phone"], "+44 1");
    let new = json!({ "name": "Ivo Lund", "email": "ivo@lund.example", "company": "Lund Ltd", "plan": "free" });
    let (status, customer) = desk.api(Method::POST, "/customers", Some(new)).await;
    assert_eq!((status, &customer["id"]), (StatusCode::CREATED, &json!(9)));
    desk.api(
        Method::PATCH,
        "/agents/2",
        Some(json!({ "available": false })),
    )
    .await;
    assert_eq!(desk.get("/agents/2").await["available"], false);
    assert_eq!(desk.get("/agents").await["agents"][1]["open_tickets"], 6);
    let (status, tag) = desk
        .api(Method::POST, "/tags", Some(json!({ "name": "kiln" })))
        .await;
    assert_eq!(
        (status, &tag["name"]),
        (StatusCode::CREATED, &json!("kiln"))
    );
    assert_eq!(desk.get("/articles").await["total"], 6);
    assert!(
        desk.get("/articles/refund-policy").await["body"]
            .as_str()
            .unwrap()
            .contains("60 days")
    );
    assert_eq!(desk.get("/stats").await["today"], "2026-11-16");
    desk.stop().await;
}

#[tokio::test]
async fn many_writers_at_once_lose_nothing() {
    let desk = std::sync::Arc::new(Desk::open("default").await);
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..40 {
        let desk = std::sync::Arc::clone(&desk);
        writers.spawn(async move {
            let body = json!({ "body": format!("note {number}"), "visibility": "internal" });
            desk.api(Method::POST, "/tickets/1/comments", Some(body))
                .await
                .0
        });
    }
    while let Some(status) = writers.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::CREATED);
    }
    let comments = desk.get("/tickets/1/comments").await;
    assert_eq!(comments["total"], 42);
}
