//! Looking into an instance from the shell: its tables and rows, what was done to them, its files, its manager.

use serde_json::json;

use crate::support::{Bench, Local};

#[test]
fn rows_are_read_as_a_table_as_json_and_as_csv_with_their_values_bound() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let id = local.instance(&bench, &[]);
    let sql =
        "SELECT id, status, assignee_id FROM tickets WHERE id <= ? AND status != ? ORDER BY id";
    let query = [
        "db",
        "query",
        &id,
        sql,
        "--arg",
        "3",
        "--arg",
        "it's; DROP TABLE tickets",
    ];
    let rows = local.fleet(&bench, &query).expect(0).json();
    assert_eq!(rows["columns"], json!(["id", "status", "assignee_id"]));
    assert_eq!(rows["rows"].as_array().unwrap().len(), 3);
    assert_eq!(rows["rows"][0][0], 1);
    let told = local.told(&bench, &query);
    let lines: Vec<&str> = told.expect(0).stdout.lines().collect();
    assert_eq!(lines[0], "id  status  assignee_id");
    assert_eq!(lines.len(), 4);
    told.says(&["3 rows"]);
    let text = local.told(&bench, &[&query[..], &["--csv"]].concat());
    assert_eq!(
        text.expect(0).stdout.lines().next(),
        Some("id,status,assignee_id")
    );
    let quoted = local.told(
        &bench,
        &[
            "db",
            "query",
            &id,
            "SELECT 'a,\"b' AS x, NULL AS y",
            "--csv",
        ],
    );
    assert_eq!(quoted.expect(0).stdout, "x,y\n\"a,\"\"b\",\n");
    let none = local.told(&bench, &["db", "query", &id, "SELECT 1 WHERE 0"]);
    none.expect(0).says(&["no rows"]);
    let kinds = local.fleet(
        &bench,
        &[
            "db",
            "query",
            &id,
            "SELECT typeof(?), typeof(?), typeof(?)",
            "--arg",
            "5",
            "--arg",
            "\"5\"",
            "--arg=null",
        ],
    );
    assert_eq!(
        kinds.expect(0).json()["rows"],
        json!([["integer", "text", "null"]])
    );
    local.stop().expect(0);
}

#[test]
fn tables_are_described_and_mistakes_are_told_in_sqlites_words() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let id = local.instance(&bench, &[]);
    let tables = local.fleet(&bench, &["db", "tables", &id]).expect(0).json();
    assert!(
        tables
            .as_array()
            .unwrap()
            .iter()
            .any(|table| table["name"] == "tickets")
    );
    let told = local.told(&bench, &["db", "tables", &id]);
    told.expect(0).says(&["harness fleet db query"]);
    let one = local.told(&bench, &["db", "tables", &id, "tickets"]);
    assert!(
        one.expect(0)
            .stdout
            .contains("status       TEXT          not null  'open'"),
        "{}",
        one.stdout
    );
    assert_eq!(
        local
            .fleet(&bench, &["db", "tables", &id, "tickets"])
            .json()["name"],
        "tickets"
    );
    for (args, parts) in [
        (
            &["db", "tables", &id, "nope"][..],
            &["no table nope", "tickets"][..],
        ),
        (
            &["db", "query", &id, "SELECT nope FROM tickets"],
            &["no such column: nope"],
        ),
        (
            &["db", "query", &id, "DELETE FROM tickets"],
            &["readonly", "harness fleet db exec"],
        ),
        (
            &["db", "exec", &id, "DELETE FROM tickets", "--db", "seed"],
            &["readonly"],
        ),
        (&["db", "query", &id, "SELECT 1", "--db", "nope"], &["nope"]),
        (
            &["files", "cat", &id, "/no/such/file"],
            &["/no/such/file", "harness fleet files diff"],
        ),
    ] {
        local.told(&bench, args).expect(2).says(parts);
    }
    local.stop().expect(0);
}

#[test]
fn a_difference_shows_what_was_added_removed_and_changed() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let id = local.instance(&bench, &[]);
    local
        .told(&bench, &["db", "diff", &id])
        .expect(0)
        .says(&["nothing is different"]);
    for (sql, args) in [
        (
            "UPDATE tickets SET status = ? WHERE id = ?",
            &["closed", "2"][..],
        ),
        ("DELETE FROM tags WHERE id = ?", &["1"]),
        (
            "INSERT INTO tags (id, name) VALUES (?, ?)",
            &["900", "new\u{1b}[31m"],
        ),
    ] {
        let values = args.iter().flat_map(|value| ["--arg", *value]);
        let all: Vec<&str> = ["db", "exec", &id, sql].into_iter().chain(values).collect();
        assert_eq!(
            local.fleet(&bench, &all).expect(0).json()["rows_affected"],
            1,
            "{sql}"
        );
    }
    let diff = local.fleet(&bench, &["db", "diff", &id]).expect(0).json();
    let change = &diff["tickets"]["modified_rows"][0];
    assert_eq!(change["row_id"], 2);
    assert_eq!(change["changes"]["status"]["after"], "closed");
    let told = local.told(&bench, &["db", "diff", &id]);
    assert_eq!(
        told.expect(0).stdout,
        "tags  1 added, 1 removed\n  + id 900\n      name  \"new\\u001b[31m\"\n  - id 1\n      name  \"refund\"\n\n\
         tickets  1 changed\n  ~ id 2\n      status  \"open\" → \"closed\"\n"
    );
    told.says(&["3 rows in 2 tables"]);
    let some = local.told(
        &bench,
        &[
            "db",
            "diff",
            &id,
            "--ignore-table",
            "tags",
            "--ignore-field",
            "tickets.status",
        ],
    );
    some.expect(0).says(&["nothing is different"]);
    let counted = local.told(&bench, &["db", "diff", &id, "--stat"]);
    assert_eq!(
        counted.expect(0).stdout,
        "tags  1 added, 1 removed\ntickets  1 changed\n"
    );
    // Back to the beginning, but only if somebody says so.
    local
        .told(&bench, &["instances", "reset", &id])
        .expect(2)
        .says(&["throw away", "--yes"]);
    local
        .told(&bench, &["instances", "reset", &id, "--yes"])
        .expect(0);
    local
        .told(&bench, &["db", "diff", &id])
        .expect(0)
        .says(&["nothing is different"]);
    local.stop().expect(0);
}

#[test]
fn the_manager_of_an_instance_says_what_it_has() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let id = local.instance(&bench, &[]);
    let resources = local
        .fleet(&bench, &["instances", "resources", &id])
        .expect(0)
        .json();
    assert!(
        resources
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["name"] == "current")
    );
    let health = local
        .fleet(&bench, &["instances", "health", &id])
        .expect(0)
        .json();
    assert_eq!(health["status"], "healthy");
    let files = local
        .fleet(&bench, &["files", "diff", &id])
        .expect(0)
        .json();
    assert_eq!(files["success"], true);
    local.told(&bench, &["instances", "close", &id]).expect(0);
    let late = local.told(&bench, &["db", "tables", &id]);
    late.expect(2).says(&["harness fleet instances list"]);
    local.stop().expect(0);
}
