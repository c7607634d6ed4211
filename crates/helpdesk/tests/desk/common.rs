//! What the integration tests share: a desk on a port of its own, requests, the example files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use helpdesk::{ServeOptions, Today, bind};
use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

/// The `examples` folder of the repository.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// A fresh database from a seed script.
pub(crate) fn seeded(path: &Path, data: &str) -> Connection {
    let script = examples().join(format!("environments/helpdesk/seeds/{data}.sql"));
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(&fs::read_to_string(script).unwrap())
        .unwrap();
    connection
}

/// A desk that serves until [`Desk::stop`] or until it is dropped.
pub(crate) struct Desk {
    pub(crate) url: String,
    pub(crate) folder: TempDir,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Desk {
    pub(crate) async fn open(data: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        drop(seeded(&folder.path().join("seed.db"), data));
        fs::copy(
            folder.path().join("seed.db"),
            folder.path().join("current.db"),
        )
        .unwrap();
        let mut options = ServeOptions::new(folder.path().join("current.db"));
        options.today = Today::parse("2026-11-16").unwrap();
        "Robin Vale".clone_into(&mut options.actor);
        let listening = bind(&options).await.unwrap();
        let url = format!("http://{}", listening.address());
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            listening
                .serve(async {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
        });
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            url,
            folder,
            client,
            stop: Some(stop),
            server,
        }
    }

    pub(crate) fn seed(&self) -> Connection {
        Connection::open(self.folder.path().join("seed.db")).unwrap()
    }

    pub(crate) fn current(&self) -> Connection {
        Connection::open(self.folder.path().join("current.db")).unwrap()
    }

    /// A JSON request; the answer must be JSON too.
    pub(crate) async fn api(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self
            .client
            .request(method, format!("{}/api{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")),
        )
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, value) = self.api(Method::GET, path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {value}");
        value
    }

    pub(crate) async fn page(&self, path: &str) -> (StatusCode, String) {
        let response = self
            .client
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// Sends a form; gives the status, where it leads to, and the page.
    pub(crate) async fn submit(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> (StatusCode, String, String) {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let response = self
            .client
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .unwrap();
        let location = response
            .headers()
            .get("location")
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default();
        (response.status(), location, response.text().await.unwrap())
    }

    pub(crate) async fn stop(mut self) -> TempDir {
        let _ = self.stop.take().unwrap().send(());
        self.server.await.unwrap();
        self.folder
    }
}
