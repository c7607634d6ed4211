//! The faulty Fleet as a whole: the embedded server, the layer of faults before it, and its ledger.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use fleet_local::{Server, ServerConfig};
use process_tree::Shim;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::ledger::{Ledger, Listed};
use crate::proxy::{Proxy, handle};
use crate::script::{Call, Script};
use crate::wire::{Ending, Wires};

/// Far beyond what the embedded server takes for anything.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(90);

/// How often a wait looks at the ledger.
const LOOK: Duration = Duration::from_millis(10);

/// What a faulty Fleet is made of.
pub struct Setup {
    /// The program that supervises the apps of environments and is behind `{harness}`.
    pub harness: PathBuf,
    /// Folders with environments.
    pub environments: Vec<PathBuf>,
    /// Task files that it serves.
    pub tasks: Vec<PathBuf>,
    /// How many instances it allows at once.
    pub instance_limit: usize,
    /// How much faster than the wall its leases run.
    pub clock_scale: f64,
    /// What goes wrong.
    pub script: Script,
}

impl Setup {
    /// A Fleet with room for everybody.
    pub fn new(harness: impl Into<PathBuf>, environments: impl Into<PathBuf>) -> Self {
        Self {
            harness: harness.into(),
            environments: vec![environments.into()],
            tasks: Vec::new(),
            instance_limit: 64,
            clock_scale: 1.0,
            script: Script::none(),
        }
    }
}

/// A Fleet that fails on request.
pub struct FaultyFleet {
    server: Server,
    proxy: Arc<Proxy>,
    url: String,
    limit: usize,
    foreign: Mutex<BTreeSet<String>>,
}

impl FaultyFleet {
    /// Starts it on a loopback port of its own.
    pub async fn start(setup: Setup) -> Self {
        let mut config = ServerConfig::new(setup.environments);
        config.shim = Shim::new(&setup.harness, ["__shim"]);
        config.harness = setup.harness;
        config.tasks = setup.tasks;
        config.instance_limit = setup.instance_limit;
        config.clock_scale = setup.clock_scale;
        let server = Server::start(config).await.expect("the server starts");
        let client = reqwest::Client::builder()
            .timeout(UPSTREAM_TIMEOUT)
            .no_proxy()
            .no_gzip();
        let proxy = Arc::new(Proxy {
            upstream: server.base_url(),
            client: client.build().unwrap(),
            script: Mutex::new(setup.script),
            entries: Mutex::default(),
            hidden: Mutex::new(HashMap::new()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&proxy))
            .into_make_service_with_connect_info::<Ending>();
        tokio::spawn(async move { axum::serve(Wires(listener), service).await });
        Self {
            server,
            proxy,
            url,
            limit: setup.instance_limit,
            foreign: Mutex::default(),
        }
    }

    /// What clients take as the service's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address without the layer of faults; what goes there is not in the ledger.
    pub fn faultless_url(&self) -> String {
        self.server.base_url()
    }

    /// From now on other things go wrong; the counts begin again.
    pub fn play(&self, script: Script) {
        *self.proxy.script.lock().unwrap() = script;
    }

    /// Everything that happened so far.
    pub async fn ledger(&self) -> Ledger {
        let live = self.live().await;
        Ledger {
            entries: self.proxy.entries.lock().unwrap().clone(),
            live,
            foreign: self.foreign.lock().unwrap().clone(),
            max_live: self.server.snapshot().max_live,
            limit: self.limit,
        }
    }

    /// How often a call came so far.
    pub fn count(&self, call: Call) -> usize {
        let entries = self.proxy.entries.lock().unwrap();
        entries.iter().filter(|entry| entry.call == call).count()
    }

    /// Waits until a call has come so often.
    pub async fn until(&self, times: usize, call: Call) {
        let begun = std::time::Instant::now();
        while self.count(call) < times {
            assert!(
                begun.elapsed() < UPSTREAM_TIMEOUT,
                "{call:?} came {} times and not {times}",
                self.count(call)
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes an instance of another run, behind the harness's back. `None` if there is no room.
    pub async fn make_foreign(&self, environment: &str) -> Option<String> {
        let body = json!({"env_key": environment, "run_id": "somebody-else"});
        let url = format!("{}/v1/env/instances", self.server.base_url());
        let request = self.proxy.client.post(url).json(&body);
        let answer = request.send().await.unwrap();
        if !answer.status().is_success() {
            return None;
        }
        let record: Value = answer.json().await.unwrap();
        let id = record["instance_id"].as_str().unwrap().to_owned();
        self.foreign.lock().unwrap().insert(id.clone());
        Some(id)
    }

    /// Ends an instance, behind the harness's back: it dies.
    pub async fn end_instance(&self, instance: &str) {
        self.proxy.end(instance).await;
    }

    /// Ends everything; nothing may be left of it.
    pub async fn stop(self) {
        let report = self.server.shutdown().await;
        assert!(report.leftovers.is_empty(), "{:?}", report.leftovers);
    }

    async fn live(&self) -> Vec<Listed> {
        let url = format!("{}/v1/env/instances", self.server.base_url());
        let answer = self.proxy.client.get(url).send().await.unwrap();
        let records: Vec<Value> = answer.json().await.unwrap();
        let text = |record: &Value, field: &str| {
            let text = record[field].as_str();
            text.unwrap_or_default().to_owned()
        };
        let listed = records.iter().map(|record| Listed {
            instance: text(record, "instance_id"),
            run_id: text(record, "run_id"),
        });
        listed.collect()
    }
}
