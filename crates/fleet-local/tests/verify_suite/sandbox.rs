//! What verifiers cannot do, tried from inside of both kinds, and what happens where they cannot be confined.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet_local::verify::SandboxMode;
use sandbox::Launcher;
use serde_json::{Value, json};

use crate::python::service as python_service;
use crate::support::{Instance, Service, failure, score, test_app};

fn shell(script: &str) -> Value {
    json!({"kind": "command", "command": ["sh", "-c", script]})
}

/// Python that tries each attempt and returns the names of those that were not refused. `{…}` stands for what only the test knows.
const ATTEMPTS: &str = r"
import ctypes, os, resource, signal, socket, subprocess

def connect(port):
    socket.create_connection(('127.0.0.1', port), timeout=5).close()

def udp():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))

def call(name, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)

def grow():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open('large', 'wb') as file:
        file.truncate(200 * 1024 * 1024)

def kill_all():
    # The kernel calls this a success even if every process was out of reach; the worker that lives on to answer is the proof.
    os.kill(-1, signal.SIGKILL)
    raise PermissionError

ATTEMPTS = {
    'read a secret': lambda: open('/etc/shadow').read(),
    'read the users': lambda: open('/etc/passwd').read(),
    'read another instance': lambda: open('{other}').read(1),
    'write another instance': lambda: open('{other}', 'a'),
    'change the mode of another instance': lambda: os.chmod('{other}', 0o777),
    'read the environment of another process': lambda: open('/proc/1/environ').read(),
    'read the environment of the parent': lambda: open('/proc/%d/environ' % os.getppid()).read(),
    'look into the folders of others': lambda: os.listdir(os.path.dirname(os.getcwd())),
    'write outside': lambda: open('/tmp/verifier-was-here', 'w'),
    'write beside': lambda: open('../verifier-was-here', 'w'),
    'connect to another port': lambda: connect({port}),
    'listen': lambda: socket.create_server(('127.0.0.1', 0)),
    'send a datagram': udp,
    'make a unix socket': lambda: socket.socket(socket.AF_UNIX),
    'kill the parent': lambda: os.kill(os.getppid(), signal.SIGKILL),
    'kill all': kill_all,
    'stop the parent with a limit': lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0)),
    'trace the parent': lambda: call('ptrace', 16, os.getppid(), 0, 0),
    'become another user': lambda: os.setuid(1),
    'make a namespace': lambda: call('unshare', 0x10000000),
    'mount': lambda: call('mount', b'none', b'/tmp', b'tmpfs', 0, None),
    'take four gigabytes': lambda: bytearray(4 << 30),
    'make a file of 200 megabytes': grow,
    {more}
}

def attempt_all():
    done = []
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
        except (OSError, MemoryError, ValueError):
            continue
        done.append(name)
    return done
";

/// The script, with another instance's database and an open port that it must not reach.
fn attempts(other: &Path, port: u16, more: &str) -> String {
    ATTEMPTS
        .replace("{other}", other.to_str().unwrap())
        .replace("{port}", &port.to_string())
        .replace("{more}", more)
}

/// A listener, and whether anybody came.
struct Ear(TcpListener);

impl Ear {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn heard_nothing(&self) {
        assert!(
            self.0.accept().is_err(),
            "a verifier connected to a port that is not its own"
        );
    }
}

#[tokio::test]
async fn a_python_verifier_reaches_nothing_but_its_instance() {
    let Some(service) = python_service(|_| ()).await else {
        return;
    };
    let (instance, other, ear) = (Instance::served("").await, Instance::new(""), Ear::new());
    let script = attempts(
        &other.folder.path().join("current.db"),
        ear.port(),
        "'leave the group': os.setsid, 'make a group': lambda: os.setpgid(0, 0),",
    );
    // First, as the first function is the verifier.
    let verifier = "def v(env):\n    env.instance.load()\n    rows = env.db('current').query('SELECT count(*) FROM tickets').rows\n    print(attempt_all(), rows, dict(os.environ))\n    return 1";
    let source = format!("{verifier}\n{script}");
    let verdict = service.run(&source, json!({}), &instance).await;
    assert_eq!(score(&verdict), 1.0);
    let stdout = verdict.stdout.unwrap();
    assert!(stdout.starts_with("[] [[4]]"), "{stdout}");
    assert!(!stdout.contains("CARGO"), "{stdout}");
    ear.heard_nothing();
    let held = &verdict.sandbox.unwrap()["held"];
    for layer in ["files", "limits", "capabilities", "system_calls"] {
        assert!(held.as_array().unwrap().contains(&json!(layer)), "{held}");
    }
    service.service.shutdown().await;
}

