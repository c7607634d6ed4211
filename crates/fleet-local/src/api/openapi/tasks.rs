//! Tasks, and the verifiers that score what is done in them.

use fleet_api::types::{
    ExecuteResponse, ExecuteVerifierBody, GradeBody, GradeResponse, ProjectList, TaskList,
    TaskResponse, UpdateTaskBody, VerifierCheck, VerifierRecord,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::operation::{Operation, SEGMENT};

const TASK: &str = "The task";
const NO_TASK: &str = "There is no such task";
const TEAM: &str = "Only of this team";

pub(super) fn table() -> Vec<Operation> {
    vec![
        Operation::get("/v1/tasks", "list_tasks", "Tasks; there is no paging")
            .query("env_key", "Only of this environment")
            .query_as(
                "task_keys",
                json!({"type": "array", "items": {"type": "string"}}),
                "Only these; given once for each",
            )
            .query("team_id", TEAM)
            .query("project_key", "Only of this project")
            .query("task_project_key", "Only of this project")
            .query("data_id", "Only with this data set")
            .query("data_version", "Only with this version of the data set")
            .answers::<TaskList>(),
        Operation::get(
            "/v1/tasks/projects",
            "list_projects",
            "The projects that tasks are filed under",
        )
        .answers::<ProjectList>(),
        Operation::get("/v1/tasks/{key}", "get_task", "One task")
            .segment("key", TASK)
            .query("version_id", "An earlier version of it")
            .query("team_id", "The team it belongs to")
            .answers::<TaskResponse>()
            .refuses(403, "The team is not the caller's")
            .refuses(404, NO_TASK),
        Operation::post(
            "/v1/tasks",
            "import_task",
            "Stores a task, or a new version of one that is known",
        )
        .query("project_key", "Files it under this project")
        .takes_shape(imported_task)
        .answers::<TaskResponse>()
        .once()
        .refuses_as(422, "Fields are missing or malformed", "Invalid"),
        Operation::put("/v1/tasks/{key}", "update_task", "Changes a task")
            .segment("key", TASK)
            .takes::<UpdateTaskBody>(json!({"properties": {"prompt": {"minLength": 1}}}))
            .answers::<TaskResponse>()
            .once()
            .refuses(404, NO_TASK)
            .refuses_as(422, "Fields are malformed", "Invalid"),
        Operation::get(
            "/v1/verifiers/check",
            "check_verifier",
            "Whether a bundle is known; an unknown one is `success: false`",
        )
        .required_query(
            "sha256",
            json!({"type": "string", "minLength": 1}),
            "Of the bundle's bytes, in hex",
        )
        .answers::<VerifierCheck>(),
        Operation::post(
            "/v1/verifiers/execute",
            "execute_verifier",
            "Runs a verifier on an instance",
        )
        .takes::<ExecuteVerifierBody>(Value::Null)
        .answers::<ExecuteResponse>()
        .once()
        .refuses(
            400,
            "The bundle is unknown or broken, or the arguments cannot be read",
        )
        .refuses_as(422, "Fields are missing or malformed", "Invalid"),
        Operation::get(
            "/v1/verifiers/{id}",
            "get_verifier",
            "A stored verifier's source",
        )
        .segment("id", "The verifier")
        .answers::<VerifierRecord>()
        .refuses(404, "There is no such verifier"),
        Operation::post(
            "/v1/judge/grade",
            "grade",
            "Lets a judge grade an answer by a rubric",
        )
        .takes::<GradeBody>(Value::Null)
        .answers::<GradeResponse>()
        .refuses(400, "The judge cannot work with what it is given")
        .refuses(401, "The judge's token is missing or wrong")
        .refuses_as(422, "Fields are missing or malformed", "Invalid")
        .refuses(424, "The judge failed")
        .refuses(501, "No judge is configured")
        .refuses(502, "The judge cannot be reached"),
    ]
}

/// As the official client sends it. Other names that exports use for the same things are understood
/// too, for example `task_key` and `verifier_code`.
fn imported_task(_: &mut SchemaGenerator) -> Schema {
    let text = json!({"type": ["string", "null"]});
    let object = json!({"type": ["object", "null"]});
    json_schema!({
        "type": "object",
        "required": ["key", "prompt", "env_id"],
        "properties": {
            "key": {"type": "string", "pattern": SEGMENT},
            "prompt": {"type": "string", "minLength": 1},
            "env_id": {"type": "string", "minLength": 1, "description": "Environment, bare or as `key:version`"},
            "version": text, "data_id": text, "data_version": text, "task_modality": text,
            "created_at": {"type": ["string", "null"], "format": "date-time"},
            "verifier_id": text, "verifier_sha": text, "verifier_runtime_version": text,
            "verifier_func": {"type": ["string", "null"], "description": "Source of the verifier"},
            "env_variables": object, "metadata": object,
            "output_json_schema": {"description": "Shape of the final answer"},
        },
    })
}
