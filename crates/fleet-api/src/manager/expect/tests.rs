//! What passes, what fails and what the report says, on one difference of every kind.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::types::manager::{IgnoreConfig, TableDiff};

/// Ticket 2 was closed, comment 9 is new, draft 4 is gone, and seat (F1, 2) has a holder.
fn diff() -> Diff {
    diff_without(IgnoreConfig::default())
}

fn diff_without(ignore: IgnoreConfig) -> Diff {
    let tables: BTreeMap<String, TableDiff> = serde_json::from_value(json!({
        "tickets": {"primary_key": ["id"], "modified_rows": [{"row_id": 2,
            "changes": {"status": {"before": "open", "after": "closed"}, "updated_at": {"before": 1, "after": 2}},
            "data": {"id": 2, "title": "Mouse", "status": "closed", "updated_at": 2, "rowid": 2}}]},
        "comments": {"primary_key": ["id"], "added_rows": [{"row_id": 9,
            "data": {"rowid": 9, "id": 9, "body": "Done.", "author": null}}]},
        "drafts": {"primary_key": ["id"], "removed_rows": [{"row_id": 4, "data": {"id": 4, "text": "so"}}]},
        "seats": {"primary_key": ["flight", "no"], "modified_rows": [{"row_id": ["F1", 2],
            "changes": {"holder": {"before": null, "after": "Ada"}},
            "data": {"flight": "F1", "no": 2, "holder": "Ada"}}]},
        "quiet": {"unchanged_count": 7},
    }))
    .unwrap();
    Diff::new(tables, ignore)
}

fn all() -> Vec<Change> {
    vec![
        Change::modify("tickets", 2)
            .field("status", "closed")
            .any("updated_at"),
        Change::insert("comments", 9)
            .field("body", "Done.")
            .field("author", Json::Null),
        Change::delete("drafts", 4),
        Change::modify("seats", ("F1", 2)).field("holder", "Ada"),
    ]
}

/// The expectations with one of them replaced.
fn with(place: usize, change: Change) -> Vec<Change> {
    let mut changes = all();
    changes[place] = change;
    changes
}

#[track_caller]
fn fails(changes: &[Change], with: &str) {
    let error = expect_only(&diff(), changes).unwrap_err().to_string();
    assert!(error.contains(with), "{error}");
    assert!(expect_exactly(&diff(), changes).is_err());
}

