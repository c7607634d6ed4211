//! The judge: a model of the service grades an answer by a rubric.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::request::{self, ApiRequest};
use crate::types::{GradeBody, GradeResponse, RequestId};

const JUDGE_TOKEN: HeaderName = HeaderName::from_static("x-fleet-judge-token");
const COST_TEAM: HeaderName = HeaderName::from_static("x-fleet-cost-team-id");

/// An agentic judge takes up to fifty turns of a model.
const GRADE_TIMEOUT: Duration = Duration::from_mins(5);

/// Room for a second attempt, and for the waits between them.
const GRADE_CALL: Duration = Duration::from_mins(11);

impl Client {
    /// Has the judge grade what `body` describes.
    ///
    /// A grading is no score yet: [`GradeResponse::score`] tells what it is worth. The judge wants a
    /// token of its own, from [`ClientBuilder::judge_token`](crate::ClientBuilder::judge_token) or
    /// `FLEET_JUDGE_TOKEN`; a refusal of it is [`ErrorKind::JudgeToken`].
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use fleet_api::types::{Criterion, GradeBody, Rubric};
    ///
    /// let done = Criterion::new("Done", 2).levels([(2, "closed"), (0, "open")]);
    /// let body = GradeBody::of("bc8954c2", Rubric::structured([done])).submission("I closed it.");
    /// println!("{}", fleet.grade(&body).await?.score()?);
    /// # Ok(()) }
    /// ```
    pub async fn grade(&self, body: &GradeBody) -> Result<GradeResponse, Error> {
        let mut request = self.as_judged(request::grade(body));
        if let Some(team) = &self.shared().cost_team_id {
            request.headers.insert(COST_TEAM, checked(team.as_str()));
        }
        let call = self.begin_long(GRADE_TIMEOUT, GRADE_CALL);
        let graded = self.run(&request, call, RequestId::new()).await;
        graded.map_err(about_the_token)
    }

    /// The request with the judge's token, if there is one.
    pub(super) fn as_judged(&self, mut request: ApiRequest) -> ApiRequest {
        if let Some(token) = &self.shared().judge_token {
            let mut value = checked(token.expose_secret());
            value.set_sensitive(true);
            request.headers.insert(JUDGE_TOKEN, value);
        }
        request
    }
}

fn checked(text: &str) -> HeaderValue {
    HeaderValue::from_str(text.trim()).expect("it was looked at when the client was built")
}

/// A refused judge's token looks like a refused key, but no other call will fail for it.
pub(super) fn about_the_token(error: Error) -> Error {
    let (ErrorKind::Authentication { message } | ErrorKind::Permission { message }) = error.kind()
    else {
        return error;
    };
    if !message.to_lowercase().contains("judge-token") {
        return error;
    }
    let message = message.clone();
    error.with_kind(ErrorKind::JudgeToken { message })
}