#[tokio::test]
async fn a_command_verifier_reaches_nothing_but_its_instance() {
    if sandbox::find_program("python3".as_ref(), std::env::var_os("PATH").as_deref()).is_none() {
        println!("SKIPPED: the attempts are written in Python, and there is no python3");
        return;
    }
    let (service, other, ear) = (Service::new(), Instance::new(""), Ear::new());
    let instance = Instance::served("").await;
    let script = attempts(&other.folder.path().join("current.db"), ear.port(), "");
    let script = format!(
        "{script}\nimport json, sqlite3, sys, urllib.request\nrequest = json.load(sys.stdin)\n\
        rows = sqlite3.connect(request['databases']['current']).execute('SELECT count(*) FROM tickets').fetchall()\n\
        manager = urllib.request.urlopen(request['manager_url'] + '/resources').status\n\
        print(attempt_all(), rows, manager, dict(os.environ))\nprint(json.dumps({{'score': 1}}))"
    );
    let definition = json!({"kind": "command", "command": ["python3", "-c", script]});
    let verdict = service.native(&definition, Value::Null, &instance).await;
    assert_eq!(score(&verdict), 1.0);
    let stdout = verdict.stdout.unwrap();
    assert!(stdout.starts_with("[] [(4,)] 200"), "{stdout}");
    ear.heard_nothing();
}

#[tokio::test]
async fn two_verifiers_at_once_reach_their_own_instance_only() {
    let Some(service) = python_service(|_| ()).await else {
        return;
    };
    let (one, two) = (
        Instance::served("").await,
        Instance::served("DELETE FROM tickets WHERE id > 1").await,
    );
    // Each tries the other's manager, while both are open.
    let source = |other: &Instance| {
        let address = fleet_local::seam::InstanceView::root_url(other);
        format!(
            "import time, urllib.request\ndef v(env):\n    env.instance.load()\n    n = env.db('current').query('SELECT count(*) FROM tickets').rows[0][0]\n    time.sleep(0.5)\n    try:\n        urllib.request.urlopen('{address}web/api/v1/env/resources', timeout=5)\n    except OSError:\n        return n\n    return -1"
        )
    };
    let (source_one, source_two) = (source(&two), source(&one));
    let (first, second) = tokio::join!(
        service.run(&source_one, json!({}), &one),
        service.run(&source_two, json!({}), &two)
    );
    assert_eq!((score(&first), score(&second)), (json!(4), json!(1)));
    service.service.shutdown().await;
}

#[tokio::test]
async fn v1_a_verifier_that_never_ends_is_ended_with_all_that_it_started() {
    let service = Service::with(|config| config.time_limit = Duration::from_secs(1));
    let mark = format!("73.{:09}", std::process::id());
    let started = Instant::now();
    let script = format!("setsid sleep {mark} & while :; do :; done");
    let verdict = service
        .native(&shell(&script), Value::Null, &Instance::new(""))
        .await;
    assert_eq!(failure(&verdict).0, "TimeoutError");
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(!crate::python::is_running(&mark), "its daemon outlived it");
}

#[tokio::test]
async fn v1_a_python_verifier_cannot_leave_a_process_behind() {
    let Some(service) = python_service(|config| config.time_limit = Duration::from_secs(2)).await
    else {
        return;
    };
    let mark = format!("73.{:09}", std::process::id());
    let source = format!(
        "import subprocess\ndef v(env):\n    subprocess.Popen(['sh', '-c', 'trap \"\" TERM HUP; sleep {mark} & sleep {mark}'])\n    return 1"
    );
    let verdict = service.run(&source, json!({}), &Instance::new("")).await;
    assert_eq!(score(&verdict), 1.0);
    crate::python::condition(|| (!crate::python::is_running(&mark)).then_some(())).await;
    service.service.shutdown().await;
}

