//! The browser of an instance: a real one where this machine has it.

use std::path::PathBuf;

use fleet_api::bundle::Bundle;
use fleet_api::native_verifier;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{DEADLINE, NOTES, TestServer, entries, id, read, say_skipped};

/// A server with an instance that has a browser, where this machine has one.
async fn with_browser() -> Option<(TestServer, Value)> {
    let named = std::env::var_os("HARNESS_TEST_CHROMIUM").map(PathBuf::from);
    let server = TestServer::with(NOTES, |config| {
        config.browser = named.or_else(|| config.browser.take());
    })
    .await;
    let record = server.create_default().await;
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    let (_, resources) = read(server.http.get(format!("{manager}/resources"))).await;
    if resources.to_string().contains("cdp") {
        return Some((server, record));
    }
    say_skipped("there is no Chromium or Chrome on this machine");
    server.stop().await;
    None
}

#[tokio::test]
async fn without_a_program_there_is_no_browser_and_it_is_said_so() {
    let server = TestServer::with(NOTES, |config| config.browser = None).await;
    let record = server.create_default().await;
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    let (_, resources) = read(server.http.get(format!("{manager}/resources"))).await;
    assert!(!resources.to_string().contains("cdp"), "{resources}");
    let start = server.http.post(format!("{manager}/resources/cdp/start"));
    let (status, answer) = read(start.json(&json!({"resolution": "800,600"}))).await;
    assert_eq!(
        (status, &answer["success"]),
        (StatusCode::OK, &json!(false))
    );
    let (status, answer) = read(server.http.get(format!("{manager}/resources/cdp/describe"))).await;
    assert_eq!(
        (status, &answer["success"]),
        (StatusCode::OK, &json!(false))
    );
    for field in ["cdp_page_url", "cdp_browser_url", "cdp_devtools_url"] {
        assert_eq!(answer[field], "", "{field}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_browser_that_ends_at_once_is_named_with_its_last_words() {
    let server = TestServer::with(NOTES, |config| {
        config.browser = Some(PathBuf::from("/bin/false"));
    })
    .await;
    let record = server.create_default().await;
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    let start = server.http.post(format!("{manager}/resources/cdp/start"));
    let (_, answer) = read(start.json(&json!({"resolution": "800x600"}))).await;
    assert_eq!(answer["success"], false);
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("exited with status 1"), "{message}");
    let start = server.http.post(format!("{manager}/resources/cdp/start"));
    let (_, answer) = read(start.json(&json!({"resolution": "large"}))).await;
    assert!(
        answer["message"].as_str().unwrap().contains("large"),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_started_browser_shows_the_app_and_ends_with_its_instance() {
    let Some((server, record)) = with_browser().await else {
        return;
    };
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    let describe = || read(server.http.get(format!("{manager}/resources/cdp/describe")));
    // Not a 200, so that the official client starts it.
    let (status, _) = describe().await;
    assert_eq!(status, StatusCode::CONFLICT);
    let start = async || {
        let request = server.http.post(format!("{manager}/resources/cdp/start"));
        let request = request
            .json(&json!({"resolution": "800,600"}))
            .timeout(DEADLINE * 2);
        let (_, answer) = read(request).await;
        assert_eq!(answer["success"], true, "{answer}");
    };
    start().await;
    let (status, addresses) = describe().await;
    assert_eq!(
        (status, &addresses["success"]),
        (StatusCode::OK, &json!(true))
    );
    let socket = addresses["cdp_browser_url"].as_str().unwrap();
    let page = addresses["cdp_page_url"].as_str().unwrap();
    assert!(page.starts_with("ws://127.0.0.1:"), "{page}");
    // A second start leaves it as it is.
    start().await;
    assert_eq!(describe().await.1["cdp_browser_url"], socket);

    let authority = socket
        .trim_start_matches("ws://")
        .split('/')
        .next()
        .unwrap();
    let (_, targets) = read(server.http.get(format!("http://{authority}/json/list"))).await;
    let app = record["urls"]["app"][0].as_str().unwrap();
    let shown = targets
        .as_array()
        .unwrap()
        .iter()
        .any(|target: &Value| target["url"] == app);
    assert!(shown, "{targets}");
    // The profile is not among the files that changed.
    let (_, diff) = read(
        server
            .http
            .post(format!("{manager}/diff/fs"))
            .json(&json!({})),
    )
    .await;
    assert_eq!(diff["files"], json!([]));

    let folder = entries(&server.dir.path().join("data"))
        .into_iter()
        .map(|within| within.join(id(&record)))
        .find(|folder| folder.is_dir())
        .unwrap();
    // All that it leaves goes with the instance: it is killed and cleans nothing up.
    let socket = std::fs::read_link(folder.join(".browser/1/SingletonSocket")).unwrap();
    assert!(socket.starts_with(&folder), "{}", socket.display());
    let folder = folder.to_str().unwrap();
    assert!(!crate::support::processes_with(folder).is_empty());
    server.close(id(&record)).await;
    assert_eq!(crate::support::processes_with(folder), Vec::<String>::new());
    server.stop().await;
}

/// Starts the browser, which it may, and looks for a way to it.
const WAY_OUT: &str = r"
import json, socket, sys
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

request = json.load(sys.stdin)
manager, root = request['manager_url'], request['root_url']
start = Request(manager + '/resources/cdp/start', b'{}', {'content-type': 'application/json'})
print(urlopen(start).read())
addresses = json.load(urlopen(manager + '/resources/cdp/describe'))
socket_url = urlsplit(addresses['cdp_browser_url'])
ways = []
try:
    socket.create_connection((socket_url.hostname, socket_url.port), 5)
    ways.append('its port')
except OSError as error:
    print('its port:', error)

def is_upgraded(url):
    # By hand: urllib asks for the end of the connection instead.
    url = urlsplit(url)
    head = f'GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
    head += 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n'
    with socket.create_connection((url.hostname, url.port), 5) as connection:
        connection.sendall(head.encode())
        return connection.recv(4096).startswith(b'HTTP/1.1 101 ')

# The app of the test agrees: what is asked below is a question that can be answered with yes.
assert is_upgraded(root + 'upgrade'), 'no upgrade passes at all'
for base in (root, manager + '/', manager + '/resources/cdp/'):
    for path in ('json/version', socket_url.path.lstrip('/')):
        try:
            if is_upgraded(base + path) or b'webSocketDebuggerUrl' in urlopen(base + path, timeout=5).read():
                ways.append(base + path)
        except OSError as error:
            print(base + path, error)
print(ways)
print(json.dumps({'score': 0 if ways else 1}))
";

/// Whoever steers a browser reads files and opens addresses with it, as the user who started the server.
#[tokio::test]
async fn a_verifier_in_its_sandbox_finds_no_way_to_the_browser() {
    if sandbox::find_program("python3".as_ref(), std::env::var_os("PATH").as_deref()).is_none() {
        say_skipped("there is no python3");
        return;
    }
    let Some((server, record)) = with_browser().await else {
        return;
    };
    let manager = record["urls"]["manager"]["api"].as_str().unwrap();
    let bundle = Bundle::pack(&native_verifier::render(&json!({
        "kind": "command", "command": ["python3", "-c", WAY_OUT],
    })));
    let answer = server.verify(id(&record), &bundle).await;
    assert_eq!(answer["result"].as_f64(), Some(1.0), "{answer}");
    // It was there to be found.
    let (status, _) = read(server.http.get(format!("{manager}/resources/cdp/describe"))).await;
    assert_eq!(status, StatusCode::OK);
    server.stop().await;
}
