//! The HTML pages over a real port: what they show, and what their forms do.

use reqwest::StatusCode;

use crate::{common::Desk, verify};

#[tokio::test]
async fn every_page_is_there_and_needs_nothing_from_elsewhere() {
    let desk = Desk::open("default").await;
    for path in [
        "/",
        "/tickets",
        "/tickets?status=open&q=printer",
        "/tickets/20",
        "/tickets/new",
        "/customers",
        "/customers/5",
        "/agents",
        "/handbook",
        "/handbook/refund-policy",
        "/activity",
        "/activity?entity=ticket&id=9",
    ] {
        let (status, html) = desk.page(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {html}");
        assert!(
            html.contains("<html lang=\"en\">") && html.contains("id=\"content\""),
            "{path}"
        );
        assert!(
            !html.contains("http://") && !html.contains("https://") && !html.contains("<script"),
            "{path}"
        );
    }
    for path in [
        "/tickets/999",
        "/tickets/abc",
        "/nothing",
        "/handbook/none",
        "/customers/0",
    ] {
        assert_eq!(desk.page(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(
        desk.page("/tickets?page=x").await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(desk.page("/health").await.0, StatusCode::OK);
    desk.stop().await;
}

#[tokio::test]
async fn every_field_has_a_label() {
    let desk = Desk::open("default").await;
    for path in [
        "/tickets",
        "/tickets/20",
        "/tickets/new",
        "/customers",
        "/customers/5",
        "/activity",
    ] {
        let html = desk.page(path).await.1;
        for part in html.split('<').filter(|part| {
            ["input ", "select ", "textarea "]
                .iter()
                .any(|tag| part.starts_with(tag))
                && !part.contains("hidden")
        }) {
            let id = part
                .split("id=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next());
            let id = id.unwrap_or_else(|| panic!("{path}: no id in {part}"));
            assert!(
                html.contains(&format!("<label for=\"{id}\"")),
                "{path}: no label for {id}"
            );
        }
    }
    desk.stop().await;
}

#[tokio::test]
async fn text_from_the_database_is_escaped() {
    let desk = Desk::open("default").await;
    let evil = "<script>alert(1)</script>";
    let (status, location, _) = desk
        .submit(
            "/tickets/20/comments",
            &[("body", evil), ("visibility", "public")],
        )
        .await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/tickets/20?done=commented")
    );
    let html = desk.page("/tickets/20").await.1;
    assert!(!html.contains(evil) && html.contains("alert(1)"));
    let html = desk.page("/tickets?q=%22%3E%3Cscript%3E").await.1;
    assert!(!html.contains("<script>"));
    assert!(
        !desk
            .page("/tickets/20?done=%3Cb%3Eowned")
            .await
            .1
            .contains("owned")
    );
    desk.stop().await;
}

#[tokio::test]
async fn the_forms_of_a_ticket_change_what_they_say() {
    let desk = Desk::open("default").await;
    let properties = [
        ("status", "pending"),
        ("priority", "high"),
        ("assignee", "4"),
        ("category", "shipping"),
    ];
    let (status, location, _) = desk.submit("/tickets/6", &properties).await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/tickets/6?done=saved")
    );
    assert!(
        desk.page(&location)
            .await
            .1
            .contains("Your changes were saved.")
    );
    desk.submit("/tickets/6/tags", &[("tag", "vip")]).await;
    desk.submit("/tickets/6/tags/remove", &[("tag", "shipping-delay")])
        .await;
    desk.submit(
        "/tickets/6/comments",
        &[("body", "First line\r\nsecond"), ("visibility", "internal")],
    )
    .await;
    desk.submit("/tickets/15/merge", &[("into", "#2")]).await;
    let changes: Vec<String> = verify::changes(&desk.seed(), &desk.current())
        .into_iter()
        .filter(|(table, ..)| table != "activity")
        .map(|(table, kind, _, mut fields)| {
            fields.retain(|name, _| {
                !["created_at", "updated_at", "id", "author", "author_kind"]
                    .contains(&name.as_str())
            });
            // In the order of their names, whatever order JSON maps keep in this build.
            let fields: std::collections::BTreeMap<_, _> = fields.into_iter().collect();
            format!("{kind} {table} {}", serde_json::to_string(&fields).unwrap())
        })
        .collect();
    assert_eq!(
        changes,
        [
            r#"insert comments {"body":"First line\nsecond","ticket_id":6,"visibility":"internal"}"#,
            r#"insert comments {"body":"Ticket #15 was merged into this one: Double charge in October, still nothing?","ticket_id":2,"visibility":"internal"}"#,
            r#"insert ticket_tags {"tag_id":3,"ticket_id":6}"#,
            "delete ticket_tags {}",
            r#"update tickets {"merged_into":2,"status":"closed"}"#,
            "update tickets {}",
            r#"update tickets {"status":"pending"}"#,
        ]
    );
    desk.stop().await;
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed() {
    let desk = Desk::open("default").await;
    let form = [
        ("customer", ""),
        ("subject", "Kept subject"),
        ("body", "Kept text"),
        ("category", "account"),
        ("priority", "urgent"),
        ("assignee", ""),
        ("tag", ""),
    ];
    let (status, _, html) = desk.submit("/tickets", &form).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        html.contains("Please choose a customer.")
            && html.contains("Kept subject")
            && html.contains("Kept text")
    );
    assert!(html.contains("<option value=\"urgent\" selected>"));
    let (status, _, html) = desk.submit("/tickets/3/merge", &[("into", "4")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(html.contains("Only tickets of the same customer can be merged."));
    let customer = [
        ("name", "Ada Okafor"),
        ("email", "broken"),
        ("company", "Okafor Ceramics"),
        ("phone", ""),
        ("plan", "team"),
        ("notes", ""),
    ];
    let (status, _, html) = desk.submit("/customers/1", &customer).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(html.contains("value=\"broken\""));
    assert!(verify::changes(&desk.seed(), &desk.current()).is_empty());
    desk.stop().await;
}

#[tokio::test]
async fn tickets_customers_and_agents_through_their_forms() {
    let desk = Desk::open("default").await;
    let form = [
        ("customer", "6"),
        ("subject", "New one"),
        ("body", "Text"),
        ("category", "shipping"),
        ("priority", "high"),
        ("assignee", "4"),
        ("tag", "printer"),
    ];
    let (status, location, _) = desk.submit("/tickets", &form).await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/tickets/43?done=created")
    );
    let customer = [
        ("name", "Grace Mbeki"),
        ("email", "grace@mbeki-books.example"),
        ("company", "Mbeki Books"),
        ("phone", "+44 20 7946 0182"),
        ("plan", "team"),
        ("notes", "Prefers e-mail over the phone."),
    ];
    desk.submit("/customers/7", &customer).await;
    desk.submit("/agents/2", &[("available", "no")]).await;
    let changes: Vec<(String, &str)> = verify::changes(&desk.seed(), &desk.current())
        .into_iter()
        .map(|(table, kind, ..)| (table, kind))
        .filter(|(table, _)| table != "activity")
        .collect();
    let expected = [
        ("agents", "update"),
        ("customers", "update"),
        ("ticket_tags", "insert"),
        ("tickets", "insert"),
    ];
    assert_eq!(
        changes,
        expected.map(|(table, kind)| (table.to_owned(), kind))
    );
    desk.stop().await;
}
