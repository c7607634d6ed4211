//! Environments, the account, instances and the runs they form.

use fleet_api::types::{
    Account, CreateInstanceBody, CreateRequest, Environment, ExtendTtlBody, HeartbeatBody,
    HeartbeatResponse, Instance, RefreshBody, RefreshResponse, Run, TtlBody,
};
use serde_json::{Value, json};

use super::operation::{LARGEST_COUNT, Operation};
use crate::api::auth;
use crate::api::create::LONGEST_TEXT;
use crate::instance::lease::HEARTBEAT_RANGE;

const STATUS: &str = "Only with this status; without it, pending and running ones";
const REGION: &str = "Only in this region";
const RUN: &str = "Only of this run";
const PROFILE: &str = "Only of this account; `self` is the caller's";
const INSTANCE: &str = "The instance";
const REQUEST_PATH: &str = "/v1/env/instances/create-requests/{request_id}";
const REQUEST: &str = "The `X-Request-ID` of the create";
const NO_REQUEST: &str = "No create of this id is remembered";
const NO_INSTANCE: &str = "There is no such instance";

pub(super) fn table() -> Vec<Operation> {
    let mut table = catalogue();
    table.extend(instances());
    table.extend(leases());
    table.extend(requests_and_runs());
    table
}

fn catalogue() -> Vec<Operation> {
    vec![
        Operation::post(
            auth::REFRESH,
            "refresh_token",
            "A new access token for a login",
        )
        .takes::<RefreshBody>(Value::Null)
        .answers::<RefreshResponse>()
        .refuses_as(422, "Fields are missing or malformed", "Invalid"),
        Operation::get(
            "/v1/env",
            "list_environments",
            "The environments of the catalogue",
        )
        .answers::<Vec<Environment>>(),
        Operation::get("/v1/env/{env_key}", "get_environment", "One environment")
            .segment("env_key", "The environment, without version")
            .answers::<Environment>()
            .refuses(400, "There is no such environment"),
        Operation::get(
            "/v1/regions",
            "list_regions",
            "The regions, the default one first",
        )
        .answers::<Vec<String>>(),
        Operation::get(
            "/v1/account",
            "get_account",
            "The team and its limit of instances",
        )
        .answers::<Account>(),
    ]
}

fn instances() -> Vec<Operation> {
    vec![
        create(),
        Operation::get(
            "/v1/env/instances",
            "list_instances",
            "Instances, newest last",
        )
        .query("status", STATUS)
        .query("region", REGION)
        .query("run_id", RUN)
        .query("profile_id", PROFILE)
        .answers::<Vec<Instance>>(),
        Operation::delete(
            "/v1/env/instances/batch",
            "close_instances",
            "Ends the instances of a run or an account",
        )
        .query("run_id", RUN)
        .query("profile_id", PROFILE)
        .answers::<Vec<Instance>>()
        .refuses(400, "Neither a run nor an account is named"),
        Operation::get(
            "/v1/env/instances/{id}",
            "get_instance",
            "One instance, ended ones too",
        )
        .segment("id", INSTANCE)
        .answers::<Instance>()
        .refuses(404, NO_INSTANCE),
        Operation::delete(
            "/v1/env/instances/{id}",
            "close_instance",
            "Ends an instance; repeating it changes nothing",
        )
        .segment("id", INSTANCE)
        .answers::<Instance>()
        .refuses(404, NO_INSTANCE),
        Operation::post(
            "/v1/env/instances/{id}/heartbeat",
            "heartbeat",
            "Keeps an instance alive; a beat counts whatever its body is",
        )
        .segment("id", INSTANCE)
        .may_take::<HeartbeatBody>()
        .answers::<HeartbeatResponse>()
        .refuses(404, NO_INSTANCE)
        .refuses(410, "The instance is not running"),
    ]
}

