//! A place of its own for each test: a folder, an environment without our variables, the binary, and a look at what
//! is left. Nothing here knows what a test is about.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Far beyond what any command of these tests takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

/// The folder of a test. Its path is the mark by which processes that belong to the test are known.
pub(crate) struct Bench {
    // Removed when the test ends.
    _folder: TempDir,
    root: PathBuf,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("e2e-").tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["home", "tmp"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        Self {
            _folder: folder,
            root,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The binary with nothing of the caller's environment but what programs need to be found.
    pub(crate) fn harness(&self) -> Command {
        self.program(env!("CARGO_BIN_EXE_harness"))
    }

    /// The binary after a shell has changed something first.
    pub(crate) fn harness_after(&self, script: &str) -> Command {
        let mut shell = self.program("sh");
        self.add_harness(&mut shell, script);
        shell
    }

    /// The binary where only it and this shell see the file systems that the shell mounts. None, and a word about it,
    /// where the user of `test` may not mount.
    pub(crate) fn harness_with_mounts(&self, test: &str, script: &str) -> Option<Command> {
        const OWN: &str = "-Urm";
        let probe = self
            .program("unshare")
            .args([OWN, "sh", "-c", script])
            .output();
        if !probe.is_ok_and(|probe| probe.status.success()) {
            skip(test, "no user namespaces with a mount here");
            return None;
        }
        let mut command = self.program("unshare");
        command.args([OWN, "sh"]);
        self.add_harness(&mut command, script);
        Some(command)
    }

    fn add_harness(&self, shell: &mut Command, script: &str) {
        let harness = self.harness();
        shell.args(["-c", &format!("{script} && exec \"$@\"; exit 99"), "sh"]);
        shell.arg(harness.get_program());
    }

    /// Another program in the binary's place.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("LANG", "C.UTF-8")
            .current_dir(&self.root)
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn call<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Finished {
        let mut command = self.harness();
        command.args(args);
        self.start(command).end()
    }

    /// Starts a command whose output goes to files, so that it can be read while it runs.
    pub(crate) fn start(&self, mut command: Command) -> Running {
        let output = TempDir::with_prefix_in("output-", self.path("tmp")).unwrap();
        let stdout = output.path().join("stdout");
        let stderr = output.path().join("stderr");
        let child = command
            .stdout(fs::File::create(&stdout).unwrap())
            .stderr(fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Running {
            child,
            _output: output,
            stdout,
            stderr,
            begun: Instant::now(),
        }
    }

    /// A spec on the embedded server with the demo's environment; `changes` are merged into it, `null` removes.
    pub(crate) fn spec(&self, changes: Value) -> PathBuf {
        self.spec_of(json!(["true"]), changes)
    }

    fn spec_of(&self, agent: Value, changes: Value) -> PathBuf {
        let mut spec = json!({
            "version": 1,
            "name": "e2e",
            "fleet": {"endpoint": "local", "local": {"environments": [example("environments")]}},
            "tasks": {"file": "tasks.json"},
            "agent": {"command": agent, "timeout": "30s", "grace_period": "2s"},
            "environment": {"ready_timeout": "60s"},
            "retry": {"attempts": 2, "initial_delay": "50ms", "max_delay": "100ms"},
            "concurrency": 4,
            "report": {"dir": "runs"},
        });
        merge(&mut spec, changes);
        // JSON is YAML.
        self.write("spec.yaml", serde_json::to_vec_pretty(&spec).unwrap())
    }

    /// A tasks file with one task for each key; each is passed by leaving the desk alone.
    pub(crate) fn tasks(&self, keys: &[&str]) -> PathBuf {
        let tasks: Vec<Value> = keys.iter().map(|key| task(key)).collect();
        self.tasks_file(&tasks)
    }

    pub(crate) fn tasks_file(&self, tasks: &[Value]) -> PathBuf {
        self.write("tasks.json", serde_json::to_vec_pretty(tasks).unwrap())
    }

    /// Writes a shell script and runs it as the agent of a spec that has the tasks `keys`.
    pub(crate) fn run_script(&self, keys: &[&str], script: &str, changes: Value) -> Finished {
        self.tasks(keys);
        let spec = self.script_spec(script, changes);
        self.call([Path::new("run"), &spec])
    }

    pub(crate) fn script_spec(&self, script: &str, changes: Value) -> PathBuf {
        self.write("agent.sh", script);
        self.spec_of(json!(["sh", "{spec_dir}/agent.sh"]), changes)
    }

    /// The folder of the run that was made last.
    pub(crate) fn run(&self) -> RunFolder {
        let root = self.path("runs/latest").canonicalize().unwrap();
        RunFolder { root }
    }

    /// Folders of runs, of which a refused spec must leave none.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path("runs")) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir() && !path.is_symlink())
            .collect()
    }

    /// Processes of this test that are alive: its folder is in their command line, environment or working directory.
    pub(crate) fn alive(&self) -> Vec<String> {
        let mark = self.root.to_str().unwrap().as_bytes();
        let own = std::process::id().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().to_string_lossy().into_owned();
            if pid == own || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let words = read("cmdline");
            let cwd = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            if contains(&words, mark)
                || contains(&read("environ"), mark)
                || cwd.starts_with(&self.root)
            {
                let words = String::from_utf8_lossy(&words).replace('\0', " ");
                found.push(format!("{pid} {words}"));
            }
        }
        found
    }

    /// Fails unless every process of this test ends by itself within `limit`.
    pub(crate) fn assert_nothing_alive(&self, limit: Duration) {
        let begun = Instant::now();
        loop {
            let alive = self.alive();
            if alive.is_empty() {
                return;
            }
            assert!(
                begun.elapsed() < limit,
                "still alive after {limit:?}:\n{}",
                alive.join("\n")
            );
            std::thread::sleep(LOOK);
        }
    }
}

/// One of the folders and files that come with the project.
pub(crate) fn example(name: &str) -> PathBuf {
    project(&format!("examples/{name}"))
}

pub(crate) fn project(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap().join(name)
}

/// A task that is passed by leaving the desk alone.
pub(crate) fn task(key: &str) -> Value {
    json!({
        "key": key,
        "prompt": "Change nothing.",
        "env_id": "helpdesk",
        "version": "v1.0.0",
        "data_id": "default",
        "verifier": {"kind": "state", "expect": [], "ignore": {"tables": ["activity"]}},
    })
}

/// `task` with some fields changed; `null` removes one.
pub(crate) fn task_with(key: &str, changes: Value) -> Value {
    let mut task = task(key);
    merge(&mut task, changes);
    task
}

/// RFC 7396.
pub(crate) fn merge(into: &mut Value, changes: Value) {
    let Value::Object(changes) = changes else {
        *into = changes;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, change) in changes {
        let fields = into.as_object_mut().unwrap();
        if change.is_null() {
            fields.remove(&key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), change);
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Says why a test does not run. The name in front is what a reader looks for.
#[expect(clippy::print_stderr, reason = "a skip is told, never silent")]
pub(crate) fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
}

/// True once `condition` holds; false if it does not within `limit`.
pub(crate) fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if begun.elapsed() > limit {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

/// A command under way. Killed if the test gives up on it.
pub(crate) struct Running {
    child: Child,
    _output: TempDir,
    stdout: PathBuf,
    stderr: PathBuf,
    begun: Instant,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> String {
        text_of(&self.stdout)
    }

    pub(crate) fn stderr(&self) -> String {
        text_of(&self.stderr)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Of a command that was started with an input.
    pub(crate) fn type_in(&mut self, keys: &[u8]) {
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(keys).and_then(|()| input.flush()).unwrap();
    }

    /// Waits until `condition` holds of what happens meanwhile; fails if the command ends before.
    pub(crate) fn until(&mut self, what: &str, mut condition: impl FnMut() -> bool) {
        let mut ended = false;
        let held = eventually(PATIENCE, || {
            ended = self.child.try_wait().unwrap().is_some();
            condition() || ended
        });
        assert!(
            held && (!ended || condition()),
            "waited in vain for: {what}\n{}{}",
            self.stdout(),
            self.stderr()
        );
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn end(self) -> Finished {
        self.end_within(PATIENCE)
    }

    pub(crate) fn end_within(mut self, limit: Duration) -> Finished {
        let mut status = None;
        let ended = eventually(limit, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let finished = Finished {
            status: status.unwrap_or_default(),
            stdout: self.stdout(),
            stderr: self.stderr(),
            took: self.begun.elapsed(),
        };
        assert!(
            ended,
            "did not end within {limit:?}\n{}{}",
            finished.stdout, finished.stderr
        );
        finished
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text_of(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// A command that has ended.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Finished {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| {
            panic!(
                "ended by signal {:?}\n{}",
                self.status.signal(),
                self.stderr
            )
        })
    }

    #[track_caller]
    pub(crate) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code(), code, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless stderr has every one of `parts`.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "no {part:?} in\n{}",
                self.stderr
            );
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in\n{}{}", self.stdout, self.stderr))
    }
}

/// The folder of a run, read as a user's program would.
pub(crate) struct RunFolder {
    pub(crate) root: PathBuf,
}

/// A row of `results.csv` by column.
pub(crate) type Row = BTreeMap<String, String>;

impl RunFolder {
    pub(crate) fn id(&self) -> String {
        self.root.file_name().unwrap().to_str().unwrap().to_owned()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let path = self.root.join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn results(&self) -> Value {
        serde_json::from_slice(&self.bytes("results.json")).unwrap()
    }

    pub(crate) fn journal(&self) -> Vec<Value> {
        let text = self.text("journal.jsonl");
        text.lines()
            .filter_map(|line| {
                let start = line.find('{')?;
                serde_json::from_str(&line[start..]).ok()
            })
            .collect()
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        let bytes = self.bytes("results.csv");
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        reader
            .deserialize()
            .collect::<Result<_, csv::Error>>()
            .unwrap()
    }

    /// The row of the only trial.
    #[track_caller]
    pub(crate) fn row(&self) -> Row {
        let mut rows = self.rows();
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// The only trial in `results.json`.
    pub(crate) fn trial(&self) -> Value {
        self.results()["trials"][0].clone()
    }

    /// A file of the only trial.
    pub(crate) fn evidence(&self, name: &str) -> PathBuf {
        self.root.join(&self.row()["trial_dir"]).join(name)
    }

    /// Every file below the folder, relative to it.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut open = vec![self.root.clone()];
        let mut files = Vec::new();
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    open.push(path);
                } else {
                    let below = path.strip_prefix(&self.root).unwrap();
                    files.push(below.to_str().unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }
}

/// Fails unless the columns of a row have these values.
#[track_caller]
pub(crate) fn assert_row(row: &Row, wanted: &[(&str, &str)]) {
    for (column, value) in wanted {
        assert_eq!(&row[*column], value, "{column} of {row:#?}");
    }
}

/// The embedded server, run by itself as another program would use it.
pub(crate) struct Local {
    running: Running,
    pub(crate) url: String,
}

impl Local {
    pub(crate) fn start(bench: &Bench, args: &[&str]) -> Self {
        Self::with(bench, |command| {
            command.args(args);
        })
    }

    /// Started by a command that was changed.
    pub(crate) fn with(bench: &Bench, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = bench.harness();
        command
            .args(["local", "--port", "0", "--json", "--environments"])
            .arg(example("environments"))
            .arg("--tasks")
            .arg(example("tasks/helpdesk.json"));
        change(&mut command);
        let mut running = bench.start(command);
        let mut url = None;
        let stdout = running.stdout.clone();
        running.until("the address of the server", || {
            let line: Option<Value> = serde_json::from_str(&text_of(&stdout)).ok();
            url = line.and_then(|line| line["base_url"].as_str().map(str::to_owned));
            url.is_some()
        });
        Self {
            running,
            url: url.unwrap(),
        }
    }

    /// `harness fleet … --json` against this server.
    pub(crate) fn fleet(&self, bench: &Bench, args: &[&str]) -> Finished {
        let mut command = bench.harness();
        command
            .arg("fleet")
            .args(args)
            .args(["--json", "--endpoint", &self.url]);
        bench.start(command).end()
    }

    /// `harness fleet …` against this server, as people read it.
    pub(crate) fn told(&self, bench: &Bench, args: &[&str]) -> Finished {
        let mut command = bench.harness();
        command
            .arg("fleet")
            .args(args)
            .args(["--endpoint", &self.url]);
        bench.start(command).end()
    }

    /// An instance of the demo's environment.
    pub(crate) fn instance(&self, bench: &Bench, args: &[&str]) -> String {
        let made = self.fleet(bench, &[&["instances", "make", "helpdesk"], args].concat());
        made.expect(0).json()["instance_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn stop(self) -> Finished {
        self.running.signal(Signal::SIGTERM);
        self.running.end()
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
