//! Has an instance verified: pack the source, ask whether it is known, run it.

use std::time::Duration;

use serde_json::{Map, Value};
use tracing::debug;

use crate::bundle::Bundle;
use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::pickle::{EncodedArgs, encode_args};
use crate::request;
use crate::task::VerifierSource;
use crate::types::{ExecuteResponse, ExecuteVerifierBody, InstanceId, RequestId, VerifierCheck};

/// How long a verifier may run when nobody says otherwise: the most the API takes, because a judge
/// inside a verifier easily needs minutes, and a verifier cut short is a trial without a score.
pub const DEFAULT_VERIFIER_TIMEOUT: Duration = Duration::from_mins(5);

/// Range of the API, in seconds.
const TIMEOUT_SECONDS: (u64, u64) = (1, 300);

/// The region named when nobody says otherwise, as the official client names it.
const DEFAULT_REGION: &str = "us-west-1";

/// What a request may take beyond the verifier's own time: upload, start, queue.
const VERIFIER_SLACK: Duration = Duration::from_mins(1);

/// Keyword under which the agent's answer reaches a verifier.
const FINAL_ANSWER: &str = "final_answer";

/// What a verifier is called with, besides its environment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VerifyArgs {
    /// The agent's answer. Left out for a verifier whose signature has no place for it, which
    /// would fail otherwise.
    pub final_answer: Option<String>,
    /// Positional arguments behind the environment.
    pub args: Vec<Value>,
    /// Further keyword arguments.
    pub kwargs: Map<String, Value>,
    /// How long it may run, in whole seconds from 1 to 300. Default: [`DEFAULT_VERIFIER_TIMEOUT`].
    pub timeout: Option<Duration>,
    /// Where to run it.
    pub region: Option<String>,
    /// The identity of the execution.
    pub request_id: Option<RequestId>,
}

impl VerifyArgs {
    /// With the agent's answer, if it gave one.
    pub fn answer(answer: Option<impl Into<String>>) -> Self {
        Self {
            final_answer: answer.map(Into::into),
            ..Self::default()
        }
    }

    /// Within this time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    fn seconds(&self) -> u64 {
        let asked = self.timeout.unwrap_or(DEFAULT_VERIFIER_TIMEOUT).as_secs();
        asked.clamp(TIMEOUT_SECONDS.0, TIMEOUT_SECONDS.1)
    }
}

/// The agent gave no answer.
impl From<()> for VerifyArgs {
    fn from((): ()) -> Self {
        Self::default()
    }
}

/// The agent's answer.
impl From<&str> for VerifyArgs {
    fn from(answer: &str) -> Self {
        Self::answer(Some(answer))
    }
}

/// The agent's answer.
impl From<String> for VerifyArgs {
    fn from(answer: String) -> Self {
        Self::answer(Some(answer))
    }
}

/// The agent's answer, if it gave one.
impl<A: Into<String>> From<Option<A>> for VerifyArgs {
    fn from(answer: Option<A>) -> Self {
        Self::answer(answer)
    }
}

impl Client {
    /// Runs `verifier` on `instance` and returns what the service answers.
    ///
    /// An answer is no score yet: [`ExecuteResponse::score`] tells what it is worth.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client, task: fleet_api::Task, id: fleet_api::types::InstanceId)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// use fleet_api::VerifyArgs;
    ///
    /// if let Some(verifier) = &task.verifier {
    ///     let answer = fleet.verify(verifier, &id, &VerifyArgs::answer(Some("closed"))).await?;
    ///     println!("{} scored {}", task.key, answer.score()?);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn verify(
        &self,
        verifier: &VerifierSource,
        instance: &InstanceId,
        args: &VerifyArgs,
    ) -> Result<ExecuteResponse, Error> {
        let bundle = Bundle::pack(&verifier.code);
        let call = self.begin_verification(args.seconds());
        let mut body = execute_body(verifier, instance, args, &bundle);
        let known = self.is_known(&bundle, call).await?;
        if !known {
            body.bundle = Some(bundle.to_base64());
        }
        let request_id = args.request_id.unwrap_or_else(RequestId::new);
        match self
            .run(&request::execute_verifier(&body), call, request_id)
            .await
        {
            Err(error) if known && misses_the_bundle(&error) => {
                debug!(
                    sha256 = bundle.sha256(),
                    "the service lost the bundle; sending it again"
                );
                body.bundle = Some(bundle.to_base64());
                // Another body, so another request: the old id could be answered from memory.
                self.run(&request::execute_verifier(&body), call, RequestId::new())
                    .await
            }
            outcome => outcome,
        }
    }

    /// Asks whether the service has the bundle with this hash.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// let bundle = fleet_api::bundle::Bundle::pack("def verify(env):\n    return 1\n");
    /// println!("known: {}", fleet.check_verifier(bundle.sha256()).await?.success);
    /// # Ok(()) }
    /// ```
    pub async fn check_verifier(&self, sha256: &str) -> Result<VerifierCheck, Error> {
        self.read(request::check_verifier(sha256)).await
    }

    /// Executes a verifier with everything said by the caller. [`Client::verify`] says it for you.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::ExecuteVerifierBody;
    ///
    /// let body = ExecuteVerifierBody { sha256: "9b1d…".into(), ..ExecuteVerifierBody::default() };
    /// let answer = fleet.execute_verifier(&body).await?;
    /// println!("{:?}", answer.result);
    /// # Ok(()) }
    /// ```
    pub async fn execute_verifier(
        &self,
        body: &ExecuteVerifierBody,
    ) -> Result<ExecuteResponse, Error> {
        let call =
            self.begin_verification(body.timeout.unwrap_or(DEFAULT_VERIFIER_TIMEOUT.as_secs()));
        self.run(&request::execute_verifier(body), call, RequestId::new())
            .await
    }

    fn begin_verification(&self, seconds: u64) -> Call {
        let attempt = Duration::from_secs(seconds) + VERIFIER_SLACK;
        // Room for a second attempt after one that ran into its limit.
        self.begin_long(attempt, attempt * 2 + VERIFIER_SLACK)
    }

    /// A check that fails only costs an upload, unless every other call would fail as well.
    async fn is_known(&self, bundle: &Bundle, call: Call) -> Result<bool, Error> {
        let call = Call {
            attempts: call.attempts.min(2),
            attempt: self.timeouts().attempt,
            ..call
        };
        let request = request::check_verifier(bundle.sha256());
        match self
            .run::<VerifierCheck>(&request, call, RequestId::new())
            .await
        {
            Ok(check) => Ok(check.success),
            Err(error) if error.is_auth() || call.remaining().is_zero() => Err(error),
            Err(error) => {
                debug!("the check for a bundle failed, so it is sent: {error}");
                Ok(false)
            }
        }
    }
}

