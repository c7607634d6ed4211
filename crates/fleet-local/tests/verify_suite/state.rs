//! State verifiers over real databases: what each agent did, and what it is worth.

use fleet_api::types::ExecuteResponse;
use serde_json::{Value, json};

use crate::support::{Instance, Service, block, failure, score};

async fn verify(definition: Value, changes: &str, answer: Value) -> ExecuteResponse {
    let kwargs = if answer.is_null() {
        json!({})
    } else {
        json!({"final_answer": answer})
    };
    Service::new()
        .native(&definition, kwargs, &Instance::new(changes))
        .await
}

fn close_and_comment(partial: bool) -> Value {
    json!({"kind": "state", "partial": partial,
        "expect": [
            {"table": "tickets", "change": "update", "key": {"id": 2}, "fields": {"status": "closed"}, "weight": 3},
            {"table": "comments", "change": "insert", "where": {"ticket_id": 2}, "fields": {"body": {"contains": "refund"}}, "weight": 1}],
        "ignore": {"tables": ["activity"], "fields": ["updated_at"], "table_fields": {"tickets": ["last_viewed_at"]}}})
}

const CLOSE: &str = "UPDATE tickets SET status = 'closed', updated_at = 'now', last_viewed_at = 'now' WHERE id = 2; INSERT INTO activity VALUES (1, 'x');";
const COMMENT: &str = "INSERT INTO comments(ticket_id, body) VALUES (2, 'Your Re-Fund is coming');";

#[tokio::test]
async fn each_deed_has_its_score() {
    let both = format!("{CLOSE}{COMMENT}");
    let table = [
        ("nothing done", String::new(), 0.0, 0.0),
        ("both", both.clone(), 1.0, 1.0),
        ("only closed", CLOSE.to_owned(), 0.0, 0.75),
        ("only commented", COMMENT.to_owned(), 0.0, 0.25),
        (
            "wrong status",
            format!("UPDATE tickets SET status = 'pending' WHERE id = 2;{COMMENT}"),
            0.0,
            0.25,
        ),
        (
            "wrong text",
            format!("{CLOSE}INSERT INTO comments(ticket_id, body) VALUES (2, 'sorry');"),
            0.0,
            0.75,
        ),
        // Collateral damage: nothing is left of the score.
        (
            "another ticket too",
            format!("{both}UPDATE tickets SET status = 'closed' WHERE id = 1;"),
            0.0,
            0.0,
        ),
        (
            "another field too",
            format!("{both}UPDATE tickets SET priority = 9 WHERE id = 2;"),
            0.0,
            0.0,
        ),
        (
            "a second good comment",
            format!("{both}{COMMENT}"),
            0.0,
            0.0,
        ),
        (
            "a second bad comment",
            format!("{both}INSERT INTO comments(ticket_id, body) VALUES (2, 'oops');"),
            0.0,
            0.0,
        ),
        (
            "a comment elsewhere",
            format!("{both}INSERT INTO comments(ticket_id, body) VALUES (1, 'refund');"),
            0.0,
            0.0,
        ),
        (
            "a row deleted",
            format!("{both}DELETE FROM ticket_tags WHERE ticket_id = 2;"),
            0.0,
            0.0,
        ),
        (
            "a new table with rows",
            format!("{both}CREATE TABLE x(a); INSERT INTO x VALUES (1);"),
            0.0,
            0.0,
        ),
        (
            "a dropped table",
            format!("{both}DROP TABLE ticket_tags;"),
            0.0,
            0.0,
        ),
    ];
    for (deed, changes, strict, partial) in table {
        let verdict = verify(close_and_comment(false), &changes, Value::Null).await;
        assert_eq!(score(&verdict), strict, "{deed}: {verdict:?}");
        let verdict = verify(close_and_comment(true), &changes, Value::Null).await;
        assert_eq!(score(&verdict), partial, "{deed}, partial: {verdict:?}");
    }
}

#[tokio::test]
async fn the_report_names_what_is_missing_and_what_should_not_be() {
    let changes = format!(
        "UPDATE tickets SET status = 'pending' WHERE id = 2;{COMMENT}UPDATE tickets SET priority = 9 WHERE id = 1; DELETE FROM ticket_tags WHERE ticket_id = 2;"
    );
    let verdict = verify(close_and_comment(true), &changes, Value::Null).await;
    assert_eq!(
        block(&verdict, "ERROR_ACCUMULATOR"),
        [
            "[X] unexpected change: ticket_tags[[2,3]] was deleted: ticket_id=2, tag_id=3",
            "[X] unexpected change: tickets[1] was updated: priority: 1 → 9",
            "[X] update in tickets where id = 2 with status = \"closed\": 0 of 1 found; tickets[2]: status should be \"closed\" but is \"pending\"",
        ]
    );
    assert_eq!(
        block(&verdict, "SUCCESS_ACCUMULATOR"),
        ["[C] insert in comments where ticket_id = 2 with body contains \"refund\": comments[2]"]
    );
}