#[tokio::test]
async fn v7_output_without_end_is_cut_and_ends_with_the_time() {
    let service = Service::with(|config| config.time_limit = Duration::from_secs(1));
    let verdict = service
        .native(&shell("yes"), Value::Null, &Instance::new(""))
        .await;
    assert_eq!(failure(&verdict).0, "TimeoutError");
    let kept = verdict.stdout.unwrap().len();
    assert!(kept < 3 * 1024 * 1024, "{kept} bytes were kept");
}

#[tokio::test]
async fn a_fork_bomb_is_ended_long_before_its_time() {
    let mark = format!("74.{:09}", std::process::id());
    // Not one without end: what this test looks for must not depend on its own success.
    let bomb =
        format!("i=0; while [ $i -lt 400 ]; do sleep {mark} & i=$((i+1)); done; wait; echo 1");
    let (service, instance) = (Service::new(), Instance::new(""));
    let verdict = service.native(&shell(&bomb), Value::Null, &instance).await;
    // An ordinary user's bomb is refused its processes; root's is ended.
    let message = failure(&verdict).1;
    assert!(
        message.contains("fork") || message.contains("processes"),
        "{verdict:?}"
    );
    assert!(!crate::python::is_running(&mark));
    let Some(service) = python_service(|_| ()).await else {
        return;
    };
    let source = format!(
        "import subprocess\ndef v(env):\n    for _ in range(400):\n        subprocess.Popen(['sleep', '{mark}'])\n    import time\n    time.sleep(50)\n    return 1"
    );
    let verdict = service.run(&source, json!({}), &instance).await;
    let (kind, message) = failure(&verdict);
    // An ordinary user's bomb is refused its processes; root's is ended.
    assert!(
        kind == "BlockingIOError" || message.contains("processes"),
        "{verdict:?}"
    );
    crate::python::condition(|| (!crate::python::is_running(&mark)).then_some(())).await;
    service.service.shutdown().await;
}

/// A launcher that finds a kernel without some system call, by a filter that says so.
fn without(call: &str) -> Launcher {
    let app = test_app();
    let name = format!("launcher-{call}-{}", std::process::id());
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(
        &script,
        format!("#!/bin/sh\nexec {app} lacking {call} {app} \"$@\"\n"),
    )
    .unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Launcher::new(script)
}

#[tokio::test]
async fn a_kernel_without_the_layers_gives_no_score() {
    for (call, layer) in [
        ("landlock_create_ruleset", "files"),
        ("seccomp", "system_calls"),
    ] {
        for mode in [SandboxMode::Require, SandboxMode::Best] {
            let service = Service::with(|config| {
                config.sandbox.launcher = without(call);
                config.sandbox.mode = mode;
            });
            let marker = service.data.path().join("it-ran");
            let script = format!("touch {} 2>/dev/null; echo 1", marker.display());
            let verdict = service
                .native(&shell(&script), Value::Null, &Instance::new(""))
                .await;
            if mode == SandboxMode::Best {
                assert_eq!(score(&verdict), 1.0);
                let sandbox = verdict.sandbox.unwrap();
                assert!(sandbox["missing"][layer].is_string(), "{sandbox}");
                continue;
            }
            let (kind, message) = failure(&verdict);
            assert_eq!(kind, "SandboxUnavailable");
            assert!(
                message.contains(layer) && message.contains("verifier_sandbox: best"),
                "{message}"
            );
            assert!(!marker.exists());
        }
    }
}

#[tokio::test]
async fn a_python_verifier_on_such_a_kernel_gives_no_score_either() {
    let Some(service) =
        python_service(|config| config.sandbox.launcher = without("landlock_create_ruleset")).await
    else {
        return;
    };
    let source = "def v(env): return 1";
    let verdict = service.run(source, json!({}), &Instance::new("")).await;
    let (kind, message) = failure(&verdict);
    assert_eq!(kind, "SandboxUnavailable");
    assert!(message.contains("files"), "{message}");
    service.service.shutdown().await;
}