fn execute_body(
    verifier: &VerifierSource,
    instance: &InstanceId,
    args: &VerifyArgs,
    bundle: &Bundle,
) -> ExecuteVerifierBody {
    let entry_point = verifier.entry_point();
    let mut kwargs = args.kwargs.clone();
    if let Some(answer) = &args.final_answer {
        let has_place = entry_point
            .as_ref()
            .is_none_or(|entry| entry.takes_keyword(FINAL_ANSWER));
        if has_place {
            kwargs.insert(FINAL_ANSWER.to_owned(), Value::from(answer.as_str()));
        }
    }
    let EncodedArgs { pickle, array } = encode_args(instance, &args.args, &kwargs);
    ExecuteVerifierBody {
        key: Some(verifier.key.clone()),
        sha256: bundle.sha256().to_owned(),
        args: Some(pickle),
        args_array: Some(array),
        function_name: entry_point.map(|entry| entry.name),
        timeout: Some(args.seconds()),
        region: Some(
            args.region
                .clone()
                .unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        ),
        bundle: None,
        verifier_runtime_version: verifier.runtime_version.clone(),
    }
}

/// Whether an execution failed because the service has no such bundle (any more). The service says
/// so in words only, and uses the same words for an instance that is gone.
fn misses_the_bundle(error: &Error) -> bool {
    let text = match error.kind() {
        ErrorKind::Api {
            status: 404,
            excerpt,
        } if excerpt.trim().is_empty() => return true,
        ErrorKind::Api { excerpt, .. } => excerpt.to_lowercase(),
        other => other.to_string().to_lowercase(),
    };
    let about_it =
        text.contains("bundle") || text.contains("verifier") || !text.contains("instance");
    about_it && (text.contains("not found") || text.contains("404"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(code: &str, args: &VerifyArgs) -> ExecuteVerifierBody {
        let verifier = VerifierSource {
            runtime_version: Some("v3".into()),
            ..VerifierSource::new("k", code)
        };
        execute_body(&verifier, &"a1".into(), args, &Bundle::pack(code))
    }

    #[test]
    fn an_execution_says_what_the_official_client_says() {
        let body = body(
            "def v(env, final_answer=None): ...",
            &VerifyArgs::answer(Some("done")),
        );
        assert_eq!(body.key.as_deref(), Some("k"));
        assert_eq!(body.function_name.as_deref(), Some("v"));
        assert_eq!(body.args_array, Some(vec![json!({"env": "a1"})]));
        assert_eq!(
            (body.timeout, body.region.as_deref()),
            (Some(300), Some("us-west-1"))
        );
        assert_eq!(body.verifier_runtime_version.as_deref(), Some("v3"));
        assert_eq!(body.bundle, None);
        let expected = json!({"final_answer": "done"});
        assert_eq!(
            body.args,
            Some(encode_args(&"a1".into(), &[], expected.as_object().unwrap()).pickle)
        );
    }

    #[test]
    fn an_answer_is_left_out_where_it_has_no_place() {
        let args = VerifyArgs::answer(Some("done"));
        let without = encode_args(&"a1".into(), &[], &Map::new()).pickle;
        assert_eq!(body("def v(env): ...", &args).args, Some(without.clone()));
        assert_ne!(
            body("def v(env, **kwargs): ...", &args).args,
            Some(without.clone())
        );
        // What cannot be read is left to the service to judge.
        assert_ne!(body("v = lambda env: 1", &args).args, Some(without.clone()));
        assert_eq!(
            body("def v(env, final_answer): ...", &VerifyArgs::default()).args,
            Some(without)
        );
    }

    #[test]
    fn the_time_limit_stays_in_the_range_of_the_api() {
        for (asked, sent) in [(0, 1), (30, 30), (9_999, 300)] {
            let args = VerifyArgs {
                timeout: Some(Duration::from_secs(asked)),
                ..VerifyArgs::default()
            };
            assert_eq!(body("", &args).timeout, Some(sent));
        }
    }

    #[test]
    fn only_a_missing_bundle_is_sent_again() {
        let error = |status, text: &str| {
            let verdict =
                crate::classify::classify(status, &json!({"detail": text}).to_string(), None);
            Error::new("execute verifier", verdict.kind)
        };
        assert!(misses_the_bundle(&error(400, "Bundle not found for sha")));
        assert!(misses_the_bundle(&error(404, "Verifier bundle not found")));
        assert!(misses_the_bundle(&error(500, "upstream said 404")));
        assert!(!misses_the_bundle(&error(400, "Instance 'x' not found")));
        assert!(!misses_the_bundle(&error(400, "bad region")));
    }
}
