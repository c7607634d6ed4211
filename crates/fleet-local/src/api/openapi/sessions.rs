//! Sessions, the logs they are made of, and the jobs that collect them.

use fleet_api::types::{
    CreateJobBody, IngestBody, IngestResponse, Job, JobList, JobLogBody, JobSessions, JobSummary,
    SummarizeJobBody, SummarizedJob, TraceJob, TraceJobBody, TraceLogBody, Transcript,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::operation::{LARGEST_COUNT, Operation, SEGMENT};

const TEAM: &str = "The team";
const JOB: &str = "The job, by id or by name";
const NO_JOB: &str = "There is no such job";
const MALFORMED: &str = "Fields are missing or malformed";

pub(super) fn table() -> Vec<Operation> {
    let mut table = sessions();
    table.extend(jobs());
    table
}

fn sessions() -> Vec<Operation> {
    vec![
        Operation::post(
            "/v1/traces/jobs",
            "create_trace_job",
            "Makes a job that only collects sessions",
        )
        .takes::<TraceJobBody>(json!({"properties": {"name": {"maxLength": 255}}}))
        .answers::<TraceJob>()
        .once()
        .refuses_as(422, MALFORMED, "Invalid"),
        Operation::post(
            "/v1/traces/logs",
            "log_trace",
            "Logs one model call, or the end of a session",
        )
        .takes::<TraceLogBody>(names())
        .answers::<IngestResponse>()
        .once()
        .refuses_as(409, "The session has ended", "SessionEnded")
        .refuses(507, "The server keeps no more messages")
        .refuses_as(422, MALFORMED, "Invalid"),
        Operation::post(
            "/v1/sessions/ingest",
            "ingest_session",
            "Makes a session of messages, or adds to one",
        )
        .takes::<IngestBody>(ingest_limits())
        .answers::<IngestResponse>()
        .once()
        .refuses_as(409, "The session has ended", "SessionEnded")
        .refuses(507, "The server keeps no more messages")
        .refuses_as(422, MALFORMED, "Invalid"),
        Operation::get(
            "/v1/sessions/job/{job_id}",
            "list_job_sessions",
            "The sessions of a job, by task",
        )
        .segment("job_id", JOB)
        .answers::<JobSessions>()
        .refuses(404, NO_JOB),
        Operation::get(
            "/v1/sessions/{id}/transcript",
            "get_transcript",
            "What was said in a session",
        )
        .segment("id", "The session")
        .answers::<Transcript>()
        .refuses(404, "There is no such session"),
        Operation::get("/v1/jobs", "list_jobs", "Jobs, newest first")
            .query("team_id", TEAM)
            .query_as("limit", whole_number(), "At most so many")
            .answers::<JobList>()
            .refuses_as(422, "A parameter is malformed", "Invalid"),
        Operation::get("/v1/jobs/{id}", "get_job", "One job")
            .segment("id", JOB)
            .query("team_id", TEAM)
            .answers::<Job>()
            .refuses(403, "The team is not the caller's")
            .refuses(404, NO_JOB),
    ]
}

fn jobs() -> Vec<Operation> {
    vec![
        Operation::post(
            "/v1/jobs",
            "create_job",
            "Checks a job; this server runs none",
        )
        .takes::<CreateJobBody>(job_limits())
        .refuses(400, "An environment or task is unknown")
        .refuses_as(422, MALFORMED, "Invalid")
        .refuses(501, "The job is right, and not run here"),
        Operation::post(
            "/v1/eval_jobs/{job_id}/logs",
            "log_job",
            "Keeps raw entries of a job",
        )
        .segment("job_id", "The job; need not be known")
        .takes::<JobLogBody>(Value::Null)
        .answers_shape(kept)
        .once()
        .refuses_as(422, MALFORMED, "Invalid"),
        Operation::get(
            "/v1/eval_jobs/{job_id}/logs",
            "get_job_log",
            "Raw entries of a job, a thousand at most. Not of the hosted API",
        )
        .segment("job_id", "The job")
        .query_as(
            "offset",
            whole_number(),
            "Leaves out so many",
        )
        .query_as(
            "limit",
            whole_number(),
            "At most so many",
        )
        .answers_shape(logged)
        .refuses_as(422, "A parameter is malformed", "Invalid"),
        Operation::post(
            "/v1/summarize/job",
            "summarize_job",
            "Has the judge read the sessions of a job and sum them up, behind the caller's back",
        )
        .takes::<SummarizeJobBody>(json!({"properties": {
            "max_context_tokens": {"minimum": 2_000, "maximum": 2_000_000}, "max_concurrent": {"minimum": 1, "maximum": LARGEST_COUNT},
            "model": {"maxLength": 1024},
        }}))
        .answers::<SummarizedJob>()
        .once()
        .refuses(400, "There is no such job, or it has no sessions or too many")
        .refuses(401, "The judge's token is missing or wrong")
        .refuses_as(422, MALFORMED, "Invalid")
        .refuses(429, "Too many summaries are being written")
        .refuses(501, "The server has no judge"),
        Operation::get(
            "/v1/summaries/{summary_id}",
            "get_summary",
            "A summary, how far it is. Not of the hosted API, which shows summaries on its dashboard alone",
        )
        .segment("summary_id", "The summary")
        .answers::<JobSummary>()
        .refuses(400, "There is no such summary"),
    ]
}

/// Names of sessions and what they belong to are bounded; a job's stands in paths.
fn names() -> Value {
    let name = json!({"maxLength": 1024});
    json!({"properties": {
        "session_id": {"pattern": format!("^$|{SEGMENT}"), "maxLength": 256}, "task_key": name, "instance_id": name, "model": name, "status": name,
        "ended_at": name, "verifier_execution_id": name, "job_id": {"pattern": SEGMENT, "maxLength": 256},
    }})
}

fn ingest_limits() -> Value {
    let mut limits = names();
    limits["properties"]["messages"] = json!({"minItems": 1, "maxItems": 5000});
    limits["properties"]["session_id"] = json!({"pattern": SEGMENT, "maxLength": 256});
    limits["properties"]["started_at"] = json!({"maxLength": 1024});
    limits
}

/// As the handler checks them: exactly one of three names the tasks.
fn whole_number() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": i64::MAX})
}

fn job_limits() -> Value {
    let sources = ["env_key", "project_key", "task_keys"];
    let one_source = |named: &str| {
        let others = sources.iter().filter(|source| **source != named);
        let mut properties: Map<String, Value> = others
            .map(|source| ((*source).to_owned(), json!({"type": "null"})))
            .collect();
        properties.insert(named.to_owned(), json!({"type": ["string", "array"]}));
        json!({"required": [named], "properties": properties})
    };
    let at_least_one = json!({"minimum": 1});
    json!({
        "properties": {
            "models": {"minItems": 1}, "task_keys": {"minItems": 1}, "name": {"maxLength": 255},
            "mode": {"enum": ["tool-use", "computer-use", null]},
            "pass_k": at_least_one, "max_steps": at_least_one, "max_duration_minutes": at_least_one,
            "max_concurrent_per_model": at_least_one, "byok_ttl_minutes": at_least_one,
        },
        "oneOf": sources.map(one_source),
    })
}

fn kept(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["success", "entries"],
        "properties": {"success": {"type": "boolean"}, "entries": {"type": "integer", "minimum": 0}},
    })
}

fn logged(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["job_id", "entries"],
        "properties": {
            "job_id": {"type": "string"},
            "entries": {"type": "array", "items": {"type": "object"}},
        },
    })
}
