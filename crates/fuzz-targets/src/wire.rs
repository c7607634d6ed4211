//! Answers of a service.

use fleet_api::types::{Account, ExecuteResponse, Instance, TaskResponse};

pub(crate) fn target(data: &[u8]) {
    if let Ok(answer) = serde_json::from_slice::<ExecuteResponse>(data)
        && let Ok(score) = answer.score()
    {
        assert!(
            answer.success && (0.0..=1.0).contains(&score),
            "{score} is no score"
        );
    }
    let _ = serde_json::from_slice::<Instance>(data);
    let _ = serde_json::from_slice::<Account>(data);
    let _ = serde_json::from_slice::<TaskResponse>(data);
}