/// As in a container that may make no namespaces: the rules for ports are all there is for the network.
#[tokio::test]
async fn without_namespaces_the_port_of_the_instance_is_the_only_one() {
    let (instance, ear) = (Instance::served("").await, Ear::new());
    let script = format!(
        "import json, socket, sys, urllib.request\nrequest = json.load(sys.stdin)\n\
        assert urllib.request.urlopen(request['manager_url'] + '/resources').status == 200\n\
        try:\n    socket.create_connection(('127.0.0.1', {}))\nexcept PermissionError:\n    print(1)",
        ear.port()
    );
    let service = Service::with(|config| config.sandbox.launcher = without("unshare"));
    let definition = json!({"kind": "command", "command": ["python3", "-c", script]});
    let verdict = service.native(&definition, Value::Null, &instance).await;
    assert_eq!(score(&verdict), 1.0, "{verdict:?}");
    let missing = verdict.sandbox.unwrap()["missing"].clone();
    assert!(
        missing["network"].is_string() && missing["mounts"].is_string(),
        "{missing}"
    );
    // Without read-only mounts no mode is changed, wherever the file is.
    let definition = shell("touch mine && chmod 600 mine; test $? -ne 0 && echo 1");
    let verdict = service.native(&definition, Value::Null, &instance).await;
    assert_eq!(score(&verdict), 1.0, "{verdict:?}");

    let Some(service) = python_service(|config| config.sandbox.launcher = without("unshare")).await
    else {
        return;
    };
    let source = format!(
        "import os, socket\ndef v(env):\n    env.instance.load()\n    open('mine', 'w').close()\n    for attempt in (lambda: socket.create_connection(('127.0.0.1', {})), lambda: os.chmod('mine', 0o600)):\n        try:\n            attempt()\n            return 0\n        except PermissionError:\n            pass\n    return 1",
        ear.port()
    );
    let verdict = service.run(&source, json!({}), &instance).await;
    assert_eq!(score(&verdict), 1.0, "{verdict:?}");
    ear.heard_nothing();
    service.service.shutdown().await;
}

#[tokio::test]
async fn a_command_verifier_s_processes_share_its_memory() {
    let service = Service::with(|config| config.memory_limit = Some(256 << 20));
    // Each of them alone is within the limit.
    let one = "python3 -c 'import time; memory = bytearray(100 << 20); time.sleep(40)'";
    let script = format!("{one} & {one} & {one} & {one} & wait; echo 1");
    let verdict = service
        .native(&shell(&script), Value::Null, &Instance::new(""))
        .await;
    assert!(
        failure(&verdict).1.contains("bytes of memory"),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn a_launcher_that_confines_nothing_gives_no_score() {
    let service = Service::with(|config| config.sandbox.launcher = Launcher::new("/bin/true"));
    let verdict = service
        .native(&shell("echo 1"), Value::Null, &Instance::new(""))
        .await;
    assert_eq!(failure(&verdict).0, "SandboxUnavailable");
}

#[tokio::test]
async fn without_a_sandbox_verifiers_run_as_they_are() {
    let service = Service::with(|config| config.sandbox.mode = SandboxMode::Off);
    let verdict = service
        .native(
            &shell("cat /etc/passwd >/dev/null && echo 1"),
            Value::Null,
            &Instance::new(""),
        )
        .await;
    assert_eq!(score(&verdict), 1.0);
    assert_eq!(verdict.sandbox, Some(json!({"mode": "off"})));
    let Some(service) = python_service(|config| config.sandbox.mode = SandboxMode::Off).await
    else {
        return;
    };
    let instance = Instance::served("").await;
    let source =
        "def v(env):\n    env.instance.load()\n    return len(open('/etc/passwd').read()) > 0";
    let verdict = service.run(source, json!({}), &instance).await;
    assert_eq!(verdict.result, Some(json!(true)), "{verdict:?}");
    service.service.shutdown().await;
}

#[tokio::test]
async fn what_the_configuration_opens_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("verify.sh"), "echo 0.5").unwrap();
    let script = folder.path().join("verify.sh");
    let definition = json!({"kind": "command", "command": ["sh", script]});
    let instance: Arc<Instance> = Instance::new("");
    let verdict = Service::new()
        .native(&definition, Value::Null, &instance)
        .await;
    assert!(
        failure(&verdict).1.contains("Permission denied"),
        "{verdict:?}"
    );
    let service = Service::with(|config| config.sandbox.read = vec![folder.path().to_owned()]);
    let verdict = service.native(&definition, Value::Null, &instance).await;
    assert_eq!(score(&verdict), 0.5);
}
