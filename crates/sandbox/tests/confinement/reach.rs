//! What a confined program reaches: its folder, its ports and itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;

use sandbox::{Gate, Layer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Bench, PROBE, text};

#[tokio::test]
async fn only_its_own_folder_is_written() {
    let bench = Bench::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = text(&elsewhere.path().join("other"));
    std::fs::write(&other, "another one's").unwrap();
    assert_eq!(bench.says(&["write", &bench.path("mine")]).await, "ok");
    assert_eq!(bench.says(&["write", "mine-too"]).await, "ok");
    assert_eq!(bench.says(&["read", &bench.path("mine")]).await, "ok");
    for denied in [
        ["write", &other],
        ["read", &other],
        ["chmod", &other],
        ["list", &text(elsewhere.path())],
        ["write", "/tmp/sandbox-test-made"],
        ["write", "/usr/sandbox-test-made"],
        ["chmod", PROBE],
    ] {
        let answer = bench.says(&denied).await;
        assert!(
            ["EACCES", "EROFS", "EPERM"].contains(&answer.as_str()),
            "{denied:?}: {answer}"
        );
    }
    assert_eq!(bench.says(&["chmod", &bench.path("mine")]).await, "ok");
}

#[tokio::test]
async fn no_secret_of_the_machine_is_read() {
    let bench = Bench::new();
    for path in [
        "/etc/shadow",
        "/etc/passwd",
        "/proc/1/environ",
        "/proc/1/cmdline",
        "/sys/kernel",
        "/root",
        "/home",
    ] {
        if !std::path::Path::new(path).exists() {
            continue;
        }
        let verb = if std::path::Path::new(path).is_dir() {
            "list"
        } else {
            "read"
        };
        assert_eq!(bench.says(&[verb, path]).await, "EACCES", "{path}");
    }
    assert_eq!(bench.says(&["read", "/proc/self/status"]).await, "ok");
    assert_eq!(bench.says(&["read", "/dev/urandom"]).await, "ok");
    assert_eq!(bench.says(&["write", "/dev/null"]).await, "ok");
}

#[tokio::test]
async fn its_ports_are_served_by_the_owner_and_no_other_is_reached() {
    let outside = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // Both at once, so that they are not the same.
    let free = [(); 2].map(|()| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let ports = free.map(|listener| listener.local_addr().unwrap().port());
    let mut bench = Bench::new();
    bench.policy.ports = ports.to_vec();
    for (at, port) in ports.into_iter().enumerate() {
        let gate = Gate::new().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string();
        let child = bench.start(&gate, &[PROBE, "say", &address, "hello"]);
        let visitor = gate.meet().await.unwrap();
        let own_network = visitor.layers.holds(Layer::Network);
        assert_eq!(visitor.listeners.len(), if own_network { 2 } else { 0 });
        let listener = visitor
            .listeners
            .get(at)
            .map(|listener| listener.try_clone().unwrap());
        visitor.admit().await.unwrap();
        if let Some(listener) = listener {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = String::new();
            stream.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard, "hello");
            stream.write_all(b"from outside").await.unwrap();
            drop(stream);
            let output = child.wait_with_output().await.unwrap();
            assert_eq!(
                String::from_utf8(output.stdout).unwrap(),
                "from outside\nok\n"
            );
        }
    }
    // The outer world's port is open, and closed to the program.
    let other = outside.local_addr().unwrap().to_string();
    let answer = bench.says(&["connect", &other]).await;
    assert!(
        ["EACCES", "ECONNREFUSED"].contains(&answer.as_str()),
        "{answer}"
    );
    assert!(outside.set_nonblocking(true).is_ok() && outside.accept().is_err());
}

#[tokio::test]
async fn no_socket_but_tcp_is_made() {
    let bench = Bench::new();
    let listener = std::os::unix::net::UnixListener::bind(bench.path("socket")).unwrap();
    let socket = bench.path("socket");
    for denied in [
        &["udp", "127.0.0.1:53"][..],
        &["unix", &socket],
        &["datagrams"],
        &["raw"],
        &["netlink"],
    ] {
        assert_eq!(bench.says(denied).await, "EPERM", "{denied:?}");
    }
    assert_eq!(bench.says(&["pair"]).await, "ok");
    let listening = bench.says(&["listen", "127.0.0.1:0"]).await;
    assert_eq!(listening, "EACCES");
    drop(listener);
}

#[tokio::test]
async fn no_other_process_is_touched() {
    let bench = Bench::new();
    let me = std::process::id().to_string();
    for denied in [["kill", &me], ["ptrace", &me], ["limits", &me]] {
        assert_eq!(bench.says(&denied).await, "EPERM", "{denied:?}");
    }
}

#[tokio::test]
async fn the_kernel_is_not_set_up_anew() {
    let bench = Bench::new();
    for (denied, answer) in [
        ("namespace", "EPERM"),
        ("mount", "EPERM"),
        ("io_uring", "ENOSYS"),
        ("x32", "ENOSYS"),
    ] {
        assert_eq!(bench.says(&[denied]).await, answer, "{denied}");
    }
}

#[tokio::test]
async fn memory_and_files_have_limits() {
    let bench = Bench::new();
    assert_eq!(bench.says(&["allocate", "4294967296"]).await, "ENOMEM");
    assert_eq!(bench.says(&["allocate", "1048576"]).await, "ok");
    let file = bench.path("large");
    assert_eq!(bench.says(&["grow", &file, "209715200"]).await, "EFBIG");
    assert_eq!(bench.says(&["grow", &file, "1000"]).await, "ok");
}

#[tokio::test]
async fn ordinary_programs_run() {
    let bench = Bench::new();
    assert_eq!(bench.says(&["start", "/bin/true"]).await, "ok");
    let script = "set -e; cd \"$PWD\"; echo a > f; cp f g; touch -d @0 g; mv g h; mkdir d; ln -s h l; cat l | sort; rm -r d f h l; ls";
    assert_eq!(bench.run(&["/bin/sh", "-c", script]).await.stdout, "a\n");
}

/// The user `nobody`, who has no privilege to lose.
#[tokio::test]
async fn an_ordinary_user_s_processes_are_counted() {
    const NOBODY: u32 = 65534;
    let many = "i=0; while [ $i -lt 60 ]; do sleep 0.2 & i=$((i+1)); done; echo all";
    let mut bench = Bench::new();
    if nix::unistd::Uid::effective().is_root() {
        let inaccessible = std::path::Path::new(PROBE).ancestors().any(|folder| {
            folder
                .metadata()
                .is_ok_and(|meta| meta.permissions().mode() & 0o001 == 0)
        });
        if inaccessible {
            println!("SKIPPED: nobody may not enter the folder of the test's program");
            return;
        }
        bench.user = Some(NOBODY);
    }
    let ran = bench.run(&["/bin/sh", "-c", many]).await;
    if !ran.layers.holds(Layer::Network) {
        println!(
            "SKIPPED: an ordinary user may make no namespaces here: {}",
            ran.layers
        );
        return;
    }
    assert!(ran.layers.holds(Layer::Processes), "{}", ran.layers);
    assert_eq!(ran.stdout, "");
    bench.policy.limits.processes = Some(200);
    assert_eq!(bench.run(&["/bin/sh", "-c", many]).await.stdout, "all\n");
    // The other layers hold for this user too.
    assert_eq!(bench.says(&["read", "/etc/passwd"]).await, "EACCES");
    assert_eq!(bench.says(&["udp", "127.0.0.1:53"]).await, "EPERM");
    assert_eq!(bench.says(&["chmod", "/usr"]).await, "EROFS");
}
