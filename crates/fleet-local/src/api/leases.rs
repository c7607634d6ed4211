//! Moving the end of an instance: its TTL counted anew, or extended to a moment.

use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{ExtendTtlBody, TtlBody};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::body::Body;
use super::error::ApiError;
use super::instances::{gone, past_record, unknown};
use super::record::record;
use super::state::App;
use crate::instance::lease::{LeaseChange, NotChanged};

/// Seconds from now, whatever was agreed on before: this may shorten a life too.
pub(super) async fn set_ttl(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let wanted: TtlBody = body.json()?;
    if wanted.ttl_seconds == 0 {
        let message = "Input should be greater than or equal to 1";
        return Err(ApiError::invalid_field(
            "ttl_seconds",
            message,
            "greater_than_equal",
        ));
    }
    let ttl = std::time::Duration::from_secs(wanted.ttl_seconds);
    change(&app, &id, LeaseChange::Ttl(ttl)).await
}

/// To a later moment than before; repeating it changes nothing.
pub(super) async fn extend(
    State(app): State<App>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let wanted: ExtendTtlBody = body.json()?;
    let until = moment(&wanted.absolute_expires_at).ok_or_else(|| {
        let message = "Input should be a valid datetime";
        ApiError::invalid_field("absolute_expires_at", message, "datetime_parsing")
    })?;
    change(&app, &id, LeaseChange::ExtendTo(until)).await
}

async fn change(app: &App, id: &str, change: LeaseChange) -> Result<Json<Value>, ApiError> {
    let Some(instance) = app.store.get(id) else {
        return Err(match past_record(app, id.to_owned()).await? {
            Some(_) => gone(id, "stopped"),
            None => unknown(id),
        });
    };
    match instance.change_lease(change, app.host.clock.now()) {
        None => Err(gone(id, instance.state().status.as_str())),
        Some(Err(reason)) => Err(refusal(&reason)),
        Some(Ok(())) => Ok(Json(record(&instance))),
    }
}

fn refusal(reason: &NotChanged) -> ApiError {
    match reason {
        NotChanged::Heartbeats => ApiError::new(StatusCode::CONFLICT, reason.to_string()),
        NotChanged::Earlier { .. } | NotChanged::Pending => {
            ApiError::bad_request(reason.to_string())
        }
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let zoned = text.parse::<Timestamp>().ok();
    zoned.or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_moment_without_a_zone_is_in_utc() {
        let utc = moment("2025-06-10T09:00:00Z");
        assert!(utc.is_some());
        assert_eq!(moment("2025-06-10T09:00:00"), utc);
        assert_eq!(moment("2025-06-10T11:00:00+02:00"), utc);
        assert_eq!(moment("tomorrow"), None);
        assert_eq!(moment(""), None);
    }
}
