//! Two small databases, compared.

use std::collections::BTreeMap;

use fleet_api::types::manager::{IgnoreConfig, ModifiedRow, TableDiff, WholeRow};
use fleet_local::manager::diff::{DiffError, structured};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

const LIMIT: usize = 100_000;

fn database(sql: &str) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(sql).unwrap();
    connection
}

fn compare(seed: &str, changes: &str) -> BTreeMap<String, TableDiff> {
    let (before, after) = (database(seed), database(seed));
    after.execute_batch(changes).unwrap();
    structured(&before, &after, &IgnoreConfig::default(), LIMIT).unwrap()
}

trait Identified {
    fn id(&self) -> Value;
}

impl Identified for WholeRow {
    fn id(&self) -> Value {
        self.row_id.clone()
    }
}

impl Identified for ModifiedRow {
    fn id(&self) -> Value {
        self.row_id.clone()
    }
}

fn ids(rows: &[impl Identified]) -> Vec<Value> {
    rows.iter().map(Identified::id).collect()
}

#[test]
fn inserts_deletes_and_updates_are_told_apart() {
    let diff = compare(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b REAL); INSERT INTO t VALUES (1,'x',1.0),(2,'y',2.0),(3,'z',NULL); CREATE TABLE u(id INTEGER PRIMARY KEY);",
        "UPDATE t SET a = 'Y' WHERE id = 2; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (9,'n',0.5);",
    );
    let expected = json!({"table_name": "t", "primary_key": ["id"], "unchanged_count": 1, "total_changes": 3,
        "added_rows": [{"row_id": 9, "data": {"rowid": 9, "id": 9, "a": "n", "b": 0.5}}],
        "removed_rows": [{"row_id": 3, "data": {"rowid": 3, "id": 3, "a": "z", "b": null}}],
        "modified_rows": [{"row_id": 2, "changes": {"a": {"before": "y", "after": "Y"}}, "data": {"rowid": 2, "id": 2, "a": "Y", "b": 2.0}}]});
    assert_eq!(serde_json::to_value(&diff["t"]).unwrap(), expected);
    assert_eq!(diff["u"].total_changes, 0);
}

#[test]
fn composite_keys_are_lists_and_rows_are_not_collapsed() {
    let diff = compare(
        "CREATE TABLE tt(a INTEGER, b TEXT, v INTEGER, PRIMARY KEY (b, a)); INSERT INTO tt VALUES (1,'x',1),(1,'y',2),(2,'x',3);",
        "UPDATE tt SET v = 20 WHERE a = 1 AND b = 'y'; DELETE FROM tt WHERE a = 2;",
    );
    assert_eq!(diff["tt"].primary_key, ["b", "a"]);
    assert_eq!(ids(&diff["tt"].modified_rows), [json!(["y", 1])]);
    assert_eq!(ids(&diff["tt"].removed_rows), [json!(["x", 2])]);
}

#[test]
fn tables_without_a_key_go_by_rowid_even_if_columns_hide_it() {
    let diff = compare(
        "CREATE TABLE k(v TEXT); INSERT INTO k VALUES ('a'),('a'),('b'); CREATE TABLE h(rowid TEXT, v TEXT); INSERT INTO h VALUES ('r1','a'),('r2','b');",
        "UPDATE k SET v = 'c' WHERE rowid = 2; DELETE FROM h WHERE v = 'a';",
    );
    assert_eq!(
        (ids(&diff["k"].modified_rows), diff["k"].unchanged_count),
        (vec![json!(2)], 2)
    );
    assert_eq!(diff["h"].removed_rows.len(), 1);
    assert_eq!(diff["h"].removed_rows[0].data["rowid"], "r1");
}

#[test]
fn without_rowid_text_keys_with_collation_and_null_keys_pair_up() {
    let diff = compare(
        "CREATE TABLE w(k TEXT COLLATE NOCASE PRIMARY KEY, v INTEGER) WITHOUT ROWID; INSERT INTO w VALUES ('b',1),('A',2),('c',3),('ä',4);
         CREATE TABLE n(k TEXT PRIMARY KEY, v INTEGER); INSERT INTO n VALUES (NULL,1),(NULL,2),('x',3);",
        "UPDATE w SET v = 10 WHERE k = 'a'; INSERT INTO w VALUES ('Z',9); UPDATE n SET v = 20 WHERE v = 2; DELETE FROM n WHERE v = 1;",
    );
    assert_eq!(
        (
            ids(&diff["w"].modified_rows),
            ids(&diff["w"].added_rows),
            diff["w"].unchanged_count
        ),
        (vec![json!("A")], vec![json!("Z")], 3)
    );
    assert_eq!(
        (
            ids(&diff["n"].modified_rows),
            ids(&diff["n"].removed_rows),
            diff["n"].unchanged_count
        ),
        (vec![Value::Null], vec![Value::Null], 1)
    );
}

