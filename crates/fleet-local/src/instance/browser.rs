//! The browser of one instance: a Chromium of its own, with a profile in the instance's directory, that ends with the instance.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fleet_api::types::manager::BrowserAddresses;
use futures::future::BoxFuture;
use nix::unistd::geteuid;
use process_tree::{OutputSink, ProcessTree, Shim, TreeCommand, TreeExit};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::files::{BROWSER, LOGS};
use super::output::{ending, last_words};
use super::record::Instance;
use crate::error_chain;
use crate::seam::{Browser, BrowserError, InstanceView as _};

/// Names of the program, in the order in which they are looked for.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// Variables that name the program, before any search.
const PROGRAM_VARIABLES: [&str; 2] = ["HARNESS_BROWSER", "CHROMIUM_PATH"];

/// Names an X display for browsers that people want to see; without it they run headless.
const DISPLAY_VARIABLE: &str = "HARNESS_BROWSER_DISPLAY";

/// A first start on a slow machine builds the profile.
const START: Duration = Duration::from_secs(30);

/// Between two looks at the file in which the browser writes its port.
const LOOK: Duration = Duration::from_millis(20);

/// A request to the browser about itself.
const ASK: Duration = Duration::from_secs(5);

/// From TERM to KILL: the profile is thrown away.
const GRACE: Duration = Duration::from_millis(500);

/// Kept of what it prints.
const LOG_LIMIT: u64 = 1 << 20;

/// In its profile: its port, and the path of its socket.
const PORT_FILE: &str = "DevToolsActivePort";

/// Below it the browser makes a socket, whose path has 107 bytes at most, `/org.chromium.Chromium.XXXXXX/SingletonSocket` among them.
const LONGEST_TEMPORARY: usize = 60;

/// The browser's program on this machine, if there is one.
pub(crate) fn find() -> Option<PathBuf> {
    let named = PROGRAM_VARIABLES
        .iter()
        .find_map(|name| std::env::var_os(name).filter(|path| !path.is_empty()));
    let path = std::env::var_os("PATH");
    match named {
        Some(named) => sandbox::find_program(&named, path.as_deref()),
        None => NAMES
            .iter()
            .find_map(|name| sandbox::find_program(name.as_ref(), path.as_deref())),
    }
}

/// The browser of one instance.
#[derive(Debug)]
pub(crate) struct InstanceBrowser {
    program: PathBuf,
    shim: Shim,
    http: reqwest::Client,
    instance: Arc<Instance>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    starts: u32,
    closed: bool,
    leftovers: Vec<String>,
}

struct Running {
    tree: ProcessTree,
    port: u16,
    socket: String,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// An element of the browser's own list of what it shows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    #[serde(rename = "type")]
    kind: String,
    web_socket_debugger_url: Option<String>,
}

impl InstanceBrowser {
    pub(crate) fn new(
        program: PathBuf,
        shim: Shim,
        http: reqwest::Client,
        instance: Arc<Instance>,
    ) -> Self {
        Self {
            program,
            shim,
            http,
            instance,
            state: Mutex::default(),
        }
    }

    /// Ends it, for good. Processes that could not be ended, one line each.
    pub(crate) async fn close(&self) -> Vec<String> {
        let mut state = self.state.lock().await;
        state.closed = true;
        state.stop().await;
        std::mem::take(&mut state.leftovers)
    }

    async fn launch(&self, state: &mut State, size: (u32, u32)) -> Result<Running, String> {
        let dir = &self.instance.files.dir;
        state.starts += 1;
        let profile = dir.join(BROWSER).join(state.starts.to_string());
        fs_err::create_dir_all(&profile).map_err(|error| error.to_string())?;
        let log = dir
            .join(LOGS)
            .join(format!("browser.{}.stderr.log", state.starts));
        let page = self.instance.app_urls().into_iter().next();
        let mut command = TreeCommand::new(&self.program, &profile);
        command.args = arguments(&profile, size, page.as_deref());
        command.env = environment(&profile);
        command.stderr = OutputSink::File {
            path: log.clone(),
            limit: LOG_LIMIT,
        };
        command.grace = GRACE;
        let mut tree = process_tree::spawn(&self.shim, command)
            .await
            .map_err(|error| error_chain(&error))?;
        let place = profile.join(PORT_FILE);
        // All of them may be dropped: they only look, and `wait` may be called again.
        let why = tokio::select! {
            biased;
            () = self.instance.end_requested() => "the instance has ended".to_owned(),
            exit = tree.wait() => {
                state.note(&exit);
                return Err(format!("it {}{}", ending(&exit), last_words(&[&log])));
            }
            found = tokio::time::timeout(START, port(&place)) => match found {
                Ok((port, socket)) => return Ok(Running { tree, port, socket }),
                Err(_) => format!("it was not ready within {} s", START.as_secs()),
            },
        };
        tree.kill();
        let exit = tree.wait().await;
        state.note(&exit);
        Err(why)
    }