#[test]
fn what_is_named_passes_and_everything_else_is_reported_at_once() {
    expect_only(&diff(), &all()).unwrap();
    expect_exactly(&diff(), &all()).unwrap();
    let error = expect_only(&diff(), &[]).unwrap_err();
    assert_eq!(error.iter().count(), 4);
    let text = error.to_string();
    for part in [
        "tickets 2 was modified",
        "comments 9 was inserted",
        "drafts 4 was deleted",
        "seats [\"F1\",2]",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn an_allowed_change_need_not_happen_and_an_expected_one_must() {
    let mut changes = all();
    changes.push(Change::delete("tickets", 7));
    expect_only(&diff(), &changes).unwrap();
    let error = expect_exactly(&diff(), &changes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 thing did not change as expected:\n- tickets 7 was not deleted"
    );
}

#[test]
fn another_kind_of_change_of_the_same_row_is_not_the_named_one() {
    fails(
        &with(0, Change::delete("tickets", 2)),
        "tickets 2 was modified",
    );
    fails(
        &with(1, Change::modify("comments", 9)),
        "comments 9 was inserted",
    );
}

#[test]
fn values_and_unnamed_fields_count() {
    fails(
        &with(
            0,
            Change::modify("tickets", 2)
                .field("status", "open")
                .and_others(),
        ),
        "status is \"closed\" and not \"open\"",
    );
    fails(
        &with(0, Change::modify("tickets", 2).field("status", "closed")),
        "updated_at is 2, which nobody named",
    );
    fails(
        &with(1, Change::insert("comments", 9).field("body", "Done.")),
        "author is null, which nobody named",
    );
    fails(
        &with(2, Change::delete("drafts", 4).field("text", "other")),
        "text is \"so\"",
    );
    expect_only(
        &diff(),
        &with(2, Change::delete("drafts", 4).field("text", "so")),
    )
    .unwrap();
    expect_only(&diff(), &with(0, Change::modify("tickets", 2))).unwrap();
}

#[test]
fn a_named_field_must_exist_and_hold_what_is_named_though_it_did_not_change() {
    let named = |field, value: &str| {
        with(
            0,
            Change::modify("tickets", 2)
                .field(field, value)
                .and_others(),
        )
    };
    expect_only(&diff(), &named("title", "Mouse")).unwrap();
    fails(
        &named("title", "Printer"),
        "title is \"Mouse\" and not \"Printer\"",
    );
    fails(&named("colour", "red"), "there is no field colour");
    fails(
        &with(1, Change::insert("comments", 9).any("colour").and_others()),
        "there is no field colour",
    );
}

#[test]
fn fields_of_one_row_may_be_named_by_several_changes() {
    let mut changes = with(0, Change::modify("tickets", 2).field("status", "closed"));
    changes.push(Change::modify("tickets", "2").field("updated_at", 2));
    expect_exactly(&diff(), &changes).unwrap();
}

#[test]
fn what_is_ignored_counts_nowhere() {
    let mut ignore = IgnoreConfig::default();
    ignore.tables.insert("drafts".to_owned());
    ignore.fields.insert("updated_at".to_owned());
    let changes = [
        Change::modify("tickets", 2).field("status", "closed"),
        Change::insert("comments", 9),
        Change::modify("seats", ("F1", 2)),
    ];
    expect_exactly(&diff_without(ignore), &changes).unwrap();
}

#[test]
fn specs_of_python_verifiers_read_as_what_they_say() {
    let specs = json!([
        {"table": "tickets", "pk": 2, "field": "status", "after": "closed"},
        {"table": "tickets", "pk": 2, "field": "updated_at", "after": 2},
        {"table": "comments", "pk": 9, "type": "insert", "fields": [["id", 9], ["body", {"any": true}], ["author", null]]},
        {"table": "drafts", "pk": 4, "field": null, "after": "__removed__"},
        {"table": "seats", "pk": ["F1", 2], "type": "modify", "resulting_fields": [["holder", "Ada"]], "no_other_changes": true},
    ]);
    expect_exactly(&diff(), &Change::list_from_json(&specs).unwrap()).unwrap();
}

#[test]
fn a_spec_that_cannot_be_read_says_where_and_why() {
    for (spec, reason) in [
        (json!(7), "no object"),
        (json!({"pk": 1, "type": "insert"}), "`table`"),
        (json!({"table": "t", "type": "insert"}), "`pk`"),
        (json!({"table": "t", "pk": 1}), "`type` or `after`"),
        (
            json!({"table": "t", "pk": 1, "type": "upsert"}),
            "\"upsert\"",
        ),
        (
            json!({"table": "t", "pk": 1, "type": "insert", "fields": [["a"]]}),
            "no pair",
        ),
        (
            json!({"table": "t", "pk": 1, "type": "insert", "fields": {}}),
            "list of pairs",
        ),
        (
            json!({"table": "t", "pk": 1, "type": "insert", "fields": []}),
            "names no field",
        ),
        (
            json!({"table": "t", "pk": 1, "type": "insert", "feilds": [["a", 1]]}),
            "\"feilds\"",
        ),
        (
            json!({"table": "t", "pk": 1, "type": "insert", "resulting_fields": [["a", 1]]}),
            "for modifications",
        ),
        (
            json!({"table": "t", "pk": 1, "fields": [["a", 1]], "after": "__added__"}),
            "needs a `type`",
        ),
        (
            json!({"table": "t", "pk": 1, "type": "modify", "fields": []}),
            "resulting_fields",
        ),
        (
            json!({"table": "t", "pk": 1, "type": "modify", "resulting_fields": [["a", 1]]}),
            "no_other_changes",
        ),
        (
            json!({"table": "t", "pk": 1, "field": null, "after": "gone"}),
            "__removed__",
        ),
    ] {
        let first = json!({"table": "t", "pk": 1, "type": "delete"});
        let error = Change::list_from_json(&json!([first, spec])).unwrap_err();
        assert_eq!(error.index, Some(1), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// Rows of a table without a declared key, whose numbers are not their rowids.
fn keyless(change: &Json) -> Diff {
    let mut table = json!({"primary_key": ["rowid"]});
    let entries = change.as_object().unwrap().clone();
    table.as_object_mut().unwrap().extend(entries);
    let tables = serde_json::from_value(json!({"logs": table})).unwrap();
    Diff::new(tables, IgnoreConfig::default())
}

#[test]
fn where_no_key_is_declared_rows_are_named_by_id_as_the_official_client_does() {
    let modified = keyless(
        &json!({"modified_rows": [{"row_id": 3, "changes": {"text": {"before": "a", "after": "b"}},
        "data": {"rowid": 3, "id": 5, "text": "b"}}]}),
    );
    expect_exactly(&modified, &[Change::modify("logs", 5).field("text", "b")]).unwrap();
    assert!(expect_only(&modified, &[Change::modify("logs", 3)]).is_err());
    let renamed = keyless(
        &json!({"modified_rows": [{"row_id": 3, "changes": {"id": {"before": 5, "after": 6}},
        "data": {"rowid": 3, "id": 6}}]}),
    );
    expect_exactly(&renamed, &[Change::modify("logs", 5).field("id", 6)]).unwrap();
    let plain = keyless(&json!({"added_rows": [{"row_id": 3, "data": {"rowid": 3, "text": "b"}}]}));
    expect_exactly(&plain, &[Change::insert("logs", 3)]).unwrap();
}

#[test]
fn rows_of_one_key_need_a_change_each_and_changes_of_one_row_are_counted() {
    let row = |text: &str| json!({"row_id": null, "data": {"code": null, "text": text}});
    let twice = |kind: &str| {
        let tables = json!({"codes": {"primary_key": ["code"], kind: [row("a"), row("b")]}});
        Diff::new(
            serde_json::from_value(tables).unwrap(),
            IgnoreConfig::default(),
        )
    };
    for kind in ["added_rows", "removed_rows"] {
        let change = |text: &str| {
            let change = match kind {
                "added_rows" => Change::insert("codes", Json::Null),
                _ => Change::delete("codes", Json::Null),
            };
            change.field("text", text)
        };
        let diff = twice(kind);
        // In whatever order they are named, and though the first also fits what is named last.
        let any = Change {
            fields: BTreeMap::new(),
            ..change("")
        };
        expect_exactly(&diff, &[change("b"), change("a")]).unwrap();
        expect_exactly(&diff, &[any.clone(), change("a")]).unwrap();
        assert_eq!(
            expect_only(&diff, &[any]).unwrap_err().iter().count(),
            1,
            "{kind}"
        );
        assert!(expect_only(&diff, &[change("a"), change("a")]).is_err());
        let three = [change("a"), change("b"), change("b")];
        expect_only(&diff, &three).unwrap();
        assert!(expect_exactly(&diff, &three).is_err());
    }
    let twice = [Change::delete("drafts", 4), Change::delete("drafts", "4")];
    let error = expect_exactly(&diff(), &twice).unwrap_err().to_string();
    assert!(error.contains("drafts \"4\" was not deleted"), "{error}");
}
