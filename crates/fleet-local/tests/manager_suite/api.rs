//! The manager's endpoints over its router.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use fleet_local::manager::files::{Baseline, Tree};
use fleet_local::manager::query::Limits;
use fleet_local::manager::{InstanceManager, Services, router};
use fleet_local::seam::{DatabaseFiles, HookError, InstanceFiles, ManagerHooks, QuietWork};
use futures::future::BoxFuture;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

const SEED: &str = "
    CREATE TABLE tickets(id INTEGER PRIMARY KEY, title TEXT NOT NULL, status TEXT DEFAULT 'open', note BLOB);
    INSERT INTO tickets VALUES (1, 'Printer', 'open', NULL), (2, 'Mouse', 'open', X'00ff'), (3, 'Screen', 'closed', NULL);
    CREATE TABLE ticket_tags(ticket_id INTEGER, tag_id INTEGER, PRIMARY KEY (tag_id, ticket_id));";

#[derive(Debug, Default)]
struct Hooks {
    restarts: AtomicUsize,
}

impl ManagerHooks for Hooks {
    fn with_apps_stopped(&self, work: QuietWork) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async move {
            tokio::task::spawn_blocking(work)
                .await
                .unwrap()
                .map_err(HookError::Work)?;
            self.restarts.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }
}

struct Fixture {
    folder: TempDir,
    router: Router,
    hooks: Arc<Hooks>,
}

impl Fixture {
    fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    fn with_limits(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for file in ["seed.db", "current.db"] {
            Connection::open(path(file))
                .unwrap()
                .execute_batch(SEED)
                .unwrap();
        }
        let mut permissions = std::fs::metadata(path("seed.db")).unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(path("seed.db"), permissions).unwrap();
        let databases = BTreeMap::from([(
            "current".to_owned(),
            DatabaseFiles {
                seed: path("seed.db"),
                current: path("current.db"),
            },
        )]);
        let hooks = Arc::new(Hooks::default());
        let manager = InstanceManager::with_limits(
            InstanceFiles {
                dir: folder.path().to_owned(),
                databases,
            },
            Arc::<Hooks>::clone(&hooks),
            limits,
        );
        Self {
            router: router(manager),
            folder,
            hooks,
        }
    }

    /// The same instance, whose files so far are those that it began with.
    fn with_baseline(mut self) -> Self {
        let files = self.files();
        let services = Services {
            baseline: Arc::new(Baseline::take(&Tree::of(&files))),
            ..Services::default()
        };
        let hooks = Arc::<Hooks>::clone(&self.hooks);
        let manager = InstanceManager::with_services(files, hooks, Limits::default(), services);
        self.router = router(manager);
        self
    }

    fn files(&self) -> InstanceFiles {
        let path = |name: &str| self.folder.path().join(name);
        let database = DatabaseFiles {
            seed: path("seed.db"),
            current: path("current.db"),
        };
        InstanceFiles {
            dir: self.folder.path().to_owned(),
            databases: BTreeMap::from([("current".to_owned(), database)]),
        }
    }

