//! Gradings and summaries: which headers they bring, and whose token a refusal is about.

use fleet_api::types::{GradeBody, SummarizeJobBody, SummaryStatus};
use fleet_api::{Client, ErrorKind};
use serde_json::json;

use crate::support::{KEY, Service, account, builder, detail, ok};

fn with_judge(service: &Service) -> Client {
    let builder = builder(&service.url).judge_token("judge-token-1".to_owned().into());
    builder.cost_team_id("team-9").build().unwrap()
}

#[tokio::test]
async fn a_grading_brings_the_judge_s_token_and_an_ordinary_call_does_not() {
    let service = Service::start(|seen| match seen.line.as_str() {
        "POST /v1/judge/grade" => ok(&json!({"normalized_score": 0.5})),
        _ => ok(&account()),
    })
    .await;
    let client = with_judge(&service);
    let graded = client.grade(&GradeBody::of("a1", "be kind")).await.unwrap();
    assert_eq!(graded.score(), Ok(0.5));
    client.account().await.unwrap();
    let seen = service.seen();
    let headers = |at: usize| {
        ["x-fleet-judge-token", "x-fleet-cost-team-id"].map(|name| seen[at].header(name).to_owned())
    };
    assert_eq!(headers(0), ["judge-token-1", "team-9"]);
    assert_eq!(headers(1), ["", ""]);
    assert_eq!(seen[0].header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(seen[0].json()["submission"], json!(null));
}

#[tokio::test]
async fn a_refused_judge_s_token_is_not_taken_for_a_refused_key() {
    let service =
        Service::start(|_| detail(403, "Invalid or missing X-Fleet-Judge-Token judge-token-1"))
            .await;
    let body = GradeBody::of("a1", "be kind");
    let error = with_judge(&service).grade(&body).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::JudgeToken { .. }) && !error.is_auth());
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("FLEET_JUDGE_TOKEN") && !text.contains("judge-token-1"),
        "{text}"
    );
    let other = Service::start(|_| detail(401, "bad key")).await;
    assert!(other.client().grade(&body).await.unwrap_err().is_auth());
}

#[tokio::test]
async fn a_summary_is_asked_for_with_the_judge_s_token_and_read_without() {
    let service = Service::start(|seen| {
        if seen.line == "POST /v1/summarize/job" {
            ok(&json!({"summary_id": "s-1"}))
        } else {
            ok(&json!({"summary_id": "s-1", "job_id": "j-1", "status": "completed", "session_count": 2, "text": "well done"}))
        }
    })
    .await;
    let client = with_judge(&service);
    let body = SummarizeJobBody::new("j-1", "acme/reader-1");
    let id = client.summarize_job(&body).await.unwrap().summary_id;
    let summary = client.job_summary(&id.unwrap()).await.unwrap();
    assert_eq!(
        (
            summary.status,
            summary.session_count,
            summary.text.as_deref()
        ),
        (SummaryStatus::Completed, 2, Some("well done"))
    );
    let seen = service.seen();
    assert_eq!(
        (
            seen[0].header("x-fleet-judge-token"),
            &seen[0].json()["max_context_tokens"]
        ),
        ("judge-token-1", &json!(180_000))
    );
    assert_eq!(
        (seen[1].line.as_str(), seen[1].header("x-fleet-judge-token")),
        ("GET /v1/summaries/s-1", "")
    );
}
