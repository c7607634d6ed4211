//! The browser of an instance, by the Chrome `DevTools` Protocol.

use serde::{Deserialize, Serialize};

use crate::types::lenient;

/// Body of `POST /resources/cdp/start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StartBrowserBody {
    /// Pixels as `width,height`; `widthxheight` is understood as well.
    #[serde(default = "full_hd")]
    pub resolution: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "the type of the field")]
fn full_hd() -> Option<String> {
    Some("1920,1080".to_owned())
}

impl Default for StartBrowserBody {
    /// 1920 × 1080.
    fn default() -> Self {
        Self {
            resolution: full_hd(),
        }
    }
}

/// Answer of `GET /resources/cdp/describe`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BrowserAddresses {
    /// Whether a browser runs.
    pub success: bool,
    /// WebSocket of its page.
    #[serde(default, deserialize_with = "lenient::text")]
    pub cdp_page_url: String,
    /// WebSocket of the browser itself.
    #[serde(default, deserialize_with = "lenient::text")]
    pub cdp_browser_url: String,
    /// A page on which people see it.
    #[serde(default, deserialize_with = "lenient::text")]
    pub cdp_devtools_url: String,
}
