//! The browser of an instance.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use fleet_api::types::manager::{Acknowledged, BrowserAddresses, StartBrowserBody};
use serde_json::json;

use super::parse_or_default;
use crate::manager::state::InstanceManager;

/// Pixels of either side of a window.
const SIDE: std::ops::RangeInclusive<u32> = 64..=7680;

const NONE: &str =
    "there is no browser here: the server found no Chromium or Chrome on its machine";

pub(super) async fn start(
    State(manager): State<InstanceManager>,
    body: Bytes,
) -> Json<Acknowledged> {
    let (success, message) = match try_start(&manager, &body).await {
        Ok(()) => (true, "Browser started successfully".to_owned()),
        Err(why) => (false, why),
    };
    Json(Acknowledged { success, message })
}

async fn try_start(manager: &InstanceManager, body: &[u8]) -> Result<(), String> {
    let request: StartBrowserBody = parse_or_default(body)?;
    let resolution = request
        .resolution
        .or(StartBrowserBody::default().resolution)
        .unwrap_or_default();
    let (width, height) = pixels(&resolution).ok_or_else(|| {
        format!("{resolution:?} is not a resolution such as 1920,1080 or 1920x1080")
    })?;
    let browser = manager.services().browser.as_ref().ok_or(NONE)?;
    browser
        .start(width, height)
        .await
        .map_err(|error| error.to_string())
}

/// The official client starts the browser when this is not a 200, and asks again.
pub(super) async fn describe(State(manager): State<InstanceManager>) -> Response {
    let Some(browser) = &manager.services().browser else {
        // Starting would not help, so this is a 200 that says so.
        return Json(without(NONE)).into_response();
    };
    match browser.addresses().await {
        Some(addresses) => Json(addresses).into_response(),
        None => (
            StatusCode::CONFLICT,
            Json(without("the browser is not running; start it first")),
        )
            .into_response(),
    }
}

/// No addresses, with every field that the client's model wants.
fn without(why: &str) -> serde_json::Value {
    let empty = BrowserAddresses::default();
    json!({
        "success": false,
        "cdp_page_url": empty.cdp_page_url,
        "cdp_browser_url": empty.cdp_browser_url,
        "cdp_devtools_url": empty.cdp_devtools_url,
        "message": why,
        "error": why,
        "detail": why,
    })
}

/// Width and height, separated by a comma or an `x`.
fn pixels(resolution: &str) -> Option<(u32, u32)> {
    let (width, height) = resolution.trim().split_once([',', 'x', 'X'])?;
    let side = |text: &str| {
        let side: u32 = text.trim().parse().ok()?;
        SIDE.contains(&side).then_some(side)
    };
    Some((side(width)?, side(height)?))
}

#[cfg(test)]
mod tests {
    use super::pixels;

    #[test]
    fn both_ways_of_writing_a_resolution_are_understood_and_nothing_else() {
        for text in ["1920,1080", "1920x1080", " 1920 X 1080 "] {
            assert_eq!(pixels(text), Some((1920, 1080)), "{text}");
        }
        for text in [
            "",
            "1920",
            "0,0",
            "1920,1080,2",
            "99999,1080",
            "-5x10",
            "a,b",
        ] {
            assert_eq!(pixels(text), None, "{text}");
        }
    }
}
