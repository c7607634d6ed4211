//! An instance with a small database, served by a real manager, and requests as clients build them.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet_api::native_verifier;
use fleet_api::types::{ExecuteResponse, ExecuteVerifierBody};
use fleet_local::manager::{InstanceManager, router};
use fleet_local::seam::{
    DatabaseFiles, HookError, InstanceFiles, InstanceView, ManagerHooks, QuietWork,
};
use fleet_local::verify::{
    PythonConfig, SandboxConfig, SandboxMode, VerifierService, VerifyConfig,
};
use futures::future::BoxFuture;
use process_tree::Shim;
use rusqlite::Connection;
use sandbox::Launcher;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub(crate) const SEED: &str = "
    CREATE TABLE tickets(id INTEGER PRIMARY KEY, title TEXT, status TEXT, priority INTEGER, updated_at TEXT, last_viewed_at TEXT);
    INSERT INTO tickets VALUES (1,'Printer','open',1,'d','v'),(2,'Mouse','open',2,'d','v'),(3,'Screen','closed',3,'d','v'),(4,'Cable','open',NULL,'d','v');
    CREATE TABLE comments(id INTEGER PRIMARY KEY AUTOINCREMENT, ticket_id INTEGER, body TEXT);
    INSERT INTO comments VALUES (1,1,'first');
    CREATE TABLE ticket_tags(ticket_id INTEGER, tag_id INTEGER, PRIMARY KEY (ticket_id, tag_id));
    INSERT INTO ticket_tags VALUES (1,1),(1,3),(2,3);
    CREATE TABLE activity(id INTEGER PRIMARY KEY, what TEXT);";

#[derive(Debug)]
struct NoHooks;

impl ManagerHooks for NoHooks {
    fn with_apps_stopped(&self, work: QuietWork) -> BoxFuture<'_, Result<(), HookError>> {
        Box::pin(async move {
            tokio::task::spawn_blocking(work)
                .await
                .unwrap()
                .map_err(HookError::Work)
        })
    }
}

/// One instance.
pub(crate) struct Instance {
    pub(crate) folder: TempDir,
    names: [String; 2],
    files: InstanceFiles,
    root: String,
    running: AtomicBool,
}

impl Instance {
    /// `changes` is what the agent did to the current database.
    pub(crate) fn new(changes: &str) -> Arc<Self> {
        Self::with_root(changes, String::new())
    }

    fn with_root(changes: &str, root: String) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for file in ["seed.db", "current.db"] {
            Connection::open(path(file))
                .unwrap()
                .execute_batch(SEED)
                .unwrap();
        }
        Connection::open(path("current.db"))
            .unwrap()
            .execute_batch(changes)
            .unwrap();
        let databases = BTreeMap::from([(
            "current".to_owned(),
            DatabaseFiles {
                seed: path("seed.db"),
                current: path("current.db"),
            },
        )]);
        let files = InstanceFiles {
            dir: folder.path().to_owned(),
            databases,
        };
        let names = ["a1b2c3d4", "helpdesk"].map(str::to_owned);
        Arc::new(Self {
            names,
            folder,
            files,
            root,
            running: AtomicBool::new(true),
        })
    }

    /// The same, with its manager listening where the official SDK finds it.
    pub(crate) async fn served(changes: &str) -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let instance = Self::with_root(
            changes,
            format!("http://{}/", listener.local_addr().unwrap()),
        );
        let manager = InstanceManager::new(instance.files.clone(), Arc::new(NoHooks));
        let app = Router::new()
            .nest("/web/api/v1/env", router(manager.clone()))
            .nest("/mail/api/v1/env", router(manager));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        instance
    }

    pub(crate) fn end(&self) {
        self.running.store(false, Ordering::Relaxed);
    }

    pub(crate) fn current(&self) -> Connection {
        Connection::open(&self.files.databases["current"].current).unwrap()
    }
}

impl InstanceView for Instance {
    fn instance_id(&self) -> &str {
        &self.names[0]
    }
    fn env_key(&self) -> &str {
        &self.names[1]
    }
    fn files(&self) -> &InstanceFiles {
        &self.files
    }
    fn root_url(&self) -> String {
        self.root.clone()
    }
    fn app_urls(&self) -> Vec<String> {
        vec![format!("{}web/", self.root)]
    }
    fn manager_url(&self) -> String {
        format!("{}web/api/v1/env", self.root)
    }
    fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }
}

