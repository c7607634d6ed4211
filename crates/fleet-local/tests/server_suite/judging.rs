//! The judge: a program or an endpoint that the server was given.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use fleet_api::bundle::Bundle;
use fleet_api::native_verifier;
use fleet_local::{JudgeConfig, JudgeEngine};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{NOTES, TestServer, id, read};

fn rubric() -> Value {
    json!({"type": "structured", "criteria": [{"name": "Done", "max_score": 2, "description": "- 2 points: closed"}, {"name": "Polite", "max_score": 2}]})
}

fn body() -> Value {
    json!({"instance_id": "none", "submission": "I closed it.", "agentic": false, "rubric": rubric()})
}

async fn grade(server: &TestServer, body: &Value) -> (StatusCode, Value) {
    read(server.request(Method::POST, "/v1/judge/grade").json(body)).await
}

pub(crate) async fn with(judge: JudgeConfig) -> TestServer {
    TestServer::with(NOTES, |config| config.judge = Some(judge)).await
}

pub(crate) fn shell(script: &str) -> JudgeConfig {
    JudgeConfig::new(JudgeEngine::Command(
        ["sh", "-c", script].map(str::to_owned).into(),
    ))
}

/// An endpoint that gives these answers one after the other, and what it was asked.
pub(crate) async fn endpoint(answers: &[&str]) -> (JudgeConfig, Arc<Mutex<Vec<Value>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, mut answers) = (
        Arc::clone(&asked),
        answers
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>(),
    );
    answers.reverse();
    let answers = Arc::new(Mutex::new(answers));
    let reply = move |body: String| async move {
        seen.lock()
            .unwrap()
            .push(serde_json::from_str(&body).unwrap());
        let text = answers.lock().unwrap().pop().unwrap();
        json!({"choices": [{"message": {"role": "assistant", "content": text}}]}).to_string()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let app: Router = Router::new().route("/v1/chat/completions", post(reply));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let engine = JudgeEngine::Model {
        url: url.parse().unwrap(),
        model: "acme/judge".to_owned(),
        key: None,
    };
    (JudgeConfig::new(engine), asked)
}

