//! Calls about what agents did: sessions, jobs, the judge.

use fleet_api::Error;
use fleet_api::types::{
    Attachment, CreateJobBody, Criterion, GradeBody, IngestBody, JobLogBody, JobMode, JobQuery,
    Rubric, SessionMessage, SessionStatus, SummarizeJobBody,
};
use serde_json::{Value, json};

use super::{TASK, World};

impl World {
    pub(super) async fn sessions(&mut self, name: &str) -> Result<(), Error> {
        match name {
            "session-of-logs" => {
                let mut session = self
                    .fleet
                    .session()
                    .job(self.job.clone())
                    .config(json!({"temperature": 0}))
                    .model("acme/agent-1")
                    .task(TASK)
                    .instance(self.env().id().clone());
                let mut history = vec![json!({"role": "user", "content": "Close ticket 2."})];
                let answer =
                    json!({"role": "assistant", "content": "done", "tool_calls": [{"id": "c1"}]});
                session.log(&history, &answer).await?;
                history.extend([answer, json!({"role": "user", "content": "Sure?"})]);
                let answer = json!({"role": "assistant", "content": "yes"});
                session.log(&history, &answer).await?;
                session.complete(self.execution.as_ref()).await?;
                self.session = session.id().cloned().unwrap();
            }
            "session-that-fails" => {
                let mut session = self.fleet.session().model("acme/agent-1");
                let history = [json!({"role": "user", "content": "x"})];
                session.log(&history, &Value::Null).await?;
                session.fail(None).await?;
            }
            "session-of-messages" => self.session_of_messages().await?,
            "sessions-of-a-job" => drop(self.fleet.job_sessions(&self.job).await?),
            _ => drop(self.fleet.transcript(&self.session).await?),
        }
        Ok(())
    }

    async fn session_of_messages(&self) -> Result<(), Error> {
        let body = IngestBody {
            model: Some("acme/agent-1".to_owned()),
            task_key: Some(TASK.into()),
            job_id: Some(self.job.clone()),
            instance_id: Some(self.env().id().clone()),
            metadata: json!({"a": 1}).as_object().cloned(),
            started_at: Some("2026-11-16T08:00:00".to_owned()),
            ..IngestBody::default()
        };
        let id = self.fleet.create_session(body).await?.session_id;
        let asked = SessionMessage {
            tokens: Some(5),
            ..SessionMessage::new("user", "Close ticket 2.")
        };
        self.fleet.append_message(&id, asked).await?;
        let answered = SessionMessage {
            tool_call_id: Some("c1".to_owned()),
            metadata: json!({"m": 1}).as_object().cloned(),
            ..SessionMessage::new("tool", "ok")
        };
        self.fleet.append_message(&id, answered).await?;
        let end = IngestBody {
            session_id: Some(id),
            messages: vec![SessionMessage::new("assistant", "bye")],
            status: Some(SessionStatus::Failed),
            ended_at: Some("2026-11-16T09:00:00".to_owned()),
            ..IngestBody::default()
        };
        self.fleet.ingest_session(&end).await?;
        Ok(())
    }

    pub(super) async fn jobs(&self, name: &str) -> Result<(), Error> {
        let of_team = Some("t".to_owned());
        match name {
            "jobs" => {
                self.fleet.jobs(&JobQuery::default()).await?;
                let query = JobQuery {
                    team_id: of_team,
                    ..JobQuery::default()
                };
                self.fleet.jobs(&query).await?;
            }
            "job" => {
                self.fleet.job(&self.job, None).await?;
                self.fleet.job(&self.job, of_team.as_deref()).await?;
            }
            "create-a-job" => {
                let body = CreateJobBody {
                    models: vec!["acme/agent-1".to_owned()],
                    project_key: Some("helpdesk".into()),
                    ..CreateJobBody::default()
                };
                self.fleet.create_job(&body).await?;
            }
            "summary-of-a-job" => {
                let body = SummarizeJobBody::new(self.job.clone(), "acme/reader-1");
                self.fleet.summarize_job(&body).await?;
            }
            "raw-log" => {
                let entry = json!({"type": "http", "request": {"method": "POST"}});
                let body = JobLogBody {
                    job_id: self.job.clone(),
                    entries: entry.as_object().cloned().into_iter().collect(),
                };
                self.fleet.log_job(&body).await?;
            }
            _ => drop(self.fleet.create_job(&large_job()).await?),
        }
        Ok(())
    }

    pub(super) async fn grade(&self, name: &str) -> Result<(), Error> {
        let body = if name == "grade-by-text" {
            GradeBody::by("One point for a greeting.").submission("Hello")
        } else {
            let done = Criterion::new("Done", 2).levels([(2, "closed"), (0, "open")]);
            GradeBody::by(Rubric::structured([done]))
                .submission("I closed it.")
                .ground_truth(json!({"status": "closed"}))
                .problem("Close ticket 2.")
                .context("Ticket 2 is open.")
                .reference_claims("It was closed.")
                .message("user", "hi")
                .image("plot", Attachment::url("https://example.com/a.png"))
                .file("data", Attachment::bytes("a.csv", b"a"))
                .model("m")
                .provider("p")
                .task(TASK)
                .agentic(Some(5))
                .collect("logs", ["*.log"])
        };
        self.env().grade(body).await?;
        Ok(())
    }
}

fn large_job() -> CreateJobBody {
    CreateJobBody {
        models: vec!["acme/agent-1".to_owned(), "acme/agent-2".to_owned()],
        name: Some("n-{i}".to_owned()),
        pass_k: 2,
        task_keys: Some(vec![TASK.into()]),
        excluded_task_keys: Some(vec!["helpdesk-count-urgent".into()]),
        max_steps: Some(9),
        max_duration_minutes: 5,
        max_concurrent_per_model: 1,
        mode: Some(JobMode::ToolUse),
        system_prompt: Some("Be brief.".to_owned()),
        model_prompts: Some([("acme/agent-1".to_owned(), "Be very brief.".to_owned())].into()),
        byok_ttl_minutes: Some(10),
        harness: Some("h".to_owned()),
        ..CreateJobBody::default()
    }
}