#[tokio::test]
async fn a_flood_of_collateral_damage_is_counted_and_not_listed() {
    let flood = "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n LIMIT 3000) INSERT INTO ticket_tags SELECT i, i FROM n;";
    let verdict = verify(close_and_comment(false), flood, Value::Null).await;
    let errors = block(&verdict, "ERROR_ACCUMULATOR");
    assert!(
        errors.len() < 60
            && errors
                .iter()
                .any(|error| error.contains("2950 more unexpected changes")),
        "{errors:?}"
    );
}

#[tokio::test]
async fn deletes_composite_keys_and_counts() {
    let definition = json!({"kind": "state", "expect": [
        {"table": "ticket_tags", "change": "delete", "where": {"tag_id": 3}, "count": 2},
        {"table": "tickets", "change": "update", "where": {"status": "open"}, "fields": {"status": {"one_of": ["closed", "solved"]}, "priority": {"any": true}}, "count": 3}]});
    let tags = "DELETE FROM ticket_tags WHERE tag_id = 3;";
    let all =
        format!("{tags}UPDATE tickets SET status = 'solved', priority = 0 WHERE status = 'open';");
    assert_eq!(
        score(&verify(definition.clone(), &all, Value::Null).await),
        1.0
    );
    for less in [
        "DELETE FROM ticket_tags WHERE tag_id = 3 AND ticket_id = 1;UPDATE tickets SET status = 'solved' WHERE status = 'open';".to_owned(),
        format!("{tags}UPDATE tickets SET status = 'solved' WHERE id < 3;"),
        format!("{all}UPDATE tickets SET status = 'open' WHERE id = 3;"),
        format!("{all}DELETE FROM ticket_tags;"),
    ] {
        assert_eq!(score(&verify(definition.clone(), &less, Value::Null).await), 0.0, "{less}");
    }
}

#[tokio::test]
async fn rows_find_their_places_whatever_the_order_of_the_expectations() {
    // The broad expectation comes first and could take the row that only the narrow one is left for.
    let definition = json!({"kind": "state", "expect": [
        {"table": "comments", "change": "insert", "where": {"ticket_id": 1}},
        {"table": "comments", "change": "insert", "where": {"ticket_id": 1}, "fields": {"body": "exact"}}]});
    for bodies in ["'exact'),(1,'other'", "'other'),(1,'exact'"] {
        let changes = format!("INSERT INTO comments(ticket_id, body) VALUES (1,{bodies});");
        assert_eq!(
            score(&verify(definition.clone(), &changes, Value::Null).await),
            1.0,
            "{bodies}"
        );
    }
    assert_eq!(
        score(
            &verify(
                definition,
                "INSERT INTO comments(ticket_id, body) VALUES (1,'a'),(1,'b');",
                Value::Null
            )
            .await
        ),
        0.0
    );
}

#[tokio::test]
async fn nothing_to_do_means_nothing_changed() {
    let definition =
        json!({"kind": "state", "expect": [], "answer": [{"contains": "already closed"}]});
    assert_eq!(
        score(&verify(definition.clone(), "", json!("It is Already-Closed.")).await),
        1.0
    );
    assert_eq!(
        score(&verify(definition.clone(), "", Value::Null).await),
        0.0
    );
    assert_eq!(
        score(&verify(definition, CLOSE, json!("It is already closed")).await),
        0.0
    );
}

#[tokio::test]
async fn the_answer_has_its_weight() {
    let definition = json!({"kind": "state", "partial": true,
        "expect": [{"table": "tickets", "change": "update", "key": {"id": 4}, "fields": {"priority": 5}}],
        "answer": [{"number": 3, "weight": 3}]});
    assert_eq!(
        score(&verify(definition.clone(), "", json!("there are 3 open")).await),
        0.75
    );
    assert_eq!(
        score(
            &verify(
                definition,
                "UPDATE tickets SET priority = 5 WHERE id = 4",
                json!("4")
            )
            .await
        ),
        0.25
    );
}

#[tokio::test]
async fn a_wrong_definition_is_an_error_and_never_a_zero() {
    for (definition, text) in [
        (json!({"kind": "state"}), "expect"),
        (
            json!({"kind": "state", "expect": [], "ignores": {}}),
            "ignores",
        ),
        (
            json!({"kind": "state", "expect": [{"table": "nope", "change": "delete"}]}),
            "no table",
        ),
        (
            json!({"kind": "state", "expect": [{"table": "tickets", "change": "update", "key": {"id": 1}, "fields": {"state": "closed"}}]}),
            "no field",
        ),
        (json!({"kind": "stat", "expect": []}), "unknown kind"),
        (json!({"expect": []}), "no kind"),
    ] {
        let verdict = verify(definition.clone(), CLOSE, Value::Null).await;
        let (_, message) = failure(&verdict);
        assert!(message.contains(text), "{definition}: {message}");
    }
}

#[tokio::test]
async fn a_destroyed_database_is_an_error_and_never_a_zero() {
    let instance = Instance::new("");
    std::fs::write(
        instance.folder.path().join("current.db"),
        "this is no database, it is some text that an agent wrote over it".repeat(100),
    )
    .unwrap();
    let verdict = Service::new()
        .native(&close_and_comment(false), Value::Null, &instance)
        .await;
    assert!(failure(&verdict).1.contains("current.db"), "{verdict:?}");
}
