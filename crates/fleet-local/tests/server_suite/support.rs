//! A server with a small environment, and a client for it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fleet_api::bundle::Bundle;
use fleet_local::{Server, ServerConfig};
use process_tree::Shim;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const TEST_APP: &str = env!("CARGO_BIN_EXE_fleet-local-test-app");

/// Far more than any wait here needs on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) http: reqwest::Client,
    /// On the command line of every process of this server's apps.
    pub(crate) token: String,
    pub(crate) dir: TempDir,
}

/// The manifest of the environment `notes`; `{token}` is replaced.
pub(crate) const NOTES: &str = r#"
key: notes
name: Notes
versions: {v1.0.0: 2026-01-01, v1.1.0: 2026-02-01}
data:
  default: {current: notes.sql}
  full: {current: full.sql, versions: {v2: {current: notes.sql}}}
apps:
  web:
    command: ["{harness}", serve, --port, "{port}", --db, "{db:current}", --token, TOKEN]
    health: /health
    url: /start
    env: {FROM_PACKAGE: "{instance_id}", OVERRIDDEN: package}
start_timeout: 20s
"#;

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(NOTES, |_| {}).await
    }

    pub(crate) async fn with(manifest: &str, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let (dir, token, config) = prepare(manifest, change);
        let server = Server::start(config).await.unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            server,
            http,
            token,
            dir,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.server.base_url()))
    }

    pub(crate) async fn call(&self, method: Method, path: &str) -> (StatusCode, Value) {
        read(self.request(method, path)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub(crate) async fn try_create(&self, body: Value) -> (StatusCode, Value) {
        read(self.request(Method::POST, "/v1/env/instances").json(&body)).await
    }

    pub(crate) async fn create(&self, body: Value) -> Value {
        let (status, record) = self.try_create(body).await;
        assert_eq!(status, StatusCode::OK, "{record}");
        assert_eq!(record["status"], "running", "{record}");
        record
    }

    pub(crate) async fn create_default(&self) -> Value {
        self.create(json!({"env_key": "notes"})).await
    }

    pub(crate) async fn instance(&self, id: &str) -> Value {
        self.get(&format!("/v1/env/instances/{id}")).await
    }

    /// The answer of a verifier that is run on the instance.
    pub(crate) async fn verify(&self, instance: &str, bundle: &Bundle) -> Value {
        let body = json!({
            "key": "task-1", "sha256": bundle.sha256(), "args_array": [{"env": instance}], "function_name": "verify",
            "timeout": 60, "bundle": bundle.to_base64(),
        });
        let request = self.request(Method::POST, "/v1/verifiers/execute");
        read(request.json(&body)).await.1
    }

    pub(crate) async fn close(&self, id: &str) -> Value {
        let (status, record) = self
            .call(Method::DELETE, &format!("/v1/env/instances/{id}"))
            .await;
        assert_eq!(status, StatusCode::OK, "{record}");
        record
    }

    pub(crate) async fn wait_for_status(&self, id: &str, status: &str) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let record = self.instance(id).await;
            if record["status"] == status {
                return record;
            }
            assert!(Instant::now() < deadline, "never {status}: {record}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn text(&self, url: &str) -> String {
        let answer = self.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        answer.text().await.unwrap()
    }

    /// Waits until at least this many processes of the server's apps are seen. A child that was just forked has the
    /// token in its arguments only once it runs its own program.
    pub(crate) async fn wait_for_processes(&self, least: usize) {
        let deadline = Instant::now() + DEADLINE;
        while self.processes().len() < least {
            assert!(Instant::now() < deadline, "{:?}", self.processes());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Processes of this server's apps that are alive now.
    pub(crate) fn processes(&self) -> Vec<String> {
        processes_with(&self.token)
    }

    pub(crate) async fn stop(self) {
        let token = self.token.clone();
        let report = self.server.shutdown().await;
        assert_eq!(report.leftovers, Vec::<String>::new());
        assert_eq!(processes_with(&token), Vec::<String>::new());
    }
}

/// A folder with one package, its token, and a configuration that serves it.
pub(crate) fn prepare(
    manifest: &str,
    change: impl FnOnce(&mut ServerConfig),
) -> (TempDir, String, ServerConfig) {
    let dir = tempfile::tempdir().unwrap();
    let token = format!("token-{}", uuid::Uuid::new_v4().simple());
    let package = dir.path().join("packages/notes");
    std::fs::create_dir_all(&package).unwrap();
    std::fs::write(
        package.join("environment.yaml"),
        manifest.replace("TOKEN", &token),
    )
    .unwrap();
    let table = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);";
    std::fs::write(package.join("notes.sql"), table).unwrap();
    std::fs::write(
        package.join("full.sql"),
        format!("{table} INSERT INTO notes (text) VALUES ('a'), ('b');"),
    )
    .unwrap();

    let mut config = ServerConfig::new([dir.path().join("packages")]);
    config.shim = Shim::new(TEST_APP, ["__shim"]);
    config.sandbox = sandbox::Launcher::new(TEST_APP);
    config.harness = PathBuf::from(TEST_APP);
    config.data_dir = Some(dir.path().join("data"));
    change(&mut config);
    (dir, token, config)
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON in {status} {text:?}")),
    )
}

pub(crate) fn id(record: &Value) -> &str {
    record["instance_id"].as_str().unwrap()
}

/// Command lines with `token`, found without help of the code under test.
pub(crate) fn processes_with(token: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(line) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(token) {
            found.push(line);
        }
    }
    found
}

pub(crate) fn entries(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

#[expect(
    clippy::print_stderr,
    reason = "whoever runs the tests must see what did not run"
)]
pub(crate) fn say_skipped(why: &str) {
    eprintln!("skipped: {why}");
}
