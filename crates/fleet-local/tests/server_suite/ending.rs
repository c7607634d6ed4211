//! Every way in which an instance ends, and that nothing is left of it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use fleet_api::bundle::Bundle;
use fleet_api::native_verifier;
use fleet_local::verify::PythonConfig;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, NOTES, TestServer, entries, id, processes_with};

const VERIFIER: &str = "def verify(env):\n    return 1\n";

#[tokio::test]
async fn a_close_ends_processes_and_files_and_may_be_repeated() {
    let server = TestServer::start().await;
    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    server.text(&format!("{root}fork")).await;
    // The app and the child it forked.
    server.wait_for_processes(2).await;
    let instances = entries(&server.dir.path().join("data"))
        .into_iter()
        .find(|dir| dir.to_string_lossy().contains("instances-"))
        .unwrap();
    assert_eq!(entries(&instances).len(), 1);

    let closed = server.close(id(&record)).await;
    assert_eq!(
        (&closed["status"], &closed["health"]),
        (&json!("stopped"), &json!(false))
    );
    assert!(closed["terminated_at"].is_string());
    assert_eq!(server.processes(), Vec::<String>::new());
    assert_eq!(entries(&instances), Vec::<std::path::PathBuf>::new());
    assert!(
        server.http.get(root).send().await.is_err(),
        "the address is gone"
    );

    assert_eq!(server.close(id(&record)).await, closed);
    assert_eq!(server.instance(id(&record)).await, closed);
    let (status, _) = server
        .call(Method::DELETE, "/v1/env/instances/ffffffff")
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let snapshot = server.server.snapshot();
    assert_eq!(
        (snapshot.created, snapshot.live, snapshot.closed_by_delete),
        (1, 0, 1)
    );
    server.stop().await;
}