    fn current(&self) -> Connection {
        Connection::open(self.folder.path().join("current.db")).unwrap()
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        (
            status,
            response
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .to_vec(),
        )
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self
            .send(Request::get(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(status, StatusCode::OK, "{path}");
        serde_json::from_slice(&body).unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, body) = self
            .send(
                Request::post(path)
                    .body(Body::from(body.to_string()))
                    .unwrap(),
            )
            .await;
        assert_eq!(status, StatusCode::OK, "{path}");
        serde_json::from_slice(&body).unwrap()
    }

    async fn query(&self, resource: &str, sql: &str, args: Value, read_only: bool) -> Value {
        let body = json!({"query": sql, "args": args, "read_only": read_only});
        self.post(&format!("/resources/sqlite/{resource}/query"), &body)
            .await
    }

    async fn error(&self, sql: &str, args: Value, read_only: bool) -> String {
        let answer = self.query("current", sql, args, read_only).await;
        assert_eq!(answer["success"], false, "{sql}: {answer}");
        assert!(answer["message"].is_string(), "{answer}");
        answer["error"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn resources_health_and_time_have_the_fields_that_the_client_requires() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.get("/resources").await,
        json!([{"name": "seed", "type": "sqlite", "mode": "ro", "label": "Seed database"}, {"name": "current", "type": "sqlite", "mode": "rw", "label": "Current database"}])
    );
    let health = fixture.get("/health").await;
    assert!(
        ["status", "timestamp", "service"]
            .iter()
            .all(|field| health[field].is_string()),
        "{health}"
    );
    assert!(fixture.get("/timestamp").await["timestamp"].is_string());
}

#[tokio::test]
async fn describe_gives_the_position_in_the_key() {
    let fixture = Fixture::new();
    let answer = fixture.get("/resources/sqlite/seed/describe").await;
    assert_eq!(
        (&answer["success"], &answer["resource_name"]),
        (&json!(true), &json!("seed"))
    );
    let tables = answer["tables"].as_array().unwrap();
    assert_eq!(
        tables
            .iter()
            .map(|table| table["name"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["ticket_tags", "tickets"]
    );
    assert_eq!(
        tables[0]["columns"][0],
        json!({"cid": 0, "name": "ticket_id", "type": "INTEGER", "notnull": false, "default_value": null, "primary_key": true, "pk": 2})
    );
    assert_eq!(tables[1]["columns"][2]["default_value"], "'open'");
    assert_eq!(
        fixture.get("/resources/sqlite/nope/describe").await["success"],
        false
    );
}

#[tokio::test]
async fn a_query_answers_columns_rows_and_types() {
    let fixture = Fixture::new();
    let answer = fixture
        .query(
            "current",
            "SELECT id, title, note, id / 4.0 AS q FROM tickets WHERE id = ?",
            json!([2]),
            true,
        )
        .await;
    assert_eq!(
        answer,
        json!({"success": true, "message": "Query executed successfully", "columns": ["id", "title", "note", "q"], "rows": [[2, "Mouse", "AP8=", 0.5]],
               "rows_affected": null, "last_insert_id": null, "error": null})
    );
    let empty = fixture
        .query(
            "current",
            "SELECT id FROM tickets WHERE id = '77'",
            Value::Null,
            true,
        )
        .await;
    assert_eq!(
        (&empty["columns"], &empty["rows"]),
        (&json!(["id"]), &json!([]))
    );
    // Numbers quoted as text, as the client's targeted checks send them, find rows by the column's affinity.
    assert_eq!(
        fixture
            .query(
                "current",
                "SELECT title FROM tickets WHERE \"id\" = '2' -- comment",
                json!([]),
                true
            )
            .await["rows"],
        json!([["Mouse"]])
    );
}

#[tokio::test]
async fn writes_are_done_where_they_are_allowed_and_refused_with_sqlites_words_elsewhere() {
    let fixture = Fixture::new();
    let answer = fixture
        .query(
            "current",
            "INSERT INTO tickets(title) VALUES (?), (?)",
            json!(["a", true]),
            false,
        )
        .await;
    assert_eq!(
        (
            &answer["rows_affected"],
            &answer["last_insert_id"],
            &answer["rows"]
        ),
        (&json!(2), &json!(5), &json!([]))
    );
    let returning = fixture
        .query(
            "current",
            "UPDATE tickets SET status = 'x' WHERE id = 1 RETURNING status",
            json!(null),
            false,
        )
        .await;
    assert_eq!(
        (&returning["rows"], &returning["rows_affected"]),
        (&json!([["x"]]), &json!(1))
    );
    assert_eq!(
        fixture
            .error("DELETE FROM tickets", json!(null), true)
            .await,
        "attempt to write a readonly database"
    );
    let seed = fixture
        .query("seed", "DELETE FROM tickets", json!(null), false)
        .await;
    assert_eq!(
        (&seed["success"], &seed["error"]),
        (
            &json!(false),
            &json!("attempt to write a readonly database")
        )
    );
    assert_eq!(
        fixture
            .current()
            .query_row("SELECT count(*) FROM tickets", [], |row| row
                .get::<_, i64>(0))
            .unwrap(),
        5
    );
}

#[tokio::test]
async fn mistakes_are_answered_in_words() {
    let fixture = Fixture::new();
    let table = [
        ("SELEKT 1", json!([]), "syntax error"),
        ("SELECT * FROM nope", json!([]), "no such table: nope"),
        ("SELECT ?", json!([]), "1 placeholders, 0 arguments"),
        ("SELECT 1", json!([1]), "0 placeholders, 1 arguments"),
        ("SELECT ?", json!([[1]]), "argument 1"),
        ("SELECT 1; SELECT 2", json!([]), "more than one statement"),
        (
            "CREATE TABLE x(a); INSERT INTO x VALUES (1)",
            json!([]),
            "more than one statement",
        ),
        ("  -- nothing", json!([]), "empty"),
    ];
    for (sql, args, text) in table {
        let error = fixture.error(sql, args, false).await;
        assert!(error.contains(text), "{sql}: {error}");
    }
    assert_eq!(
        fixture.query("nope", "SELECT 1", json!([]), true).await["success"],
        false
    );
    assert_eq!(
        fixture
            .post(
                "/resources/sqlite/current/query",
                &json!({"sql": "SELECT 1"})
            )
            .await["success"],
        false
    );
    assert_eq!(
        fixture
            .current()
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| row
                .get::<_, i64>(0))
            .unwrap(),
        3
    );
}

#[tokio::test]
async fn no_statement_reaches_another_file() {
    let fixture = Fixture::new();
    let other = fixture.folder.path().join("other.db");
    let path = other.display();
    for sql in [
        format!("ATTACH '{path}' AS o"),
        format!("ATTACH '{path}' || '' AS o"),
        format!("VACUUM INTO '{path}'"),
        "SELECT load_extension('x')".to_owned(),
        format!(
            "PRAGMA temp_store_directory = '{}'",
            fixture.folder.path().display()
        ),
        "PRAGMA journal_mode = WAL".to_owned(),
        "PRAGMA query_only = 0".to_owned(),
    ] {
        fixture.error(&sql, json!([]), false).await;
        assert!(!other.exists(), "{sql}");
    }
    assert_eq!(
        fixture.query("current", "VACUUM", json!([]), false).await["success"],
        true
    );
    assert_eq!(
        fixture
            .query("current", "PRAGMA table_info(tickets)", json!([]), true)
            .await["rows"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn time_rows_and_bytes_are_limited() {
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let fixture = Fixture::with_limits(Limits {
        time: Duration::from_millis(100),
        rows: 10,
        bytes: 1000,
    });
    let started = Instant::now();
    assert!(
        fixture
            .error(endless, json!([]), true)
            .await
            .contains("longer than 0.1 s")
    );
    assert!(started.elapsed() < Duration::from_secs(10));
    let many =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 11) SELECT i FROM n";
    assert!(
        fixture
            .error(many, json!([]), true)
            .await
            .contains("more than 10 rows")
    );
    assert!(
        fixture
            .error("SELECT hex(zeroblob(600))", json!([]), true)
            .await
            .contains("larger than 1000 bytes")
    );
    assert_eq!(
        fixture.query("current", "SELECT 1", json!([]), true).await["success"],
        true
    );
}

#[tokio::test]
async fn reset_restores_the_seed_and_restarts_the_apps() {
    let fixture = Fixture::new();
    fixture
        .current()
        .execute_batch("PRAGMA journal_mode = WAL; DELETE FROM tickets; CREATE TABLE extra(a);")
        .unwrap();
    let answer = fixture
        .post("/reset", &json!({"timestamp": null, "seed": null}))
        .await;
    assert_eq!(
        (&answer["success"], answer["message"].is_string()),
        (&json!(true), true)
    );
    assert_eq!(fixture.hooks.restarts.load(Ordering::Relaxed), 1);
    let diff = fixture.post("/diff/structured", &json!({})).await;
    assert!(
        diff["diff"]
            .as_object()
            .unwrap()
            .values()
            .all(|table| table["total_changes"] == 0),
        "{diff}"
    );
    assert!(diff["diff"].get("extra").is_none());
    // The copy is writable although the seed is not.
    assert_eq!(
        fixture
            .query("current", "DELETE FROM tickets", json!([]), false)
            .await["rows_affected"],
        3
    );
    let (status, _) = fixture
        .send(Request::post("/reset").body(Body::empty()).unwrap())
        .await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_structured_diff_sees_what_another_process_wrote() {
    let fixture = Fixture::new();
    fixture.current().execute_batch("UPDATE tickets SET status = 'closed' WHERE id = 2; INSERT INTO ticket_tags VALUES (2, 7);").unwrap();
    let diff = fixture
        .post(
            "/diff/structured",
            &json!({"ignore_config": {"tables": [], "fields": [], "table_fields": {}}}),
        )
        .await;
    assert_eq!(diff["success"], true);
    assert_eq!(diff["diff"]["tickets"]["modified_rows"][0]["row_id"], 2);
    assert_eq!(
        diff["diff"]["ticket_tags"]["added_rows"][0]["row_id"],
        json!([7, 2])
    );
    let ignored = fixture
        .post(
            "/diff/structured",
            &json!({"ignore_config": {"tables": ["ticket_tags"], "fields": ["status"]}}),
        )
        .await;
    assert_eq!(
        (
            &ignored["diff"]["tickets"]["total_changes"],
            ignored["diff"].get("ticket_tags")
        ),
        (&json!(0), None)
    );
    let (status, body) = fixture
        .send(
            Request::post("/diff/structured")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(
        (
            status,
            serde_json::from_slice::<Value>(&body).unwrap()["success"].clone()
        ),
        (StatusCode::OK, json!(true))
    );
}

#[tokio::test]
async fn files_stay_inside_their_folder() {
    let fixture = Fixture::new();
    // The databases are no files of their own.
    let changed = fixture.post("/diff/fs", &json!({})).await;
    assert_eq!(changed["files"], json!([]));
    let missing = fixture
        .post("/fs/file", &json!({"path": "/report.txt"}))
        .await;
    assert_eq!(
        (&missing["success"], &missing["exists"]),
        (&json!(true), &json!(false))
    );

    let root = fixture.folder.path();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "not of this instance").unwrap();
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::write(root.join("sub/report.txt"), "hello world").unwrap();
    std::fs::write(root.join("image.bin"), [0, 1, 2]).unwrap();
    std::os::unix::fs::symlink(outside.path(), root.join("link")).unwrap();
    std::os::unix::fs::symlink("sub/report.txt", root.join("inner")).unwrap();
    let read = async |path: &str| {
        let body = json!({"path": path, "max_content_size": 11});
        fixture.post("/fs/file", &body).await
    };
    let full = root.join("sub/report.txt");
    for path in [
        "/sub/report.txt",
        "sub/report.txt",
        "/inner",
        full.to_str().unwrap(),
    ] {
        let report = read(path).await;
        assert_eq!(
            (&report["exists"], &report["size"], &report["content"]),
            (&json!(true), &json!(11), &json!("hello world")),
            "{path}"
        );
    }
    for path in [
        "../seed.db",
        "/../seed.db",
        "/sub/../../seed.db",
        "/seed.db",
        "/current.db",
        "/link",
        "/sub",
        "",
    ] {
        assert_eq!(read(path).await["exists"], false, "{path}");
    }
    let binary = read("/image.bin").await;
    assert_eq!(
        (&binary["file_type"], &binary["content"]),
        (&json!("binary"), &Value::Null)
    );
    // What is longer than asked for is not cut: half a file would be compared as if it were one.
    let body = json!({"path": "/sub/report.txt", "max_content_size": 5});
    let longer = fixture.post("/fs/file", &body).await;
    assert_eq!(
        (&longer["exists"], &longer["content"]),
        (&json!(true), &Value::Null)
    );
}

#[tokio::test]
async fn files_are_given_as_text_as_bytes_and_by_folder() {
    let fixture = Fixture::new();
    let root = fixture.folder.path();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::write(root.join("sub/report.txt"), "hello world").unwrap();
    std::fs::write(root.join("image.bin"), [0, 1, 2]).unwrap();
    std::os::unix::fs::symlink(outside.path(), root.join("link")).unwrap();
    std::os::unix::fs::symlink("sub/report.txt", root.join("inner")).unwrap();
    let (status, text) = fixture
        .send(
            Request::post("/fs/file/text")
                .body(Body::from(r#"{"path": "sub/report.txt"}"#))
                .unwrap(),
        )
        .await;
    assert_eq!(
        (status, text.as_slice()),
        (StatusCode::OK, &b"hello world"[..])
    );
    let (status, bytes) = fixture
        .send(
            Request::get("/fs/file/get?path=/image.bin")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, &[0, 1, 2][..]));
    let (status, _) = fixture
        .send(
            Request::get("/fs/file/get?path=/link")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let listing = fixture.get("/fs/list?path=/").await;
    let entries = listing["entries"].as_array().unwrap();
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry["path"].as_str().unwrap(),
                entry["type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("/image.bin", "file"),
            ("/inner", "symlink"),
            ("/link", "symlink"),
            ("/sub", "directory")
        ]
    );
    assert_eq!(fixture.get("/fs/list?path=/nowhere").await["exists"], false);
}

#[tokio::test]
async fn files_are_compared_with_what_the_instance_began_with() {
    let fixture = Fixture::new();
    let root = fixture.folder.path();
    for (name, text) in [
        ("same", "a"),
        ("rewritten", "b"),
        ("changed", "c"),
        ("gone", "d"),
    ] {
        std::fs::write(root.join(name), text).unwrap();
    }
    let fixture = fixture.with_baseline();
    let root = fixture.folder.path();
    assert_eq!(fixture.post("/diff/fs", &json!({})).await["total_files"], 0);
    std::fs::write(root.join("rewritten"), "b").unwrap();
    std::fs::write(root.join("changed"), "C").unwrap();
    std::fs::remove_file(root.join("gone")).unwrap();
    std::fs::create_dir(root.join("new")).unwrap();
    std::fs::write(root.join("new/long.txt"), "x".repeat(200_000)).unwrap();
    let diff = fixture.post("/diff/fs", &json!({})).await;
    let files: Vec<_> = diff["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["path"].as_str().unwrap(),
                file["file_type"].as_str().unwrap(),
                &file["content"],
            )
        })
        .collect();
    assert_eq!(
        files,
        [
            ("/changed", "text", &json!("C")),
            ("/gone", "deleted", &Value::Null),
            ("/new/long.txt", "text", &Value::Null)
        ]
    );
    assert_eq!(
        (&diff["total_files"], &diff["total_size"]),
        (&json!(3), &json!(200_001))
    );
}

#[tokio::test]
async fn what_there_is_not_is_said_so() {
    let fixture = Fixture::new();
    for path in [
        "/resources/cdp/start",
        "/execute_verifier_function",
        "/fs/doc/metadata",
        "/fs/doc/structured",
    ] {
        assert_eq!(
            fixture
                .post(
                    path,
                    &json!({"path": "a", "function_code": "", "function_name": ""})
                )
                .await["success"],
            false,
            "{path}"
        );
    }
    assert_eq!(
        fixture.get("/resources/cdp/describe").await["success"],
        false
    );
    let (status, _) = fixture
        .send(Request::get("/snapshot").body(Body::empty()).unwrap())
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn queries_run_beside_each_other_and_beside_a_writer() {
    let fixture = Fixture::new();
    let writer = fixture.current();
    writer
        .execute_batch("BEGIN; UPDATE tickets SET status = 'x';")
        .unwrap();
    let queries = (0..20).map(|_| {
        fixture.query(
            "current",
            "SELECT count(*) FROM tickets WHERE status = 'open'",
            json!([]),
            true,
        )
    });
    for answer in futures::future::join_all(queries).await {
        assert_eq!(answer["rows"], json!([[2]]));
    }
    writer.execute_batch("COMMIT").unwrap();
    assert!(Path::new(&fixture.folder.path().join("current.db")).exists());
}