#[test]
fn tables_and_columns_of_one_side_only_are_compared_with_nothing() {
    let diff = compare(
        "CREATE TABLE gone(id INTEGER PRIMARY KEY, v); INSERT INTO gone VALUES (1,'x'); CREATE TABLE wide(id INTEGER PRIMARY KEY, v); INSERT INTO wide VALUES (1,'x'),(2,'y');",
        "DROP TABLE gone; CREATE TABLE new(id INTEGER PRIMARY KEY); INSERT INTO new VALUES (5); ALTER TABLE wide ADD COLUMN extra TEXT; UPDATE wide SET extra = 'e' WHERE id = 2;",
    );
    assert_eq!(ids(&diff["gone"].removed_rows), [json!(1)]);
    assert_eq!(ids(&diff["new"].added_rows), [json!(5)]);
    assert_eq!(
        (
            ids(&diff["wide"].modified_rows),
            diff["wide"].unchanged_count
        ),
        (vec![json!(2)], 1)
    );
    assert_eq!(
        json!(diff["wide"].modified_rows[0].changes["extra"]),
        json!({"before": null, "after": "e"})
    );
}

#[test]
fn a_table_rebuilt_under_another_key_is_replaced_or_paired_by_the_seed_key() {
    let diff = compare(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1,'x'),(2,'y');",
        "DROP TABLE t; CREATE TABLE t(id INTEGER, v TEXT); INSERT INTO t VALUES (2,'y'),(1,'x'),(1,'x');",
    );
    assert_eq!(
        (diff["t"].added_rows.len(), diff["t"].unchanged_count),
        (1, 2)
    );
}

#[test]
fn values_are_compared_by_class() {
    let diff = compare(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1),(2, '1'),(3, NULL),(4, X'00'),(5, 'a');",
        "UPDATE t SET v = 1.0 WHERE id = 1; UPDATE t SET v = 1 WHERE id = 2; UPDATE t SET v = '' WHERE id = 3; UPDATE t SET v = X'01' WHERE id = 4;",
    );
    assert_eq!(
        ids(&diff["t"].modified_rows),
        [json!(2), json!(3), json!(4)]
    );
    assert_eq!(diff["t"].modified_rows[2].data["v"], "AQ==");
}

#[test]
fn ignored_tables_and_fields_are_left_out() {
    let seed = "CREATE TABLE t(id INTEGER PRIMARY KEY, a, at); INSERT INTO t VALUES (1,'x',1),(2,'y',2); CREATE TABLE log(id INTEGER PRIMARY KEY, a);";
    let (before, after) = (database(seed), database(seed));
    after.execute_batch("UPDATE t SET at = 9; UPDATE t SET a = 'z' WHERE id = 2; INSERT INTO log VALUES (1,'e');").unwrap();
    for ignore in [
        json!({"tables": ["log"], "fields": ["at"], "table_fields": {}}),
        json!({"tables": ["log"], "table_fields": {"t": ["at"]}}),
    ] {
        let ignore: IgnoreConfig = serde_json::from_value(ignore).unwrap();
        let diff = structured(&before, &after, &ignore, LIMIT).unwrap();
        assert_eq!(diff.keys().collect::<Vec<_>>(), ["t"]);
        assert_eq!((diff["t"].unchanged_count, diff["t"].total_changes), (1, 1));
        assert_eq!(
            Value::Object(diff["t"].modified_rows[0].data.clone()),
            json!({"rowid": 2, "id": 2, "a": "z"})
        );
    }
}

#[test]
fn full_text_tables_show_their_rows_and_not_their_shadow() {
    let diff = compare(
        "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('one'),('two');",
        "INSERT INTO f VALUES ('three');",
    );
    assert_eq!(diff.keys().collect::<Vec<_>>(), ["f"]);
    assert_eq!(diff["f"].added_rows[0].data["body"], "three");
}

