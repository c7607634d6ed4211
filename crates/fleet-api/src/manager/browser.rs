//! The browser of an instance, by the Chrome `DevTools` Protocol.

use super::call::{Caller, Request, check_success};
use crate::call::CallLimits;
use crate::error::Error;
use crate::request::Repeat;
use crate::types::manager::{Acknowledged, BrowserAddresses, StartBrowserBody};

/// A handle of an instance's browser; see [`Manager::browser`](super::Manager::browser).
#[derive(Debug, Clone)]
pub struct Browser {
    caller: Caller,
}

impl Browser {
    pub(super) fn new(caller: Caller) -> Self {
        Self { caller }
    }

    /// Starts the browser with a screen of this many pixels, and says where it is.
    ///
    /// # Errors
    /// [`ErrorKind::Operation`](crate::ErrorKind::Operation) when it does not start.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// let browser = manager.browser().start(1366, 768).await?;
    /// println!("{}", browser.cdp_browser_url);
    /// # Ok(()) }
    /// ```
    pub async fn start(&self, width: u32, height: u32) -> Result<BrowserAddresses, Error> {
        self.launch(&StartBrowserBody {
            resolution: Some(format!("{width},{height}")),
        })
        .await?;
        self.described().await
    }

    /// Where the browser is. One that does not run is started, 1920 × 1080, and asked for again.
    ///
    /// # Errors
    /// [`ErrorKind::Operation`](crate::ErrorKind::Operation) when it does not start.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// let browser = manager.browser().addresses().await?;
    /// println!("{} (to look at: {})", browser.cdp_browser_url, browser.cdp_devtools_url);
    /// # Ok(()) }
    /// ```
    pub async fn addresses(&self) -> Result<BrowserAddresses, Error> {
        // Asked once: that it does not run is the likely answer, by whatever status.
        let once = Self {
            caller: self.caller.limited(CallLimits {
                attempts: Some(1),
                deadline: self.caller.client.deadline_limit(),
            }),
        };
        match once.described().await {
            Ok(addresses) => Ok(addresses),
            Err(error) if error.status().is_some() => {
                self.launch(&StartBrowserBody::default()).await?;
                self.described().await
            }
            // Nobody answered, so nobody said that there is none.
            Err(_) => self.described().await,
        }
    }

    async fn launch(&self, body: &StartBrowserBody) -> Result<(), Error> {
        // Starting what runs leaves it running.
        let path = "/resources/cdp/start";
        let request = Request::post("start browser", path, body, Repeat::SameId);
        let operation = request.operation();
        let answer: Acknowledged = self.caller.json(request).await?;
        check_success(operation, answer.success, None, &answer.message)
    }

    async fn described(&self) -> Result<BrowserAddresses, Error> {
        let request = Request::get("find browser", "/resources/cdp/describe");
        let operation = request.operation();
        let answer: BrowserAddresses = self.caller.json(request).await?;
        check_success(operation, answer.success, None, "the browser does not run")?;
        Ok(answer)
    }
}
