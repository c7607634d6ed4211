//! The calls of the comparison, made with `fleet-api`. `sdk.py` makes the same ones, under the same names and in the same order.

mod manager;
mod sessions;

use std::fs;
use std::path::Path;
use std::time::Duration;

use fleet_api::types::{
    ExecutionId, InstanceQuery, JobId, RunActivity, RunQuery, SessionId, TaskVersionQuery,
    UpdateTaskBody,
};
use fleet_api::{Client, Environment, Error, Login, Task, TaskQuery, VerifyArgs, task_file};
use serde_json::{Map, json};
use tempfile::TempDir;

use crate::local_server::KEY;

const TASK: &str = "helpdesk-ticket-owner";
const RUN: &str = "both-ways";

/// In the order in which they are made.
pub(crate) const CASES: &[&str] = &[
    "environments",
    "environment",
    "regions",
    "account",
    "make",
    "make-with-everything",
    "make-with-an-empty-map-and-a-wait",
    "make-with-unknown-versions",
    "make-an-image-that-is-not-there",
    "make-for-a-task",
    "instance",
    "instances",
    "runs",
    "heartbeat",
    "tasks-by-keys",
    "tasks-by-everything",
    "task",
    "import-a-task",
    "update-a-task",
    "projects",
    "verify-without-an-answer",
    "verify-by-keyword",
    "verify-by-position",
    "resources",
    "health",
    "describe",
    "query",
    "query-builder",
    "diff",
    "reset",
    "file-diff",
    "files",
    "documents",
    "browser",
    "apps",
    "execute-a-function",
    "trace-jobs",
    "session-of-logs",
    "session-that-fails",
    "session-of-messages",
    "sessions-of-a-job",
    "transcript",
    "jobs",
    "job",
    "create-a-job",
    "create-a-job-with-everything",
    "summary-of-a-job",
    "raw-log",
    "stored-login",
    "grade-by-text",
    "grade-by-criteria",
    "close",
    "close-all",
];

/// What later cases need of earlier ones.
struct World {
    fleet: Client,
    env: Option<Environment>,
    task: Option<Task>,
    execution: Option<ExecutionId>,
    job: JobId,
    session: SessionId,
}

/// Makes every call. A refusal is no failure here: both sides get the same ones.
pub(crate) async fn make_all(fleet: Client) {
    let mut world = World {
        fleet,
        env: None,
        task: None,
        execution: None,
        job: JobId::default(),
        session: SessionId::default(),
    };
    for name in CASES {
        let mark = format!("case-{name}");
        let _ = world.fleet.environment(&mark.as_str().into()).await;
        if let Err(error) = world.make(name).await {
            refused(name, &error);
        }
    }
}

#[expect(clippy::print_stderr, reason = "helps whom a difference surprises")]
fn refused(name: &str, error: &Error) {
    eprintln!("{name}: {error}");
}

impl World {
    fn env(&self) -> &Environment {
        self.env.as_ref().unwrap()
    }

    async fn make(&mut self, name: &str) -> Result<(), Error> {
        match name {
            "environments" => drop(self.fleet.environments().await?),
            "environment" => drop(self.fleet.environment(&"helpdesk".into()).await?),
            "regions" => drop(self.fleet.regions().await?),
            "account" => drop(self.fleet.account().await?),
            "make" => self.env = Some(self.fleet.make("helpdesk").run_id(RUN).await?),
            _ if name.starts_with("make-") => self.make_others(name).await?,
            "instance" => drop(self.fleet.instance(self.env().id()).await?),
            "instances" | "runs" | "heartbeat" => self.look(name).await?,
            _ if name.contains("task") => self.tasks(name).await?,
            "projects" => drop(self.fleet.projects().await?),
            _ if name.starts_with("verify-") => self.verify(name).await?,
            "trace-jobs" => {
                self.job = self.fleet.create_trace_job(Some("nightly")).await?.job_id;
                self.fleet.create_trace_job(None).await?;
            }
            _ if name.starts_with("session") || name == "transcript" => self.sessions(name).await?,
            "stored-login" => self.stored_login().await?,
            "apps" => self.apps().await?,
            _ if name.contains("job") || name == "raw-log" => self.jobs(name).await?,
            _ if name.starts_with("grade") => self.grade(name).await?,
            "close" => drop(self.fleet.close_instance(self.env().id()).await?),
            "close-all" => {
                let run = RUN.into();
                self.fleet.close_instances(Some(&run), None).await?;
                let me = "self".into();
                self.fleet.close_instances(Some(&run), Some(&me)).await?;
            }
            _ => self.manager(name).await?,
        }
        Ok(())
    }

    async fn make_others(&mut self, name: &str) -> Result<(), Error> {
        let made = match name {
            "make-with-everything" => {
                self.fleet
                    .make("helpdesk:1.0.0")
                    .data("default")
                    .region("us-east-1")
                    .env_variable("CURRENT_DATE", "2026-11-16")
                    .env_variable("N", 7)
                    .env_variable("FLAGS", json!({"a": [1, null, true]}))
                    .ttl(Duration::from_secs(7200))
                    .run_id(RUN)
                    .heartbeat_interval(Duration::from_secs(30))
                    .timeout(Duration::from_secs(120))
                    .await?
            }
            "make-with-an-empty-map-and-a-wait" => {
                self.fleet
                    .make("helpdesk")
                    .env_variables(Map::new())
                    .max_wait(Duration::from_secs(5000))
                    .run_id(RUN)
                    .await?
            }
            "make-with-unknown-versions" => {
                self.fleet
                    .make("helpdesk:Forge1.1.0")
                    .data("seed:0.0.4")
                    .await?
            }
            "make-an-image-that-is-not-there" => {
                self.fleet
                    .make("helpdesk")
                    .image_type("mcp")
                    .region("mars-1")
                    .await?
            }
            _ => {
                let tasks = self.fleet.tasks(&TaskQuery::keys([TASK])).await?;
                let task = tasks.into_iter().next().unwrap();
                let env = task
                    .make(&self.fleet)
                    .run_id(RUN)
                    .heartbeat_interval(Duration::from_secs(60))
                    .ttl(Duration::from_secs(600))
                    .await?;
                self.task = Some(task);
                env
            }
        };
        made.close().await?;
        Ok(())
    }