#[test]
fn odd_names_are_quoted() {
    let diff = compare(
        r#"CREATE TABLE "a ""b"" c"("select" INTEGER PRIMARY KEY, "x'y" TEXT); INSERT INTO "a ""b"" c" VALUES (1,'v');"#,
        r#"UPDATE "a ""b"" c" SET "x'y" = 'w';"#,
    );
    assert_eq!(diff["a \"b\" c"].modified_rows.len(), 1);
}

#[test]
fn more_changes_than_the_limit_are_an_error() {
    let (before, after) = (
        database("CREATE TABLE t(id INTEGER PRIMARY KEY)"),
        database("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1),(2),(3)"),
    );
    assert!(matches!(
        structured(&before, &after, &IgnoreConfig::default(), 2),
        Err(DiffError::TooMany { limit: 2 })
    ));
}

/// What the model knows of a row: its key and its value.
type Rows = BTreeMap<(i64, String), Option<i64>>;

fn rows() -> impl Strategy<Value = Rows> {
    let key = (
        -3_i64..4,
        prop::sample::select(vec!["", "a", "A", "b", "é", "~"]).prop_map(str::to_owned),
    );
    prop::collection::btree_map(key, prop::option::of(-2_i64..3), 0..12)
}

fn fill(connection: &Connection, kind: &str, rows: &Rows) {
    connection
        .execute_batch(&format!(
            "CREATE TABLE t(n INTEGER NOT NULL, s TEXT NOT NULL, v, {kind}"
        ))
        .unwrap();
    for ((n, s), v) in rows {
        connection
            .execute("INSERT INTO t VALUES (?, ?, ?)", (n, s, v))
            .unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_diff_of_any_two_tables_is_that_of_their_maps(before in rows(), after in rows(), without_rowid in any::<bool>(), swapped in any::<bool>()) {
        let key = if swapped { "s, n" } else { "n, s" };
        let kind = format!("PRIMARY KEY ({key})){}", if without_rowid { " WITHOUT ROWID" } else { "" });
        let (seed, current) = (Connection::open_in_memory().unwrap(), Connection::open_in_memory().unwrap());
        fill(&seed, &kind, &before);
        fill(&current, &kind, &after);
        let diff = &structured(&seed, &current, &IgnoreConfig::default(), LIMIT).unwrap()["t"];

        let id = |(n, s): &(i64, String)| if swapped { json!([s, n]) } else { json!([n, s]) };
        let sorted = |mut ids: Vec<Value>| { ids.sort_by_key(Value::to_string); ids };
        let only = |one: &Rows, other: &Rows| sorted(one.keys().filter(|key| !other.contains_key(*key)).map(id).collect());
        prop_assert_eq!(sorted(ids(&diff.added_rows)), only(&after, &before));
        prop_assert_eq!(sorted(ids(&diff.removed_rows)), only(&before, &after));
        let modified = before.iter().filter(|(key, value)| after.get(*key).is_some_and(|other| other != *value)).map(|(key, _)| id(key)).collect();
        prop_assert_eq!(sorted(ids(&diff.modified_rows)), sorted(modified));
        let equal = before.iter().filter(|(key, value)| after.get(*key) == Some(value)).count() as u64;
        prop_assert_eq!(diff.unchanged_count, equal);
    }

    #[test]
    fn rows_without_a_key_pair_by_rowid(before in prop::collection::vec(0_i64..3, 0..10), after in prop::collection::vec(0_i64..3, 0..10)) {
        let fill = |values: &[i64]| {
            let connection = database("CREATE TABLE t(v)");
            for value in values { connection.execute("INSERT INTO t VALUES (?)", [value]).unwrap(); }
            connection
        };
        let diff = &structured(&fill(&before), &fill(&after), &IgnoreConfig::default(), LIMIT).unwrap()["t"];
        prop_assert_eq!(diff.added_rows.len(), after.len().saturating_sub(before.len()));
        prop_assert_eq!(diff.removed_rows.len(), before.len().saturating_sub(after.len()));
        prop_assert_eq!(diff.modified_rows.len(), before.iter().zip(&after).filter(|(a, b)| a != b).count());
    }
}