#[tokio::test]
async fn without_a_judge_the_error_names_the_option() {
    let server = TestServer::start().await;
    let summary = json!({"job_id": "job-1", "model": "m"});
    for (path, body) in [("/v1/judge/grade", body()), ("/v1/summarize/job", summary)] {
        let (status, answer) = read(server.request(Method::POST, path).json(&body)).await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED, "{path}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains("--judge-command"), "{detail}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_command_gets_the_request_and_its_points_are_counted() {
    let script = r#"grep -q '"submission":"I closed it."' && echo noise && echo '{"criteria": [{"name": "Done", "score": 1, "reasoning": "half"}, {"name": "Polite", "score": 0}]}'"#;
    let server = with(shell(script)).await;
    let (status, answer) = grade(&server, &body()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        (
            &answer["normalized_score"],
            &answer["total_score"],
            &answer["max_score"]
        ),
        (&json!(0.25), &json!(1.0), &json!(4.0))
    );
    assert_eq!(answer["criteria"][0]["reasoning"], "half");
    assert!(
        answer["execution_id"].is_string() && answer["accumulators"]["elapsed_ms"].is_number(),
        "{answer}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_command_that_fails_gives_an_error_and_never_a_zero() {
    for (script, words) in [
        ("echo no luck >&2; exit 3", "no luck"),
        ("echo hello", "no JSON"),
        ("echo '{}'", "no score"),
        ("echo '{\"normalized_score\": 7}'", "outside"),
    ] {
        let server = with(shell(script)).await;
        let (status, answer) = grade(&server, &body()).await;
        assert_eq!(status, StatusCode::FAILED_DEPENDENCY, "{answer}");
        assert!(
            answer["detail"].as_str().unwrap().contains(words),
            "{answer}"
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_command_is_ended_at_its_time() {
    let mut judge = shell("exec sleep 3600");
    judge.time_limit = std::time::Duration::from_millis(300);
    let server = with(judge).await;
    let (status, answer) = grade(&server, &body()).await;
    assert_eq!(status, StatusCode::FAILED_DEPENDENCY, "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn an_endpoint_is_asked_again_once_when_its_answer_does_not_fit() {
    let good = r#"```json
{"criteria": [{"name": "Done", "score": 2}, {"name": "Polite", "score": 1}], "feedback": "good"}
```"#;
    let (judge, asked) = endpoint(&["I think it is fine.", good]).await;
    let server = with(judge).await;
    let (status, answer) = grade(&server, &body()).await;
    assert_eq!(
        (status, &answer["normalized_score"], &answer["model_used"]),
        (StatusCode::OK, &json!(0.75), &json!("acme/judge")),
        "{answer}"
    );
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    let first = asked[0]["messages"][1]["content"].as_str().unwrap();
    assert!(
        first.contains("### Done (0 to 2 points)") && first.contains("I closed it."),
        "{first}"
    );
    assert!(
        asked[1]["messages"][3]["content"]
            .as_str()
            .unwrap()
            .contains("no JSON object")
    );
    server.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_never_fits_is_an_error() {
    let (judge, _) = endpoint(&["no", "no"]).await;
    let server = with(judge).await;
    assert_eq!(
        grade(&server, &body()).await.0,
        StatusCode::FAILED_DEPENDENCY
    );
    server.stop().await;
}

#[tokio::test]
async fn files_of_the_instance_and_pictures_are_shown() {
    let (judge, asked) = endpoint(&[r#"{"normalized_score": 1}"#; 2]).await;
    let server = with(judge).await;
    let instance = server.create_default().await;
    let folder = server.dir.path().join("data");
    let dir = crate::support::entries(&folder)
        .into_iter()
        .find(|path| {
            path.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("instances-")
        })
        .unwrap();
    std::fs::write(dir.join(id(&instance)).join("report.csv"), "a,b\n1,2\n").unwrap();
    let request = json!({"instance_id": id(&instance), "submission": null, "agentic": true, "rubric": {"type": "string", "text": "Is it there?"},
        "collect": {"report": ["*.csv"]}, "images": [{"source": "base64", "data": "iVBORw0KGgo=", "label": "screen"}]});
    let (status, answer) = grade(&server, &request).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    // As the official client's `File.from_env` says it: a file of the instance, in no group of `collect`.
    let selects = |file: &str| {
        let mut request = request.clone();
        let selected = json!([{"source": "collect", "selector": file, "label": "table"}]);
        request
            .as_object_mut()
            .unwrap()
            .insert("files".to_owned(), selected);
        request
    };
    let (status, answer) = grade(&server, &selects("report.csv")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let again = asked.lock().unwrap()[1].to_string();
    assert_eq!(again.matches("1,2").count(), 2, "{again}");
    for file in ["nope.csv", "data/current.db"] {
        let (status, answer) = grade(&server, &selects(file)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{file}");
        let message = answer["detail"].as_str().unwrap();
        assert!(
            message.contains(&format!("the instance has no file {file:?}")),
            "{message}"
        );
    }
    let asked = asked.lock().unwrap()[0].to_string();
    assert!(
        asked.contains("1,2") && asked.contains("data:image/png;base64,iVBORw0KGgo="),
        "{asked}"
    );
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_graded_is_refused_and_the_token_is_asked_for() {
    let mut judge = shell("echo '{\"normalized_score\": 1}'");
    judge.token = Some("right".into());
    let server = with(judge).await;
    let (status, answer) = grade(&server, &body()).await;
    assert_eq!(
        (status, &answer["detail"]),
        (
            StatusCode::UNAUTHORIZED,
            &json!("Invalid or missing X-Fleet-Judge-Token")
        )
    );
    let authorised = async |change: Value| {
        let mut body = body();
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let request = server
            .request(Method::POST, "/v1/judge/grade")
            .header("X-Fleet-Judge-Token", "right");
        read(request.json(&body)).await.0.as_u16()
    };
    assert_eq!(
        authorised(json!({"rubric": {"type": "string", "text": "x"}})).await,
        200
    );
    assert_eq!(
        authorised(json!({"rubric": {"type": "structured", "criteria": []}})).await,
        400
    );
    assert_eq!(authorised(json!({"rubric": 7})).await, 422);
    assert_eq!(authorised(json!({"collect": {"a": ["*"]}})).await, 400);
    server.stop().await;
}

/// Asks the judge through the official client, and says what else of the server is reached.
const VERIFIER: &str = r#"import os
from fleet.judge import Criterion, Rubric
from fleet import Fleet

def verify(env):
    client = Fleet()
    for path in ("/v1/account", "/v1/env/instances", "/v1/judge/grade"):
        try:
            client.client.request("GET", path)
            raise RuntimeError(f"{path} was answered")
        except Exception as error:
            print(path, type(error).__name__, error)
            if "reaches nothing of this server" not in str(error):
                raise
    try:
        client.client.request("POST", "/v1/judge/grade", json=dict(instance_id="other", submission="x", agentic=False, rubric=dict(type="string", text="y")))
        raise RuntimeError("another instance was judged")
    except Exception as error:
        if "only have its own instance judged" not in str(error):
            raise
    rubric = Rubric(criteria=[Criterion(name="Done", max=2, levels={2: "closed", 0: "open"})])
    return float(env.judge.grade(rubric, "I closed it."))
"#;

#[tokio::test]
async fn a_confined_verifier_reaches_the_judge_and_nothing_else_of_the_server() {
    let Some(python) = std::env::var_os("HARNESS_TEST_PYTHON") else {
        crate::support::say_skipped("HARNESS_TEST_PYTHON names no Python with the official SDK");
        return;
    };
    let mut judge = shell(r#"echo '{"criteria": [{"name": "Done", "score": 1}]}'"#);
    // For callers from outside; the server's own verifiers are known by their pass.
    judge.token = Some("outside".to_owned().into());
    let server = TestServer::with(NOTES, |config| {
        config.judge = Some(judge);
        config.python = fleet_local::verify::PythonConfig::Existing(python.into());
        config.verifier_sandbox = fleet_local::verify::SandboxMode::Best;
    })
    .await;
    let record = server.create_default().await;
    let bundle = Bundle::pack(VERIFIER);
    let answer = server.verify(id(&record), &bundle).await;
    assert_eq!(
        (&answer["success"], answer["result"].as_f64()),
        (&json!(true), Some(0.5)),
        "{answer}"
    );
    // It came through its gate, so the way to the judge is the sandbox's.
    assert!(answer["sandbox"]["held"].is_array(), "{answer}");
    server.stop().await;
}

/// Asks the judge with nothing but its variables, and tries what it must not reach.
const PROGRAM: &str = r#"import json, os, socket, sys, urllib.error, urllib.request

request = json.load(sys.stdin)

def ask(path, body=None, key=os.environ["FLEET_API_KEY"]):
    call = urllib.request.Request(os.environ["FLEET_BASE_URL"] + path, method="POST" if body else "GET",
        data=json.dumps(body).encode() if body else None, headers={"Authorization": "Bearer " + key})
    try:
        with urllib.request.urlopen(call) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)

rubric = {"type": "structured", "criteria": [{"name": "Done", "max_score": 2}]}
body = {"instance_id": request["instance_id"], "submission": "I closed it.", "agentic": False, "rubric": rubric}
for path, asked, key, expected in [
    ("/v1/account", None, os.environ["FLEET_API_KEY"], 403),
    ("/v1/judge/grade", {**body, "instance_id": "other"}, os.environ["FLEET_API_KEY"], 403),
    ("/v1/judge/grade", body, "guessed", 401),
]:
    status, answer = ask(path, asked, key)
    assert status == expected, (path, status, answer)
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
    raise SystemExit("the server itself was reached")
except OSError:
    pass
status, grade = ask("/v1/judge/grade", body)
assert status == 200, grade
print(json.dumps({"score": grade["normalized_score"]}))
"#;

#[tokio::test]
async fn a_confined_program_reaches_the_judge_and_nothing_else_of_the_server() {
    let mut judge = shell(r#"echo '{"criteria": [{"name": "Done", "score": 1}]}'"#);
    judge.token = Some("outside".to_owned().into());
    let server = with(judge).await;
    let record = server.create_default().await;
    let port = server.server.address().port().to_string();
    let definition = json!({"kind": "command", "command": ["python3", "-c", PROGRAM, port]});
    let bundle = Bundle::pack(&native_verifier::render(&definition));
    let answer = server.verify(id(&record), &bundle).await;
    assert_eq!(
        (&answer["success"], answer["result"].as_f64()),
        (&json!(true), Some(0.5)),
        "{answer}"
    );
    assert!(answer["sandbox"]["held"].is_array(), "{answer}");
    server.stop().await;
}
