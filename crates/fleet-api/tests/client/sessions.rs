//! Sessions: what a log sends, and that nothing is lost when one fails.

use std::sync::atomic::{AtomicBool, Ordering};

use fleet_api::types::{IngestBody, SessionMessage, SessionStatus};
use serde_json::{Value, json};

use crate::support::{Seen, Service, detail, ok};

fn message(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn taken(count: usize) -> Value {
    json!({"success": true, "session_id": "sess-1", "message_count": count, "created_new_session": count == 2})
}

#[tokio::test]
async fn each_message_is_sent_once_and_what_the_session_is_about_with_the_first_log_only() {
    let service = Service::start(|seen| ok(&taken(seen.number * 2))).await;
    let client = service.client();
    let mut session = client
        .session()
        .job("job-1")
        .model("m")
        .task("t")
        .instance("a1")
        .config(json!({"t": 0}));
    let mut history = vec![message("one")];
    session.log(&history, &message("two")).await.unwrap();
    history.extend([message("two"), message("three")]);
    session.log(&history, &message("four")).await.unwrap();
    history.push(message("four"));
    // Nothing new: nothing is sent, and the answer is what is known.
    assert_eq!(session.log(&history, &()).await.unwrap().message_count, 4);
    session.complete(Some(&"exec-1".into())).await.unwrap();
    let sent: Vec<Value> = service.seen().iter().map(Seen::json).collect();
    assert_eq!(
        sent[..2],
        [
            json!({"history": [message("one")], "response": message("two"), "job_id": "job-1", "model": "m",
                "task_key": "t", "instance_id": "a1", "config": {"t": 0}}),
            json!({"history": [message("three")], "response": message("four"), "job_id": "job-1",
                "session_id": "sess-1"}),
        ]
    );
    assert_eq!(
        (&sent[2]["session_id"], &sent[2]["status"]),
        (&json!("sess-1"), &json!("completed"))
    );
    assert_eq!(sent[2]["verifier_execution_id"], "exec-1");
    assert_eq!((sent.len(), session.message_count()), (3, 6));
}

#[tokio::test]
async fn a_log_that_failed_is_sent_again_with_the_next() {
    static FAILED: AtomicBool = AtomicBool::new(false);
    let service = Service::start(|_| {
        if FAILED.swap(true, Ordering::Relaxed) {
            ok(&taken(2))
        } else {
            detail(400, "not now")
        }
    })
    .await;
    let mut session = service.client().session().model("m");
    let history = [message("one")];
    session.log(&history, &()).await.unwrap_err();
    session.log(&history, &message("two")).await.unwrap();
    let sent = service.seen()[1].json();
    assert_eq!(
        (&sent["history"], &sent["model"]),
        (&json!(history), &json!("m"))
    );
}

#[tokio::test]
async fn a_session_that_never_was_cannot_be_ended() {
    let service = Service::start(|_| ok(&taken(1))).await;
    let error = service.client().session().complete(None).await.unwrap_err();
    assert!(error.to_string().contains("nothing was logged"), "{error}");
    service
        .client()
        .session()
        .resume("sess-1")
        .fail(None)
        .await
        .unwrap();
    assert_eq!(service.seen()[0].json()["status"], "failed");
}

#[tokio::test]
async fn sessions_made_of_whole_messages_have_one_at_each_end() {
    let service = Service::start(|_| ok(&taken(1))).await;
    let client = service.client();
    let made = client.create_session(IngestBody::default()).await.unwrap();
    let told = SessionMessage::new("user", "hello");
    client.append_message(&made.session_id, told).await.unwrap();
    client
        .complete_session(&made.session_id, SessionStatus::Failed, None)
        .await
        .unwrap();
    let sent: Vec<Value> = service.seen().iter().map(Seen::json).collect();
    assert_eq!(
        sent[0],
        json!({"messages": [{"role": "system", "content": "[session created]"}], "status": "running"})
    );
    assert_eq!(
        sent[1],
        json!({"messages": [{"role": "user", "content": "hello"}], "session_id": "sess-1"})
    );
    assert_eq!(sent[2]["messages"][0]["content"], "[session failed]");
    assert_eq!(sent[2]["status"], "failed");
    assert!(sent[2]["ended_at"].is_string());
}