fn leases() -> Vec<Operation> {
    const MONITORED: &str = "The instance lives by its heartbeats";
    let of = |path, name, summary| {
        Operation::post(path, name, summary)
            .segment("id", INSTANCE)
            .answers::<Instance>()
            .refuses(404, NO_INSTANCE)
            .refuses(409, MONITORED)
            .refuses(410, "The instance is not running")
            .refuses_as(422, "The body is malformed", "Invalid")
    };
    vec![
        of(
            "/v1/env/instances/{id}/ttl",
            "set_instance_ttl",
            "Ends an instance so many seconds from now",
        )
        .takes::<TtlBody>(
            json!({"properties": {"ttl_seconds": {"minimum": 1, "maximum": LARGEST_COUNT}}}),
        ),
        of(
            "/v1/env/instances/{id}/extend_ttl",
            "extend_instance_ttl",
            "Lets an instance live until a later moment",
        )
        .takes::<ExtendTtlBody>(
            json!({"properties": {"absolute_expires_at": {"format": "date-time"}}}),
        )
        .refuses(
            400,
            "The moment is before the present end, or the instance is starting",
        ),
    ]
}

fn requests_and_runs() -> Vec<Operation> {
    vec![
        Operation::get(
            REQUEST_PATH,
            "get_create_request",
            "What became of a create",
        )
        .segment("request_id", REQUEST)
        .answers::<CreateRequest>()
        .refuses_as(404, NO_REQUEST, "UnknownRequest"),
        Operation::delete(
            REQUEST_PATH,
            "cancel_create_request",
            "Ends what a create made, or is about to make",
        )
        .segment("request_id", REQUEST)
        .answers::<CreateRequest>()
        .refuses_as(404, NO_REQUEST, "UnknownRequest"),
        Operation::get(
            "/v1/env/runs",
            "list_runs",
            "Runs of which instances are remembered",
        )
        .query_as(
            "active",
            json!({"type": "string", "enum": ["active", "inactive", "all", ""], "default": "active"}),
            "Runs with live instances, without, or both",
        )
        .query("profile_id", PROFILE)
        .answers::<Vec<Run>>()
        .refuses_as(422, "A parameter is malformed", "Invalid"),
        Operation::get(
            "/v1/runner-auth/token",
            "runner_token",
            "Always 404: managers of this server ask for no token",
        )
        .refuses(404, "No gate here"),
    ]
}

fn create() -> Operation {
    Operation::post(
        "/v1/env/instances",
        "create_instance",
        "Makes an instance; answered when it is usable, or after `max_wait_seconds`",
    )
    .named("Names the request: a second one with the same id makes no second instance")
    .takes::<CreateInstanceBody>(create_limits())
    .answers::<Instance>()
    .refuses(
        400,
        "An environment, version, region or data set is unknown",
    )
    .refuses_as(403, "The instance limit is reached", "InstanceLimit")
    .refuses_as(
        409,
        "The request was made before, or its id was used for another environment",
        "CreateConflict",
    )
    .refuses_as(422, "Fields are missing or malformed", "Invalid")
    .refuses_as(500, "The environment did not start", "StartFailed")
    .refuses(503, "The server is shutting down")
}

/// As `create::check` checks them. Lengths are bytes there and characters here, so they are a bound
/// for ASCII.
fn create_limits() -> Value {
    let text = json!({"maxLength": LONGEST_TEXT});
    json!({
        "properties": {
            "env_key": {"maxLength": LONGEST_TEXT, "examples": ["helpdesk"]},
            "env_version": text, "data_key": text, "data_version": text, "region": text, "run_id": text,
            "image_type": {"maxLength": LONGEST_TEXT, "pattern": "^[^\\u0000]*$"},
            "ttl_seconds": {"minimum": 1, "maximum": i64::MAX},
            "heartbeat_interval": {"minimum": HEARTBEAT_RANGE.start(), "maximum": HEARTBEAT_RANGE.end()},
            "max_wait_seconds": {"minimum": 0, "maximum": i64::MAX},
            "env_variables": {"propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}},
        },
    })
}
