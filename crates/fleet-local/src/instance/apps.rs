//! The processes of one instance: setup commands once, then the apps in the order of the package,
//! each until it is healthy.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::{join_all, select_all};
use process_tree::{Containment, OutputSink, ProcessTree, TreeCommand, TreeExit};
use tokio::time::Instant;

use super::files::LOGS;
use super::output::{ending, last_words};
use super::ports::Port;
use super::record::Instance;
use super::supervisor::Host;
use crate::package::{AppManifest, Package, PlaceholderError, Values};
use crate::programs::survivors;

/// The address that apps are asked to listen on.
const HOST: &str = "127.0.0.1";

/// What commands of a package inherit; everything else they must be given.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

/// Kept of each output stream of an app. It is there to explain failures, not to archive traffic.
const LOG_LIMIT: u64 = 8 << 20;

/// Bounds of the pause between two looks at an app's health: short at first, as most apps are up
/// within milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// One health answer may take this long; a slower one is asked for again.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a start is repeated when somebody else took a port between its reservation and its
/// use.
const PORT_RETRIES: u32 = 3;

/// Why the apps do not run.
#[derive(Debug)]
pub(super) enum StartFailure {
    /// The end of the instance was asked for meanwhile.
    EndRequested,
    /// In words for a person.
    Failed(String),
}

struct RunningApp {
    name: String,
    tree: ProcessTree,
    logs: [PathBuf; 2],
}

/// The processes of one instance.
pub(super) struct AppGroup<'a> {
    host: &'a Host,
    instance: &'a Instance,
    ports: Vec<Port>,
    running: Vec<RunningApp>,
    /// Counts starts, so that a restart does not overwrite the logs of the start before.
    starts: u32,
    leftovers: Vec<String>,
}

impl<'a> AppGroup<'a> {
    pub(super) fn new(host: &'a Host, instance: &'a Instance) -> Self {
        Self {
            host,
            instance,
            ports: Vec::new(),
            running: Vec::new(),
            starts: 0,
            leftovers: Vec::new(),
        }
    }

