//! The address of an instance: its manager, its apps, and nobody else.

use std::time::Instant;

use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, NOTES, TestServer, id, read};

#[tokio::test]
async fn the_manager_is_found_with_and_without_an_app_segment() {
    let server = TestServer::with(NOTES, |config| config.api_key = Some("secret".into())).await;
    let create = server
        .request(reqwest::Method::POST, "/v1/env/instances")
        .bearer_auth("secret")
        .json(&json!({"env_key": "notes"}));
    let (_, record) = read(create).await;
    let root = record["urls"]["root"].as_str().unwrap();
    // No credential: the official client sends none to the manager.
    for base in [
        record["urls"]["manager"]["api"]
            .as_str()
            .unwrap()
            .to_owned(),
        format!("{root}api/v1/env"),
    ] {
        let (status, resources) = read(server.http.get(format!("{base}/resources"))).await;
        assert_eq!(status, StatusCode::OK);
        let names: Vec<&str> = resources
            .as_array()
            .unwrap()
            .iter()
            .map(|resource| resource["name"].as_str().unwrap())
            .collect();
        assert!(
            names.contains(&"seed") && names.contains(&"current"),
            "{resources}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_reset_brings_the_data_back_and_the_app_on_its_port() {
    let server = TestServer::start().await;
    let record = server
        .create(json!({"env_key": "notes", "data_key": "full"}))
        .await;
    let root = record["urls"]["root"].as_str().unwrap();
    let api = record["urls"]["manager"]["api"].as_str().unwrap();
    let insert = server
        .http
        .post(format!("{root}sql"))
        .body("INSERT INTO notes (text) VALUES ('c')")
        .send()
        .await
        .unwrap();
    assert_eq!(insert.status(), StatusCode::OK);
    assert_eq!(server.text(&format!("{root}count")).await, "3");

    let query = json!({"query": "SELECT COUNT(*) FROM notes", "args": null, "read_only": true});
    let (_, answer) = read(
        server
            .http
            .post(format!("{api}/resources/sqlite/current/query"))
            .json(&query),
    )
    .await;
    assert_eq!(answer["rows"], json!([[3]]), "{answer}");

    let (status, answer) = read(
        server
            .http
            .post(format!("{api}/reset"))
            .json(&json!({"timestamp": null, "seed": null})),
    )
    .await;
    assert_eq!(
        (status, &answer["success"]),
        (StatusCode::OK, &json!(true)),
        "{answer}"
    );
    assert_eq!(server.text(&format!("{root}count")).await, "2");
    let app = record["urls"]["app"][0].as_str().unwrap();
    assert!(server.text(app).await.starts_with("GET /start"));
    assert_eq!(server.instance(id(&record)).await["status"], "running");
    server.stop().await;
}

#[tokio::test]
async fn other_paths_reach_the_first_app_unchanged() {
    let server = TestServer::start().await;
    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    let answer = server
        .http
        .put(format!("{root}a%20b//c?x=1&y=%2F"))
        .header("X-Mine", "yes")
        .header("Connection", "X-Drop")
        .header("X-Drop", "1")
        .body("the body")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-app"], "yes");
    assert_eq!(
        answer.headers()["content-encoding"],
        "test",
        "bodies are passed on as they are"
    );
    let seen = answer.text().await.unwrap();
    assert!(seen.starts_with("PUT /a%20b//c?x=1&y=%2F\n"), "{seen}");
    assert!(seen.ends_with("\n\nthe body"), "{seen}");
    let lower = seen.to_lowercase();
    let authority = root.trim_start_matches("http://").trim_end_matches('/');
    assert!(
        lower.contains("x-mine: yes") && lower.contains(&format!("x-forwarded-host: {authority}")),
        "{seen}"
    );
    assert!(
        !lower.contains("x-drop") && lower.contains(&format!("\nhost: {authority}")),
        "{seen}"
    );
    server.stop().await;
}

#[tokio::test]
async fn further_apps_are_below_their_names_and_at_their_own_addresses() {
    let manifest = format!(
        "{}  mail:\n    command: [\"{{harness}}\", serve, --port, \"{{port}}\", --token, TOKEN]\n    url: /inbox\n    env: {{PEER: \"{{port:web}}\"}}\n",
        NOTES.replace("start_timeout: 20s\n", "")
    );
    let server = TestServer::with(&manifest, |_| {}).await;
    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    let apps = record["urls"]["app"].as_array().unwrap();
    assert_eq!(apps.len(), 2);
    assert!(
        server
            .text(apps[1].as_str().unwrap())
            .await
            .starts_with("GET /inbox")
    );
    let seen = server.text(&format!("{root}mail/x?y=1")).await;
    assert!(
        seen.starts_with("GET /x?y=1\n")
            && seen.to_lowercase().contains("x-forwarded-prefix: /mail"),
        "{seen}"
    );
    let web = apps[0].as_str().unwrap();
    let peer = server
        .text(&format!("{root}mail/env"))
        .await
        .lines()
        .find_map(|line| line.strip_prefix("PEER=").map(str::to_owned))
        .unwrap();
    assert!(web.contains(&format!(":{peer}/")), "{web} {peer}");
    let (status, _) = read(server.http.get(format!("{root}mail/api/v1/env/health"))).await;
    assert_eq!(status, StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn an_app_that_stopped_answering_is_a_clear_502() {
    let server = TestServer::start().await;
    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    server.text(&format!("{root}deaf")).await;
    // The app's accepting thread notices with its next connection, which it drops.
    let _ = server.http.get(format!("{root}x")).send().await;
    let (status, body) = read(server.http.get(format!("{root}x"))).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(
        body["detail"].as_str().unwrap().contains("app \"web\""),
        "{body}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_host_name_reaches_neither_instance_nor_control_plane() {
    let server = TestServer::start().await;
    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    for url in [
        format!("{root}web/api/v1/env/resources"),
        root.to_owned(),
        format!("{}/v1/account", server.server.base_url()),
    ] {
        let (status, body) = read(server.http.get(&url).header("Host", "rebound.example")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{url}: {body}");
    }
    server.stop().await;
}

/// A connection to `/upgrade` of the app, past its consent.
async fn upgraded(root: &str) -> TcpStream {
    let authority = root.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let request = format!(
        "GET /upgrade HTTP/1.1\r\nhost: {authority}\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    echoes(&mut stream).await;
    stream
}

async fn echoes(stream: &mut TcpStream) {
    stream.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

async fn is_over(mut stream: TcpStream) {
    let end = tokio::time::timeout(DEADLINE, stream.read(&mut [0; 1])).await;
    assert!(matches!(end.unwrap(), Ok(0) | Err(_)));
}

#[tokio::test]
async fn an_upgraded_connection_lives_as_long_as_its_app_and_no_longer() {
    let server = TestServer::start().await;
    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    let api = record["urls"]["manager"]["api"].as_str().unwrap();
    let before = upgraded(root).await;
    let reset = server.http.post(format!("{api}/reset")).json(&json!({}));
    assert_eq!(read(reset).await.1["success"], true);
    is_over(before).await;

    let closed = upgraded(root).await;
    server.close(id(&record)).await;
    is_over(closed).await;

    let record = server.create_default().await;
    let root = record["urls"]["root"].as_str().unwrap();
    let crashed = upgraded(root).await;
    let _ = server.http.get(format!("{root}crash")).send().await;
    is_over(crashed).await;
    server.wait_for_status(id(&record), "error").await;

    let record = server.create_default().await;
    let shut_down = upgraded(record["urls"]["root"].as_str().unwrap()).await;
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < DEADLINE / 2, "{:?}", begun.elapsed());
    is_over(shut_down).await;
}

#[tokio::test]
async fn a_manager_is_forgiving_about_slashes_and_says_what_it_does_not_have() {
    let server = TestServer::with(NOTES, |config| {
        let folder = config.data_dir.as_ref().unwrap().parent().unwrap();
        config.record = Some(folder.join("record.jsonl"));
    })
    .await;
    let record = server.create_default().await;
    let api = record["urls"]["manager"]["api"].as_str().unwrap();
    for path in ["/resources/", "//resources", "/resources//"] {
        let (status, resources) = read(server.http.get(format!("{api}{path}"))).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(resources.is_array(), "{path}: {resources}");
    }
    let (status, body) = read(server.http.get(format!("{api}/nothing"))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body["detail"], "The manager has no /nothing");
    let (status, body) = read(server.http.delete(format!("{api}/resources"))).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        body["detail"],
        "The manager does not answer DELETE /resources"
    );

    let dir = server.dir.path().join("record.jsonl");
    server.server.shutdown().await;
    let lines = std::fs::read_to_string(dir).unwrap();
    assert!(
        lines.contains("\"/web/api/v1/env//resources\""),
        "recorded as it was sent: {lines}"
    );
}
