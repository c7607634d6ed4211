//! Tasks, and the verifiers that score what is done in them.

use fleet_api::types::{
    ExecuteResponse, ExecuteVerifierBody, GradeBody, GradeResponse, ProjectList, TaskList,
    TaskResponse, UpdateTaskBody, VerifierCheck, VerifierRecord,
};
use serde_json::{Value, json};

use super::operation::Operation;

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
            .answers::<TaskResponse>()
            .refuses(404, NO_TASK),
        Operation::post("/v1/tasks", "import_task", "Stores a task").refuses(501, "Not offered"),
        Operation::put("/v1/tasks/{key}", "update_task", "Changes a task")
            .segment("key", TASK)
            .takes::<UpdateTaskBody>(Value::Null)
            .refuses(501, "Not offered"),
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
        .refuses(501, "No judge is configured"),
    ]
}
