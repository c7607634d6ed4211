//! Two databases and what happened between them, served by a manager as an instance's would be.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use fleet_api::manager::Manager;
use fleet_local::manager::{InstanceManager, router};
use fleet_local::seam::{DatabaseFiles, HookError, InstanceFiles, ManagerHooks, QuietWork};
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A table for each way of telling rows apart: a number, two fields, nothing, a text, and a number that nobody declared.
const SEED: &str = "
    CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT, qty INTEGER, meta TEXT);
    INSERT INTO items VALUES (1, 'pen', 3, '{\"a\": 1}'), (2, NULL, 0, NULL), (3, 'ink', 7, '[1, 2]');
    CREATE TABLE seats(flight TEXT, no INTEGER, holder TEXT, PRIMARY KEY (flight, no));
    INSERT INTO seats VALUES ('F1', 1, 'Ada'), ('F1', 2, NULL), ('F2', 1, 'Bob');
    CREATE TABLE notes(body TEXT, tag TEXT);
    INSERT INTO notes VALUES ('one', 'x'), ('one', 'x'), ('two', NULL);
    CREATE TABLE codes(code TEXT PRIMARY KEY, rate REAL);
    INSERT INTO codes VALUES ('1', 0.5), ('b', 2);
    CREATE TABLE logs(id INTEGER, text TEXT);
    INSERT INTO logs VALUES (2, 'a'), (1, 'b'), (7, 'c');";

/// The same JSON with other spaces.
const REWRITES: &str = "UPDATE items SET meta = '{\"a\":1}' WHERE id = 1";

/// Statements of which any number in any order may happen. Some change nothing, some only the way a value is written.
const HAPPENINGS: [&str; 22] = [
    "UPDATE items SET qty = 4 WHERE id = 1",
    "UPDATE items SET qty = 3 WHERE id = 1",
    "UPDATE items SET name = NULL, qty = 9 WHERE id = 3",
    REWRITES,
    "UPDATE items SET meta = '{\"a\":2}' WHERE id = 1",
    "INSERT OR IGNORE INTO items VALUES (4, 'cup', 1, NULL)",
    "DELETE FROM items WHERE id = 2",
    "UPDATE items SET id = 9 WHERE id = 3",
    "UPDATE seats SET holder = 'Cy' WHERE flight = 'F1' AND no = 2",
    "INSERT OR IGNORE INTO seats VALUES ('F2', 2, NULL)",
    "DELETE FROM seats WHERE flight = 'F1' AND no = 1",
    "UPDATE notes SET tag = 'y' WHERE rowid = 2",
    "INSERT INTO notes VALUES ('three', 'z')",
    "DELETE FROM notes WHERE rowid = 1",
    "UPDATE codes SET rate = 2.0 WHERE code = 'b'",
    "UPDATE codes SET rate = 0.25 WHERE code = '1'",
    "INSERT OR IGNORE INTO codes VALUES ('c', NULL)",
    "DELETE FROM codes WHERE code = 'b'",
    "INSERT INTO codes VALUES (NULL, 3)",
    "UPDATE logs SET text = 'd' WHERE id = 2",
    "INSERT INTO logs VALUES (9, 'e')",
    "DELETE FROM logs WHERE id = 1",
];

pub(super) fn happenings() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(&HAPPENINGS[..]), 0..5)
}

/// Whether a text was written anew that holds the same JSON.
pub(super) fn rewrote_json(happenings: &[&str]) -> bool {
    happenings.contains(&REWRITES)
}

#[derive(Debug)]
struct Still;

impl ManagerHooks for Still {
    fn with_apps_stopped(&self, _: QuietWork) -> BoxFuture<'_, Result<(), HookError>> {
        unreachable!("nothing is reset here")
    }
}

/// What a manager does otherwise than the embedded server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quirk {
    /// Nothing.
    None,
    /// It does not tell a key's places, as the hosted one does not.
    HidesKeyPlaces,
    /// It answers every query with a failure.
    FailsQueries,
}

async fn quirky(State(quirk): State<Quirk>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let answer = next.run(request).await;
    let failed = || json!({"success": false, "message": "", "error": "disk I/O error"});
    match quirk {
        Quirk::FailsQueries if path.ends_with("/query") || path.ends_with("/structured") => {
            Json(failed()).into_response()
        }
        Quirk::HidesKeyPlaces if path.ends_with("/describe") => {
            let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            let hidden = text.replace("\"pk\":", "\"place\":");
            ([(CONTENT_TYPE, "application/json")], hidden).into_response()
        }
        _ => answer,
    }
}

/// An instance's data behind a manager on a port of its own.
pub(super) struct World {
    _folder: TempDir,
    server: JoinHandle<()>,
    pub(super) url: String,
    pub(super) manager: Manager,
}

impl World {
    pub(super) async fn after(happenings: &[&str]) -> Self {
        Self::with("", happenings, Quirk::None).await
    }

    /// As [`World::after`], with more in the seed and a manager that has a quirk.
    pub(super) async fn with(more: &str, happenings: &[&str], quirk: Quirk) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = DatabaseFiles {
            seed: folder.path().join("seed.db"),
            current: folder.path().join("current.db"),
        };
        write(&database.seed, more, &[]);
        write(&database.current, more, happenings);
        let files = InstanceFiles {
            dir: folder.path().to_owned(),
            databases: BTreeMap::from([("current".to_owned(), database)]),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = router(InstanceManager::new(files, Arc::new(Still)))
            .layer(middleware::from_fn_with_state(quirk, quirky));
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.unwrap();
        });
        let client = fleet_api::Client::builder("unused".into())
            .base_url("http://127.0.0.1:1")
            .runner_token("unused".into())
            .build()
            .unwrap();
        let manager = Manager::at(&client, &url).unwrap();
        Self {
            _folder: folder,
            server,
            url,
            manager,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn write(path: &Path, more: &str, happenings: &[&str]) {
    let database = Connection::open(path).unwrap();
    database.execute_batch(SEED).unwrap();
    database.execute_batch(more).unwrap();
    for statement in happenings {
        database.execute_batch(statement).unwrap();
    }
}