    async fn apps(&self) -> Result<(), Error> {
        let env = self.fleet.make("office").run_id(RUN).await?;
        let mail = env.app("mail")?;
        mail.resources().await?;
        let letters = mail.db("current");
        letters.query("SELECT COUNT(*) FROM letters", ()).await?;
        env.app("notes")?.reset(None, None).await?;
        env.close().await?;
        Ok(())
    }

    /// Its access token has ended; of a server with a key, that key refreshes it.
    async fn stored_login(&self) -> Result<(), Error> {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("credentials.json");
        let team = self.fleet.account().await?.team_id;
        let login = json!({"access_token": "ended", "refresh_token": KEY, "team_id": team});
        fs::write(&file, login.to_string()).unwrap();
        let client = Client::builder_with(Login::at(file)).base_url(self.fleet.base_url());
        client.build().unwrap().account().await?;
        Ok(())
    }

    async fn look(&self, name: &str) -> Result<(), Error> {
        match name {
            "instances" => {
                self.fleet.instances(&InstanceQuery::default()).await?;
                let query = InstanceQuery {
                    status: Some("running".into()),
                    region: Some("us-west-1".to_owned()),
                    run_id: Some(RUN.into()),
                    profile_id: Some("self".into()),
                };
                self.fleet.instances(&query).await?;
            }
            "runs" => {
                let query = |active, profile_id| RunQuery { active, profile_id };
                for query in [
                    query(RunActivity::Active, None),
                    query(RunActivity::All, Some("self".into())),
                    query(RunActivity::Inactive, None),
                ] {
                    self.fleet.runs(&query).await?;
                }
            }
            _ => {
                self.env().heartbeat().await?;
                let id = self.env().id();
                self.fleet.heartbeat(id, Some("us-east-1")).await?;
            }
        }
        Ok(())
    }

    async fn tasks(&self, name: &str) -> Result<(), Error> {
        match name {
            "tasks-by-keys" => {
                let keys = [TASK, "helpdesk-count-urgent", "no such task & more"];
                self.fleet.tasks(&TaskQuery::keys(keys)).await?;
            }
            "tasks-by-everything" => {
                let query = TaskQuery {
                    env_key: Some("helpdesk".to_owned()),
                    team_id: Some("t".to_owned()),
                    project_key: Some("helpdesk".to_owned()),
                    task_project_key: Some("helpdesk".to_owned()),
                    data_id: Some("default".to_owned()),
                    data_version: Some("v1".to_owned()),
                    ..TaskQuery::default()
                };
                self.fleet.tasks(&query).await?;
            }
            "task" => {
                self.fleet.task(&TASK.into()).await?;
                let query = TaskVersionQuery {
                    version_id: Some("v".to_owned()),
                    team_id: Some("t".into()),
                };
                self.fleet.task_version(&TASK.into(), &query).await?;
            }
            "import-a-task" => {
                let task = imported();
                let project = "both".into();
                self.fleet.import_task(&task, Some(&project)).await?;
                self.fleet.import_task(&task, None).await?;
            }
            _ => {
                let key = "imported".into();
                let change = UpdateTaskBody {
                    prompt: Some("New".to_owned()),
                    metadata: json!({"level": 3}).as_object().cloned(),
                    ..UpdateTaskBody::default()
                };
                self.fleet.update_task(&key, &change).await?;
                let change = UpdateTaskBody {
                    verifier_code: Some("def validate(env):\n    return 0\n".to_owned()),
                    ..UpdateTaskBody::default()
                };
                self.fleet.update_task(&key, &change).await?;
            }
        }
        Ok(())
    }

    async fn verify(&mut self, name: &str) -> Result<(), Error> {
        let verifier = self.task.as_ref().and_then(|task| task.verifier.clone());
        let arguments = match name {
            "verify-without-an-answer" => VerifyArgs::default(),
            "verify-by-keyword" => VerifyArgs::answer(Some("Priya Raman")),
            _ => VerifyArgs {
                args: vec!["Priya Raman".into()],
                ..VerifyArgs::default()
            },
        };
        let id = self.env().id();
        let answer = self
            .fleet
            .verify(&verifier.unwrap(), id, &arguments)
            .await?;
        self.execution = answer.execution_id.or(self.execution.take());
        Ok(())
    }
}

fn imported() -> Task {
    let file = json!([{
        "key": "imported",
        "prompt": "Grüße",
        "env_id": "helpdesk",
        "version": "v1.0.0",
        "data_id": "default",
        "created_at": "2026-11-16T08:00:00",
        "env_variables": {"A": 1},
        "metadata": {"level": 2.5},
        "verifier_func": "def validate(env, final_answer=None):\n    return 1\n",
        "verifier_id": "5e0f",
        "output_json_schema": {"type": "string"},
    }]);
    let tasks = task_file::parse(&file.to_string(), Path::new("tasks.json")).unwrap();
    tasks.into_iter().next().unwrap()
}