    /// The port of each app, in the order of the package. Stable from the first successful start
    /// on.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.ports.iter().map(Port::number).collect()
    }

    /// Runs the setup commands, one after the other.
    pub(super) async fn set_up(&mut self, deadline: Instant) -> Result<(), StartFailure> {
        let values = self.common_values();
        for (index, command) in self.package().setup.iter().enumerate() {
            let what = format!("setup command {}", index + 1);
            let command = values
                .fill_all(command)
                .map_err(|error| placeholder(&what, &error))?;
            let logs = self.log_files(&format!("setup-{}", index + 1));
            let mut tree = self
                .spawn(&what, &command, self.environment(&[], None), &logs)
                .await?;
            let exit = self.watch(&what, &mut tree, deadline).await;
            if !matches!(exit, Ok(ref exit) if exit.status.success()) {
                let reason = match exit {
                    Ok(exit) => Err(StartFailure::Failed(format!(
                        "{what} {}{}",
                        ending(&exit),
                        words(&logs)
                    ))),
                    Err(failure) => Err(failure),
                };
                tree.terminate();
                let exit = tree.wait().await;
                self.note_survivors(&what, &exit);
                return reason;
            }
        }
        Ok(())
    }

    /// Starts every app and waits until all are healthy. After a failure nothing of this start is
    /// left running.
    pub(super) async fn start(&mut self, deadline: Instant) -> Result<(), StartFailure> {
        let first = self.ports.is_empty();
        for _ in 0..PORT_RETRIES {
            if self.ports.is_empty() {
                for _ in &self.package().apps {
                    let port =
                        Port::reserve().map_err(|error| StartFailure::Failed(error.to_string()))?;
                    self.ports.push(port);
                }
            }
            let outcome = self.start_once(deadline).await;
            if outcome.is_ok() {
                return Ok(());
            }
            self.stop().await;
            // Our own apps are gone, so a port in use was taken by somebody else. Only a first
            // start may move: later the URLs are known.
            let moved = first && self.ports.iter().any(Port::is_taken);
            if !moved || self.instance.is_end_requested() {
                return outcome;
            }
            let instance = &self.instance.id;
            tracing::debug!(%instance, "a port was taken by another process; starting on others");
            self.ports.clear();
        }
        Err(StartFailure::Failed(
            "ports were taken by other processes again and again".to_owned(),
        ))
    }

    /// The processes that were started as apps.
    pub(super) fn commands(&self) -> Vec<u32> {
        self.running.iter().map(|app| app.tree.pid()).collect()
    }

    /// The name and the end of the first app that ends. Safe to drop; pending forever if none runs.
    pub(super) async fn next_exit(&mut self) -> String {
        if self.running.is_empty() {
            return std::future::pending().await;
        }
        let waits = self.running.iter_mut().map(|app| Box::pin(app.tree.wait()));
        let (exit, index, _) = select_all(waits).await;
        let app = self.running.remove(index);
        let what = format!("app {:?}", app.name);
        self.note_survivors(&what, &exit);
        format!("{what} {}{}", ending(&exit), words(&app.logs))
    }

    /// Ends every app and waits until their trees are gone.
    pub(super) async fn stop(&mut self) {
        let apps = std::mem::take(&mut self.running);
        let exits = join_all(apps.into_iter().rev().map(|mut app| async move {
            app.tree.terminate();
            (app.name.clone(), app.tree.wait().await)
        }))
        .await;
        for (name, exit) in exits {
            self.note_survivors(&format!("app {name:?}"), &exit);
        }
    }

    /// Processes that could not be ended so far, one line each.
    pub(super) fn into_leftovers(self) -> Vec<String> {
        self.leftovers
    }

    async fn start_once(&mut self, deadline: Instant) -> Result<(), StartFailure> {
        self.starts += 1;
        let package = self.package();
        let mut values = self.common_values();
        for ((name, _), port) in package.apps.iter().zip(&self.ports) {
            values.set(format!("port:{name}"), port.number().to_string());
        }
        for (index, (name, manifest)) in package.apps.iter().enumerate() {
            let what = format!("app {name:?}");
            let port = self.ports[index].number();
            let mut values = values.clone();
            values.set("port", port.to_string());
            let command = values
                .fill_all(&manifest.command)
                .map_err(|error| placeholder(&what, &error))?;
            let own = manifest
                .env
                .iter()
                .map(|(key, value)| values.fill(value).map(|value| (key.clone(), value)))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| placeholder(&what, &error))?;
            let logs = self.log_files(name);
            let tree = self
                .spawn(&what, &command, self.environment(&own, Some(port)), &logs)
                .await?;
            self.running.push(RunningApp {
                name: name.clone(),
                tree,
                logs,
            });
            self.wait_healthy(&what, manifest, port, deadline).await?;
        }
        Ok(())
    }

    async fn wait_healthy(
        &mut self,
        what: &str,
        manifest: &AppManifest,
        port: u16,
        deadline: Instant,
    ) -> Result<(), StartFailure> {
        let (host, instance) = (self.host, self.instance);
        let allowed = self.package().start_timeout.as_secs_f64();
        // All three may be dropped: `next_exit` loses nothing, a probe has no effect, and the wait
        // for the end only watches.
        tokio::select! {
            biased;
            () = instance.end_requested() => Err(StartFailure::EndRequested),
            // Not only this app: one that was healthy before may die of what this one does.
            ended = self.next_exit() => Err(StartFailure::Failed(format!(
                "{ended} (while waiting for {what} to become healthy)"
            ))),
            healthy = tokio::time::timeout_at(
                deadline,
                probe_until_healthy(host, manifest, port),
            ) => healthy.map_err(|_| {
                let path = manifest.health.as_deref().unwrap_or("(a TCP connection)");
                StartFailure::Failed(format!(
                    "{what} was not healthy within {allowed} s: {path} on port {port} gave no \
                     success"
                ))
            }),
        }
    }

    /// Waits for a setup command's end, its deadline, or the end of the instance.
    async fn watch(
        &self,
        what: &str,
        tree: &mut ProcessTree,
        deadline: Instant,
    ) -> Result<TreeExit, StartFailure> {
        // Both may be dropped: waiting for a tree is cancel-safe, and so is watching for the
        // instance's end.
        tokio::select! {
            () = self.instance.end_requested() => Err(StartFailure::EndRequested),
            exit = tokio::time::timeout_at(deadline, tree.wait()) => exit.map_err(|_| {
                let allowed = self.package().start_timeout.as_secs_f64();
                StartFailure::Failed(format!("{what} took longer than the {allowed} s allowed"))
            }),
        }
    }

    async fn spawn(
        &self,
        what: &str,
        command: &[String],
        environment: Vec<(OsString, OsString)>,
        logs: &[PathBuf; 2],
    ) -> Result<ProcessTree, StartFailure> {
        let sink = |path: &Path| OutputSink::File {
            path: path.to_owned(),
            limit: LOG_LIMIT,
        };
        let (program, args) = command
            .split_first()
            .expect("packages with an empty command are refused");
        let mut tree = TreeCommand::new(program, &self.instance.files.dir);
        tree.args = args.iter().map(OsString::from).collect();
        tree.env = environment;
        tree.stdout = sink(&logs[0]);
        tree.stderr = sink(&logs[1]);
        tree.grace = self.host.app_grace;
        tree.containment = Containment::Best;
        process_tree::spawn(&self.host.shim, tree)
            .await
            .map_err(|error| {
                StartFailure::Failed(format!(
                    "{what} could not be started: {}",
                    crate::error_chain(&error)
                ))
            })
    }

    /// Later entries win: inherited, the package's, the instance's, and last what says who and
    /// where it is.
    fn environment(
        &self,
        own: &[(String, String)],
        port: Option<u16>,
    ) -> Vec<(OsString, OsString)> {
        let spec = &self.instance.spec;
        let mut variables: Vec<(OsString, OsString)> = INHERITED
            .iter()
            .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
            .collect();
        let mut set = |name: &str, value: &str| {
            variables.retain(|(known, _)| known != name);
            variables.push((name.into(), value.into()));
        };
        for (name, value) in own {
            set(name, value);
        }
        for (name, value) in &spec.env_variables {
            match value {
                serde_json::Value::String(text) => set(name, text),
                other => set(name, &other.to_string()),
            }
        }
        if let Some(image) = &spec.image_type {
            set("FLEET_IMAGE_TYPE", image);
        }
        let beginning = self.instance.beginning();
        if let Some(time) = beginning.timestamp {
            set("FLEET_TIMESTAMP", &time.as_second().to_string());
            set("CURRENT_DATE", &time.strftime("%Y-%m-%d").to_string());
        }
        if let Some(seed) = beginning.seed {
            set("FLEET_SEED", &seed.to_string());
        }
        set("FLEET_INSTANCE_ID", self.instance.id.as_str());
        set("FLEET_ENV_KEY", &spec.package.key);
        set("FLEET_ENV_VERSION", &spec.version);
        if let Some(port) = port {
            set("HOST", HOST);
            set("PORT", &port.to_string());
        }
        variables
    }

    fn common_values(&self) -> Values {
        let mut values = Values::default();
        values.set("harness", self.host.harness.to_string_lossy());
        values.set("host", HOST);
        values.set("instance_dir", self.instance.files.dir.to_string_lossy());
        values.set("instance_id", self.instance.id.as_str());
        values.set("package_dir", self.package().dir.to_string_lossy());
        for (name, files) in &self.instance.files.databases {
            values.set(format!("db:{name}"), files.current.to_string_lossy());
            values.set(
                crate::package::seed_placeholder(name),
                files.seed.to_string_lossy(),
            );
        }
        values
    }

    fn package(&self) -> &'a Package {
        &self.instance.spec.package
    }

    fn log_files(&self, name: &str) -> [PathBuf; 2] {
        let dir = self.instance.files.dir.join(LOGS);
        let start = if self.starts > 1 {
            format!(".{}", self.starts)
        } else {
            String::new()
        };
        [
            dir.join(format!("{name}{start}.stderr.log")),
            dir.join(format!("{name}{start}.stdout.log")),
        ]
    }

    fn note_survivors(&mut self, what: &str, exit: &TreeExit) {
        self.leftovers.extend(survivors(what, exit));
    }
}

async fn probe_until_healthy(host: &Host, manifest: &AppManifest, port: u16) {
    let mut pause = FIRST_PAUSE;
    loop {
        if is_healthy(host, manifest, port).await {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn is_healthy(host: &Host, manifest: &AppManifest, port: u16) -> bool {
    match &manifest.health {
        Some(path) => {
            let url = format!("http://{HOST}:{port}{path}");
            let answer = host.http.get(url).timeout(PROBE_TIMEOUT).send().await;
            answer.is_ok_and(|answer| answer.status().is_success())
        }
        None => tokio::net::TcpStream::connect((HOST, port)).await.is_ok(),
    }
}

fn placeholder(what: &str, error: &PlaceholderError) -> StartFailure {
    StartFailure::Failed(format!("{what}: {error}"))
}

fn words(logs: &[PathBuf; 2]) -> String {
    last_words(&[&logs[0], &logs[1]])
}
