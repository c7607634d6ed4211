//! Snapshots of databases that are larger, and odder, than those of the other tests.

use fleet_api::manager::{Diff, IgnoreConfig, SnapshotLimits, Value};

use super::world::{Quirk, World};

/// More rows than one statement reads, of a table with a rowid and of one without.
const LARGE: &str = "CREATE TABLE large(name TEXT, bytes BLOB);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 15000) INSERT INTO large SELECT 'r' || n, zeroblob(n % 7) FROM c;
    DELETE FROM large WHERE rowid % 3 = 0; UPDATE large SET rowid = -rowid WHERE rowid % 5 = 0;
    CREATE TABLE pairs(a TEXT, b INTEGER, n REAL, PRIMARY KEY (b, a)) WITHOUT ROWID;
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 12000) INSERT INTO pairs SELECT 'k' || (n % 100), n / 100, n / 8.0 FROM c";

/// What JSON cannot carry, what looks like something else, and names that need quoting.
const ODD: &str = "CREATE TABLE \"an \"\"odd\"\" `name`\"(\"a `b\" TEXT, \"order\", v0);
    INSERT INTO \"an \"\"odd\"\" `name`\" VALUES ('x00', x'00ff', 9e999), ('t', 'AP8=', -9e999), (NULL, x'', 9007199254740993), ('a' || char(0) || 'b', 0.1, 1);
    CREATE TABLE hidden(rowid TEXT, _rowid_ TEXT, oid TEXT); INSERT INTO hidden VALUES ('a', 'b', 'c'), ('a', 'b', 'c');
    CREATE TABLE made(n INTEGER, twice INTEGER AS (n * 2)); INSERT INTO made(n) VALUES (4);
    CREATE TABLE bare(a)";

async fn differences(world: &World) -> (Diff, Diff, bool) {
    let nothing = IgnoreConfig::default();
    let served = world.manager.diff(&nothing).await.unwrap();
    let seed = world.manager.db("seed").snapshot().await.unwrap();
    let current = world.manager.db("current").snapshot().await.unwrap();
    let is_of_one_moment = seed.is_of_one_moment() && current.is_of_one_moment();
    (served, seed.diff(&current, &nothing), is_of_one_moment)
}

#[tokio::test]
async fn a_large_database_is_read_in_pages_and_no_row_is_lost_or_doubled() {
    let happenings = [
        "UPDATE large SET name = 'other' WHERE rowid IN (1, 14999, -10)",
        "DELETE FROM large WHERE rowid = 2",
        "UPDATE pairs SET n = 0 WHERE a = 'k99' AND b = 119",
        "INSERT INTO pairs VALUES ('', -1, NULL)",
    ];
    let world = World::with(LARGE, &happenings, Quirk::None).await;
    let (served, computed, is_of_one_moment) = differences(&world).await;
    assert!(!is_of_one_moment);
    for table in ["large", "pairs"] {
        assert_eq!(served.tables()[table], computed.tables()[table], "{table}");
        assert!(computed.tables()[table].total_changes > 0);
    }
    let seed = world.manager.db("seed").snapshot().await.unwrap();
    assert_eq!(seed.tables()["large"].len(), 10_000);
    assert_eq!(seed.tables()["pairs"].len(), 12_000);
}

#[tokio::test]
async fn values_and_names_of_every_kind_survive() {
    let happenings = [
        "UPDATE \"an \"\"odd\"\" `name`\" SET \"order\" = 'AP8=' WHERE rowid = 1",
        "INSERT INTO hidden VALUES ('a', 'b', 'c')",
        "UPDATE made SET n = 5",
    ];
    let world = World::with(ODD, &happenings, Quirk::None).await;
    let (_, computed, is_of_one_moment) = differences(&world).await;
    assert!(is_of_one_moment);
    // By the letters of base64 these bytes and that text would be one.
    let odd = "an \"odd\" `name`";
    assert_eq!(computed.tables()[odd].modified_rows.len(), 1);
    assert_eq!(computed.tables()["hidden"].added_rows.len(), 1);
    assert_eq!(computed.tables()["made"].modified_rows[0].changes.len(), 1);
    assert_eq!(computed.total_changes(), 3);
    let seed = world.manager.db("seed").snapshot().await.unwrap();
    let rows: Vec<&[Value]> = seed.tables()[odd].rows().collect();
    let expected: [[Value; 3]; 4] = [
        ["x00".into(), vec![0_u8, 255].into(), f64::INFINITY.into()],
        ["t".into(), "AP8=".into(), f64::NEG_INFINITY.into()],
        [Value::Null, vec![].into(), 9_007_199_254_740_993_i64.into()],
        ["a\0b".into(), 0.1.into(), 1.into()],
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_snapshot_is_of_the_moment_it_was_taken_in_and_never_a_part() {
    let world = World::after(&[]).await;
    let db = world.manager.db("current");
    let before = db.snapshot().await.unwrap();
    let done = db
        .exec("UPDATE items SET qty = ? WHERE id = ?", (99, 1))
        .await
        .unwrap();
    assert_eq!(done.rows_affected, Some(1));
    let after = db.snapshot().await.unwrap();
    let diff = before.diff(&after, &IgnoreConfig::default());
    assert_eq!(
        diff.tables()["items"].modified_rows[0].changes["qty"].before,
        3
    );
    let mut limits = SnapshotLimits::default();
    limits.rows = 5;
    let error = db.snapshot_within(limits).await.unwrap_err();
    assert!(error.to_string().contains("larger than 5 rows"), "{error}");
    limits = SnapshotLimits::default();
    limits.bytes = 100;
    assert!(db.snapshot_within(limits).await.is_err());
}

/// The statements of the builder, on a database that is one.
#[tokio::test]
async fn built_queries_find_what_they_say() {
    let world = World::after(&[]).await;
    let db = world.manager.db("current");
    let items = || db.table("items");
    assert_eq!(items().count().await.unwrap(), 3);
    assert_eq!(items().limit(2).count().await.unwrap(), 2);
    assert!(items().is_null("name").exists().await.unwrap());
    assert!(!items().limit(0).exists().await.unwrap());
    let names: Vec<String> = items()
        .like("name", "%N%")
        .order_by_desc("id")
        .select(["name"])
        .all()
        .await
        .unwrap()
        .column("name")
        .unwrap();
    assert_eq!(names, ["ink", "pen"]);
    assert_eq!(items().not_in("name", ["pen"]).count().await.unwrap(), 2);
    assert_eq!(
        items()
            .is_in("name", [Some("pen"), None])
            .count()
            .await
            .unwrap(),
        2
    );
    let joined = items()
        .join("seats", [(("items", "id"), ("seats", "no"))])
        .eq(("seats", "flight"), "F1");
    assert_eq!(joined.count().await.unwrap(), 2);
    items().eq("id", 3).expect_eq("qty", 7).await.unwrap();
    assert!(items().expect_count(4).await.unwrap_err().is_unmet());
    // A misspelt column is an error and not a piece of text that equals nothing.
    let misspelt = items().eq("nmae", "pen").count().await.unwrap_err();
    assert!(misspelt.to_string().contains("nmae"), "{misspelt}");
    let refused = db.query("DELETE FROM items", ()).await;
    assert!(refused.is_err() && items().exists().await.unwrap());
}
