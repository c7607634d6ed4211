//! One call to a manager: the token, the retries, and what `success: false` means.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::address::Address;
use super::token::{header_value, token_for};
use crate::attempts::decode_json;
use crate::call::CallLimits;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::request::{ApiRequest, Repeat};
use crate::transport::Stamp;

/// For what works through a whole database or runs somebody's code: the official client gives every
/// manager call this long.
const LONG: Duration = Duration::from_secs(300);

/// One manager as it is called; shared by the handles of its databases, files and browser.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) address: Arc<Address>,
    token: Option<SecretString>,
    /// Whether anything but a 404 ever came back.
    routed: Arc<AtomicBool>,
}

/// What a call sends.
pub(super) struct Request {
    api: ApiRequest,
    is_long: bool,
}

impl Request {
    pub(super) fn get(operation: &'static str, path: impl Into<String>) -> Self {
        Self::new(ApiRequest::get(operation, path))
    }

    /// A POST that only reads.
    pub(super) fn read(
        operation: &'static str,
        path: impl Into<String>,
        body: &impl Serialize,
    ) -> Self {
        Self::post(operation, path, body, Repeat::Harmless)
    }

    /// A POST that may be sent twice or not, as `repeat` says.
    pub(super) fn post(
        operation: &'static str,
        path: impl Into<String>,
        body: &impl Serialize,
        repeat: Repeat,
    ) -> Self {
        let mut api = ApiRequest::new(operation, Method::POST, path).json(body);
        api.repeat = repeat;
        Self::new(api)
    }

    fn new(api: ApiRequest) -> Self {
        Self {
            api,
            is_long: false,
        }
    }

    /// The same for work that takes minutes.
    pub(super) fn long(mut self) -> Self {
        self.is_long = true;
        self
    }

    pub(super) fn operation(&self) -> &'static str {
        self.api.operation
    }
}

impl Caller {
    pub(super) fn new(client: Client, address: Address) -> Self {
        Self {
            client,
            address: Arc::new(address),
            token: None,
            routed: Arc::default(),
        }
    }

    pub(super) fn with_token(mut self, token: SecretString) -> Self {
        self.token = Some(token);
        self
    }

    /// The same caller for another app of the instance, which is routed by itself.
    pub(super) fn at(&self, address: Address) -> Self {
        Self {
            token: self.token.clone(),
            ..Self::new(self.client.clone(), address)
        }
    }

    /// The same caller with other limits for its calls.
    pub(super) fn limited(&self, limits: CallLimits) -> Self {
        Self {
            client: self.client.limited(limits),
            ..self.clone()
        }
    }

    /// An answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        self.send(request, decode_json).await
    }

    /// An answer as text.
    pub(super) async fn text(&self, request: Request) -> Result<String, Error> {
        self.send(request, |body| {
            let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
            Ok(text.to_owned())
        })
        .await
    }

    async fn send<T>(
        &self,
        mut request: Request,
        decode: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Error> {
        let call = if request.is_long {
            self.client.begin_long(LONG, LONG)
        } else {
            self.client.begin()
        };
        let manager = &self.address.manager;
        let token = match &self.token {
            Some(token) => header_value(token),
            None => token_for(&self.client, manager, &call).await,
        };
        request.api.retry_not_found = !self.routed.load(Ordering::Relaxed);
        let stamp = Stamp::runner(token);
        let base = manager.as_str().trim_end_matches('/');
        let result = self
            .client
            .run_as(base, &request.api, call, &stamp, decode)
            .await;
        let answered = result.as_ref().map_or_else(
            |error| error.status().is_some_and(|status| status != 404),
            |_| true,
        );
        if answered {
            self.routed.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// An operation that the manager says did not work, as an error.
pub(super) fn check_success(
    operation: &'static str,
    success: bool,
    error: Option<&str>,
    message: &str,
) -> Result<(), Error> {
    if success {
        return Ok(());
    }
    let said = [error.unwrap_or_default(), message]
        .into_iter()
        .find(|text| !text.trim().is_empty())
        .unwrap_or("the manager does not say why");
    Err(Error::new(
        operation,
        ErrorKind::Operation {
            message: said.to_owned(),
        },
    )
    .with_status(Some(200)))
}