#[tokio::test]
async fn a_close_while_starting_ends_the_start() {
    let manifest = NOTES.replace(
        "--token, TOKEN",
        "--token, TOKEN, --unhealthy-ms, \"100000\"",
    );
    let server = TestServer::with(&manifest, |_| {}).await;
    let (_, record) = server
        .try_create(json!({"env_key": "notes", "max_wait_seconds": 0}))
        .await;
    let deadline = Instant::now() + DEADLINE;
    while server.processes().is_empty() {
        assert!(Instant::now() < deadline, "the app never started");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(server.close(id(&record)).await["status"], "stopped");
    assert_eq!(server.processes(), Vec::<String>::new());
    server.stop().await;
}

#[tokio::test]
async fn a_crash_of_an_app_makes_the_instance_an_error() {
    let server = TestServer::start().await;
    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    server.text(&format!("{root}fork")).await;
    // The answer may or may not get through before the process ends.
    let _ = server.http.get(format!("{root}crash")).send().await;
    let record = server.wait_for_status(id(&record), "error").await;
    assert_eq!(record["health"], false);
    let reason = record["status_reason"].as_str().unwrap();
    assert!(
        reason.contains("exited with status 3") && reason.contains("as told"),
        "{reason}"
    );

    let (status, body) = server
        .call(
            Method::POST,
            &format!("/v1/env/instances/{}/heartbeat", id(&record)),
        )
        .await;
    assert_eq!(status, StatusCode::GONE, "{body}");
    // Waits for the end of what the crash left.
    assert_eq!(server.close(id(&record)).await["status"], "error");
    assert_eq!(server.processes(), Vec::<String>::new());
    assert_eq!(server.server.snapshot().crashed, 1);
    assert_eq!(server.get("/v1/env/instances").await, json!([]));
    assert_eq!(
        server.get("/v1/env/instances?status=error").await[0]["instance_id"],
        record["instance_id"]
    );
    server.stop().await;
}

#[tokio::test]
async fn an_instance_that_takes_more_memory_than_allowed_is_ended() {
    let server = TestServer::with(&format!("{NOTES}limits: {{memory: 64MiB}}\n"), |_| {}).await;
    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    let _ = server.http.get(format!("{root}eat")).send().await;
    let record = server.wait_for_status(id(&record), "error").await;
    let reason = record["status_reason"].as_str().unwrap();
    assert!(
        reason.contains("bytes of memory, more than the 67108864 allowed"),
        "{reason}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_lease_without_heartbeats_ends_with_its_ttl() {
    let server = TestServer::with(NOTES, |config| config.clock_scale = 600.0).await;
    // 600 s of the server's time is a second of ours; the other would last an hour.
    let short = server
        .create(json!({"env_key": "notes", "ttl_seconds": 600}))
        .await;
    let long = server
        .create(json!({"env_key": "notes", "ttl_seconds": 2_000_000}))
        .await;
    let ended = server.wait_for_status(id(&short), "stopped").await;
    assert_eq!(ended["status_reason"], "its TTL ended");
    assert_eq!(server.instance(id(&long)).await["status"], "running");
    assert_eq!(server.server.snapshot().expired, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_ttl_can_be_set_anew_and_extended_while_the_instance_lives() {
    let server = TestServer::start().await;
    let record = server
        .create(json!({"env_key": "notes", "ttl_seconds": 600}))
        .await;
    let post = async |what: &str, body: serde_json::Value| {
        let path = format!("/v1/env/instances/{}/{what}", id(&record));
        crate::support::read(server.request(Method::POST, &path).json(&body)).await
    };
    let until = "2999-01-01T00:00:00Z";
    let (status, body) = post("extend_ttl", json!({"absolute_expires_at": until})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["expires_at"], "2999-01-01T00:00:00.000000Z");
    assert_eq!(
        server.instance(id(&record)).await["expires_at"],
        body["expires_at"]
    );

    let earlier = json!({"absolute_expires_at": "2998-01-01T00:00:00Z"});
    assert_eq!(post("extend_ttl", earlier).await.0, StatusCode::BAD_REQUEST);
    for (what, wrong) in [
        ("extend_ttl", json!({"absolute_expires_at": "soon"})),
        ("ttl", json!({"ttl_seconds": 0})),
        ("ttl", json!({"ttl_seconds": -1})),
    ] {
        let (status, body) = post(what, wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }

    // Nearer than the end that the supervisor sleeps towards: it has to notice.
    assert_eq!(
        post("ttl", json!({"ttl_seconds": 1})).await.0,
        StatusCode::OK
    );
    let ended = server.wait_for_status(id(&record), "stopped").await;
    assert_eq!(ended["status_reason"], "its TTL ended");
    assert!(ended.get("expires_at").is_none(), "{ended}");
    let (status, _) = post("ttl", json!({"ttl_seconds": 60})).await;
    assert_eq!(status, StatusCode::GONE);
    let path = "/v1/env/instances/ffffffff/ttl";
    let request = server.request(Method::POST, path);
    let (status, _) = crate::support::read(request.json(&json!({"ttl_seconds": 60}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    server.stop().await;
}

#[tokio::test]
async fn the_ttl_of_an_instance_that_lives_by_heartbeats_is_not_moved() {
    let server = TestServer::start().await;
    let record = server
        .create(json!({"env_key": "notes", "heartbeat_interval": 30}))
        .await;
    let path = format!("/v1/env/instances/{}/ttl", id(&record));
    let request = server.request(Method::POST, &path);
    let (status, body) = crate::support::read(request.json(&json!({"ttl_seconds": 60}))).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    server.stop().await;
}

#[tokio::test]
async fn a_lease_that_nobody_bounded_ends_with_the_servers_maximum() {
    let server = TestServer::with(NOTES, |config| {
        config.maximum_lease = Duration::from_millis(100);
    })
    .await;
    let record = server.create_default().await;
    let ended = server.wait_for_status(id(&record), "stopped").await;
    assert_eq!(
        ended["status_reason"],
        "it reached the server's maximum lifetime"
    );
    server.stop().await;
}

#[tokio::test]
async fn heartbeats_outlive_the_ttl_and_their_absence_ends_the_lease() {
    // 30 s of the server's time are 600 ms of ours, three misses 1.8 s, the TTL 20 ms.
    let server = TestServer::with(NOTES, |config| config.clock_scale = 50.0).await;
    let record = server
        .create(json!({"env_key": "notes", "ttl_seconds": 1, "heartbeat_interval": 30}))
        .await;
    let beats = Instant::now();
    while beats.elapsed() < Duration::from_millis(2500) {
        let (status, body) = server
            .call(
                Method::POST,
                &format!("/v1/env/instances/{}/heartbeat", id(&record)),
            )
            .await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(
            (&body["success"], &body["interval_seconds"]),
            (&json!(true), &json!(30))
        );
        assert!(
            body["last_heartbeat"].is_string() && body["deadline_timestamp"].is_number(),
            "{body}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = server.wait_for_status(id(&record), "stopped").await;
    assert_eq!(
        ended["status_reason"],
        "three heartbeats in a row were missed"
    );
    let (status, _) = server
        .call(
            Method::POST,
            &format!("/v1/env/instances/{}/heartbeat", id(&record)),
        )
        .await;
    assert_eq!(status, StatusCode::GONE);
    server.stop().await;
}

#[tokio::test]
async fn an_instance_without_monitoring_takes_heartbeats_and_says_so() {
    let server = TestServer::start().await;
    let record = server.create_default().await;
    let (status, body) = server
        .call(
            Method::POST,
            &format!("/v1/env/instances/{}/heartbeat", id(&record)),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body,
        json!({"success": true, "instance_id": id(&record), "last_heartbeat": null, "deadline_timestamp": null, "interval_seconds": null})
    );
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_ends_every_instance_with_all_it_started() {
    let server = TestServer::start().await;
    for _ in 0..3 {
        let record = server.create_default().await;
        server
            .text(&format!("{}fork", record["urls"]["root"].as_str().unwrap()))
            .await;
    }
    // And one that is still starting.
    server
        .try_create(json!({"env_key": "notes", "max_wait_seconds": 0}))
        .await;
    server.wait_for_processes(6).await;
    let (token, dir) = (server.token.clone(), server.dir);
    let report = server.server.shutdown().await;
    assert_eq!(report.leftovers, Vec::<String>::new());
    assert_eq!(processes_with(&token), Vec::<String>::new());
    let left: Vec<_> = entries(&dir.path().join("data"))
        .into_iter()
        .filter(|dir| dir.to_string_lossy().contains("instances-"))
        .collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_dropped_server_takes_its_processes_along() {
    let server = TestServer::start().await;
    server.create_default().await;
    let token = server.token.clone();
    assert_eq!(processes_with(&token).len(), 1);
    drop(server);
    let deadline = Instant::now() + DEADLINE;
    while !processes_with(&token).is_empty() {
        assert!(
            Instant::now() < deadline,
            "left: {:?}",
            processes_with(&token)
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_shutdown_leaves_no_connection_of_a_client_that_says_or_reads_nothing() {
    let server = TestServer::start().await;
    let address = server.server.address();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"POST /v1/env/instances HT").await.unwrap();
    // Both are let in before it ends.
    server.get("/v1/account").await;
    server.stop().await;
    for stream in [&mut silent, &mut slow] {
        let end = tokio::time::timeout(DEADLINE, stream.read(&mut [0; 1])).await;
        assert!(matches!(end.unwrap(), Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn a_program_that_verifies_does_not_outlive_the_server() {
    let server = TestServer::start().await;
    let record = server.create_default().await;
    // It heeds no request to end, and is known by how long it sleeps.
    let mark = format!(
        "600.{:08}",
        uuid::Uuid::new_v4().as_fields().0 % 100_000_000
    );
    let script = format!("trap '' TERM; sleep {mark} & wait");
    let definition = json!({"kind": "command", "command": ["sh", "-c", script]});
    let bundle = Bundle::pack(&native_verifier::render(&definition));
    let verification = server.verify(id(&record), &bundle);
    let running = async {
        let deadline = Instant::now() + DEADLINE;
        // Not only the sandbox before its gate, and the shell: what the program started, too.
        let sleeps = format!("sleep {mark}");
        while !processes_with(&mark)
            .iter()
            .any(|words| words.trim() == sleeps)
        {
            assert!(Instant::now() < deadline, "the verifier was never started");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        answer = verification => panic!("{answer}"),
        () = running => {}
    }
    // Whoever asked is gone, and the server ends at once.
    server.stop().await;
    assert_eq!(processes_with(&mark), Vec::<String>::new());
}

#[tokio::test]
async fn a_python_that_is_made_ready_does_not_keep_the_server() {
    let dir = tempfile::tempdir().unwrap();
    // Makes no environment, as slowly as a package index can be.
    let (base, mark) = (dir.path().join("python"), dir.path().join("making"));
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = -I ]; then echo 3.11; echo /usr/bin/python3; exit; fi\necho > {}\nsleep 600\n",
        mark.display()
    );
    std::fs::write(&base, script).unwrap();
    std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o755)).unwrap();
    let server = TestServer::with(NOTES, |config| {
        config.python = PythonConfig::Managed {
            cache_dir: dir.path().join("cache"),
            base: base.clone(),
            requirements: Vec::new(),
        };
    })
    .await;
    let record = server.create_default().await;
    let body = json!({
        "sha256": Bundle::pack(VERIFIER).sha256(), "bundle": Bundle::pack(VERIFIER).to_base64(),
        "args_array": [{"env": id(&record)}], "function_name": "verify", "timeout": 60,
    });
    // A client that stays for as long as it gets no answer.
    let request = server.request(Method::POST, "/v1/verifiers/execute");
    let client = tokio::spawn(request.json(&body).send());
    let deadline = Instant::now() + DEADLINE;
    while !mark.exists() {
        assert!(Instant::now() < deadline, "nothing is made ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stopped = tokio::time::timeout(DEADLINE, server.stop()).await;
    stopped.expect("the server waits for the Python");
    let left = processes_with(base.to_str().unwrap());
    assert_eq!(left, Vec::<String>::new());
    assert!(client.await.unwrap().is_err(), "there was no answer");
}