/// A service with its own data folder.
pub(crate) struct Service {
    pub(crate) service: VerifierService,
    pub(crate) data: TempDir,
}

pub(crate) fn config(data: &Path, python: PythonConfig) -> VerifyConfig {
    VerifyConfig {
        data_dir: data.to_owned(),
        python,
        time_limit: Duration::from_mins(1),
        memory_limit: None,
        shim: shim(),
        // Nothing listens there: verifiers must not need the control plane.
        base_url: "http://127.0.0.1:9".to_owned(),
        sandbox: SandboxConfig {
            mode: SandboxMode::Require,
            launcher: Launcher::new(TEST_APP),
            read: Vec::new(),
        },
    }
}

const TEST_APP: &str = env!("CARGO_BIN_EXE_fleet-local-test-app");

/// The program that is supervisor, launcher and app in these tests.
pub(crate) fn test_app() -> &'static str {
    TEST_APP
}

pub(crate) fn shim() -> Shim {
    Shim::new(TEST_APP, ["__shim"])
}

impl Service {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut VerifyConfig)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = config(
            data.path(),
            PythonConfig::Existing(PathBuf::from("/nonexistent/python")),
        );
        change(&mut config);
        Self {
            service: VerifierService::new(config).unwrap(),
            data,
        }
    }

    pub(crate) async fn run(
        &self,
        source: &str,
        kwargs: Value,
        instance: &Arc<Instance>,
    ) -> ExecuteResponse {
        self.service
            .execute(
                request(source, kwargs),
                Some(Arc::<Instance>::clone(instance)),
            )
            .await
            .unwrap()
    }

    pub(crate) async fn native(
        &self,
        definition: &Value,
        kwargs: Value,
        instance: &Arc<Instance>,
    ) -> ExecuteResponse {
        self.run(&native_verifier::render(definition), kwargs, instance)
            .await
    }
}

pub(crate) fn bundle(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A request as the official client sends it: keyword arguments in the pickle only.
pub(crate) fn request(source: &str, kwargs: Value) -> ExecuteVerifierBody {
    request_with(
        &[
            ("requirements.txt", "fleet-python"),
            ("verifier.py", source),
        ],
        &json!([null, {"env": "a1b2c3d4"}]),
        kwargs,
    )
}

pub(crate) fn request_with(
    files: &[(&str, &str)],
    args: &Value,
    kwargs: Value,
) -> ExecuteVerifierBody {
    let zip = bundle(files);
    let kwargs = if kwargs.is_null() { json!({}) } else { kwargs };
    let pickled = serde_pickle::to_vec(
        &json!({"args": args, "kwargs": kwargs}),
        serde_pickle::SerOptions::new(),
    )
    .unwrap();
    ExecuteVerifierBody {
        key: Some("task-1".to_owned()),
        sha256: sha256(&zip),
        args: Some(STANDARD.encode(pickled)),
        bundle: Some(STANDARD.encode(zip)),
        ..ExecuteVerifierBody::default()
    }
}

/// The error's kind and message; panics if there is a result.
pub(crate) fn failure(response: &ExecuteResponse) -> (&str, &str) {
    assert!(
        !response.success && response.result.is_none(),
        "{response:?}"
    );
    let error = response
        .error
        .as_ref()
        .expect("a failed verification has an error");
    (&error.kind, &error.message)
}

/// The score, to be compared with a number; panics if there is none.
pub(crate) fn score(response: &ExecuteResponse) -> Value {
    assert!(response.success && response.error.is_none(), "{response:?}");
    response
        .result
        .clone()
        .filter(Value::is_number)
        .expect("a number")
}

/// One of the blocks of stdout, read as graders read it.
pub(crate) fn block(response: &ExecuteResponse, name: &str) -> Vec<String> {
    let stdout = response.stdout.as_deref().unwrap();
    let start = stdout.find(&format!(">>> {name} >>>\n")).expect(name) + name.len() + 9;
    let end = stdout.find(&format!("<<< {name} <<<")).expect(name);
    serde_json::from_str(&stdout[start..end]).unwrap()
}
