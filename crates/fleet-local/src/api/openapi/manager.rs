//! The manager of an instance, relative to its base.

use fleet_api::types::manager::{
    Acknowledged, BrowserAddresses, DescribeResponse, DiffBody, DiffResponse, DocumentMetadata,
    DocumentStructure, DocumentTextBody, ExecuteFunctionBody, ExecuteFunctionResponse, FileDiff,
    FilePathBody, FileState, FileStateBody, FileTextBody, ManagerHealth, ManagerTime, QueryBody,
    QueryResponse, ResetBody, Resource, StartBrowserBody,
};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::operation::{LARGEST_COUNT, Operation};

const DATABASE: &str = "The database, as `GET /resources` names it";

pub(super) fn table() -> Vec<Operation> {
    vec![
        Operation::get("/resources", "list_resources", "What the instance has")
            .answers::<Vec<Resource>>(),
        Operation::post("/reset", "reset", "Back to the seed")
            .may_take::<ResetBody>()
            .answers::<Acknowledged>(),
        Operation::get("/health", "health", "Whether the manager is well")
            .answers::<ManagerHealth>(),
        Operation::get("/timestamp", "timestamp", "The instance's clock").answers::<ManagerTime>(),
        Operation::get("/resources/sqlite/{name}/describe", "describe", "The tables of a database")
            .segment("name", DATABASE)
            .answers::<DescribeResponse>(),
        Operation::post("/resources/sqlite/{name}/query", "query", "Runs one statement")
            .segment("name", DATABASE)
            .takes::<QueryBody>(json!({"properties": {"args": {"items": {"type": ["null", "boolean", "number", "string"]}}}}))
            .answers::<QueryResponse>(),
        Operation::post("/diff/structured", "structured_diff", "How `current` differs from `seed`")
            .may_take::<DiffBody>()
            .answers::<DiffResponse>(),
        Operation::post("/diff/fs", "file_diff", "The files of the instance").answers::<FileDiff>(),
        Operation::post("/fs/file", "read_file", "A file; one that does not exist is `exists: false`")
            .takes::<FileStateBody>(json!({"properties": {"max_content_size": {"maximum": LARGEST_COUNT}}}))
            .answers::<FileState>()
            .refuses(422, "Fields are missing or malformed"),
        Operation::post("/fs/file/text", "read_text", "A file's text")
            .takes::<FileTextBody>(json!({"properties": {"max_content_size": {"maximum": LARGEST_COUNT}}}))
            .answers_text()
            .refuses(400, "There is no such text file")
            .refuses(422, "Fields are missing or malformed"),
        Operation::get("/fs/file/get", "get_file", "The bytes of a file")
            .query("path", "The file")
            .answers_bytes()
            .refuses(400, "There is no such file"),
        Operation::get("/fs/list", "list_files", "The entries of a folder; one that does not exist is `exists: false`")
            .query("path", "The folder; without it, the uppermost")
            .answers_shape(entries),
        Operation::post("/fs/doc/text", "document_text", "A document's text")
            .takes::<DocumentTextBody>(json!({"properties": {"max_size": {"maximum": LARGEST_COUNT}}}))
            .answers_text()
            .refuses(400, "The document cannot be read").refuses(422, "Fields are missing or malformed"),
        Operation::post("/fs/doc/metadata", "document_metadata", "What a document says of itself")
            .takes::<FilePathBody>(Value::Null)
            .answers::<DocumentMetadata>().refuses(422, "Fields are missing or malformed"),
        Operation::post("/fs/doc/structured", "document_structure", "A document's parts")
            .takes::<FilePathBody>(Value::Null)
            .answers::<DocumentStructure>().refuses(422, "Fields are missing or malformed"),
        Operation::post("/resources/cdp/start", "start_browser", "Starts the instance's browser")
            .may_take::<StartBrowserBody>()
            .answers::<Acknowledged>(),
        Operation::get("/resources/cdp/describe", "describe_browser", "Where the browser is")
            .answers::<BrowserAddresses>()
            .refuses_as(409, "The browser is not running", "NoBrowser"),
        Operation::post("/execute_verifier_function", "execute_function", "Runs a verifier function in the instance")
            .takes::<ExecuteFunctionBody>(Value::Null)
            .answers::<ExecuteFunctionResponse>(),
    ]
}

fn entries(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["success", "path", "exists", "entries", "message"],
        "properties": {
            "success": {"type": "boolean"},
            "path": {"type": "string"},
            "exists": {"type": "boolean"},
            "entries": {"type": "array", "items": {"type": "object"}},
            "message": {"type": "string"},
        },
    })
}