    /// The socket of the first page that it shows.
    async fn page(&self, port: u16) -> Option<String> {
        let url = format!("http://127.0.0.1:{port}/json/list");
        let answer = self.http.get(url).timeout(ASK).send().await.ok()?;
        let targets: Vec<Target> = answer.json().await.ok()?;
        targets
            .into_iter()
            .find(|target| target.kind == "page")?
            .web_socket_debugger_url
    }
}

impl State {
    async fn is_running(&mut self) -> bool {
        let Some(running) = &mut self.running else {
            return false;
        };
        // Nothing is waited for: only whether it has ended already.
        match tokio::time::timeout(Duration::ZERO, running.tree.wait()).await {
            Err(_) => true,
            Ok(exit) => {
                self.running = None;
                self.note(&exit);
                false
            }
        }
    }

    async fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.tree.terminate();
            let exit = running.tree.wait().await;
            self.note(&exit);
        }
    }

    fn note(&mut self, exit: &TreeExit) {
        if exit.survivors.is_empty() && !exit.proven_dead {
            self.leftovers
                .push("browser: its processes may still run".to_owned());
        }
        self.leftovers.extend(exit.survivors.iter().map(|survivor| {
            format!(
                "browser: process {} ({}) in state {}",
                survivor.pid, survivor.comm, survivor.state
            )
        }));
    }
}

impl Browser for InstanceBrowser {
    fn start(&self, width: u32, height: u32) -> BoxFuture<'_, Result<(), BrowserError>> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            let failed = |reason: String| BrowserError { reason };
            if state.closed {
                return Err(failed("the instance has ended".to_owned()));
            }
            if state.is_running().await {
                return Ok(());
            }
            let running = self.launch(&mut state, (width, height)).await;
            state.running = Some(running.map_err(failed)?);
            Ok(())
        })
    }

    fn addresses(&self) -> BoxFuture<'_, Option<BrowserAddresses>> {
        Box::pin(async move {
            let mut state = self.state.lock().await;
            if !state.is_running().await {
                return None;
            }
            let running = state.running.as_ref()?;
            let (port, browser) = (running.port, &running.socket);
            let page = self.page(port).await.unwrap_or_default();
            let inspected = page.trim_start_matches("ws://");
            Some(BrowserAddresses {
                success: true,
                cdp_browser_url: format!("ws://127.0.0.1:{port}{browser}"),
                cdp_devtools_url: format!(
                    "http://127.0.0.1:{port}/devtools/inspector.html?ws={inspected}"
                ),
                cdp_page_url: page,
            })
        })
    }
}

/// Waits until the browser has written its port and the path of its socket.
async fn port(place: &Path) -> (u16, String) {
    loop {
        // The lines are only complete once the second is there.
        let written = fs_err::read_to_string(place).unwrap_or_default();
        if let Some((port, socket)) = written.split_once('\n')
            && let Ok(port) = port.trim().parse()
            && !socket.trim().is_empty()
        {
            return (port, socket.trim().to_owned());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn arguments(profile: &Path, (width, height): (u32, u32), page: Option<&str>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "--remote-debugging-address=127.0.0.1",
        "--remote-debugging-port=0",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--no-default-browser-check",
        "--password-store=basic",
    ]
    .map(OsString::from)
    .into();
    arguments.push(format!("--window-size={width},{height}").into());
    let mut folder = OsString::from("--user-data-dir=");
    folder.push(profile);
    arguments.push(folder);
    if std::env::var_os(DISPLAY_VARIABLE).is_none() {
        arguments.push("--headless".into());
    }
    // Chromium refuses to make its sandbox for root, who needs none to be harmed. Everybody else keeps it.
    if geteuid().is_root() {
        arguments.push("--no-sandbox".into());
    }
    arguments.push(page.unwrap_or("about:blank").into());
    arguments
}

fn environment(profile: &Path) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = ["PATH", "LANG", "XAUTHORITY"]
        .iter()
        .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
        .collect();
    variables.push(("HOME".into(), profile.into()));
    // It makes a folder for a socket of its own there, which it leaves when it is killed.
    if profile.as_os_str().len() <= LONGEST_TEMPORARY {
        variables.push(("TMPDIR".into(), profile.into()));
    }
    if let Some(display) = std::env::var_os(DISPLAY_VARIABLE) {
        variables.push(("DISPLAY".into(), display));
    }
    variables
}
