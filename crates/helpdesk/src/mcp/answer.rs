//! What the tools answer: JSON as text. A mistake of the agent is an answer that it can read, not a failure of the protocol.

use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{model::Rows, store::StoreError};

pub(super) type Answer = Result<CallToolResult, ErrorData>;

/// The outcome of a reading or a change.
pub(super) fn answer<T: Serialize>(outcome: Result<T, StoreError>) -> Answer {
    match outcome {
        Ok(value) => {
            let text = serde_json::to_string(&value)
                .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
            Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
        }
        Err(StoreError::Database(_) | StoreError::Interrupted(_)) => {
            // What went wrong inside is for the desk's log.
            Err(ErrorData::internal_error("the desk could not do it", None))
        }
        Err(mistake) => Ok(CallToolResult::error(vec![ContentBlock::text(
            mistake.to_string(),
        )])),
    }
}

/// A list, and where in the whole it stands.
pub(super) fn listed<T: Serialize>(name: &str, page: &Rows<T>) -> Value {
    json!({
        name: page.items,
        "total": page.total,
        "page": page.page,
        "per_page": page.per_page,
        "pages": page.pages(),
    })
}
