//! How a command of `harness fleet` ends when it does not succeed: what, why, and the next command, as text for
//! people or as one JSON object for programs.

use fleet_api::{Error, ErrorKind};
use run_record::ExitCode;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;

/// The variable of the official SDK.
pub(super) const API_KEY: &str = "FLEET_API_KEY";

/// What the function of a topic answers with.
pub(super) type Done = Result<ExitCode, Failed>;

/// A command that did not succeed.
#[derive(Debug)]
pub(crate) struct Failed {
    exit: ExitCode,
    /// Without the word `error` in front.
    message: String,
    help: Vec<String>,
    /// A word for programs, and what the service's answer had besides.
    kind: &'static str,
    status: Option<u16>,
    request_id: Option<String>,
    instance_id: Option<String>,
    retryable: bool,
    /// Whether it is the service's doing, so that its address helps.
    asked: bool,
}

impl Failed {
    fn new(exit: ExitCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            help: Vec::new(),
            kind,
            status: None,
            request_id: None,
            instance_id: None,
            retryable: false,
            asked: false,
        }
    }

    /// Something is wrong with what was asked for; nothing was changed.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, "usage", message)
    }

    /// A verification without a score.
    pub(super) fn unscored(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Unscored, "unscored", message)
    }

    /// What a model was to write was not written.
    pub(super) fn unwritten(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Fatal, "unwritten", message)
    }

    /// An instance lives, or may live, that should not.
    pub(super) fn leaked(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Leaked, "leaked", message)
    }

    /// What was asked for cannot go on.
    pub(super) fn fatal(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Fatal, "ended", message)
    }

    /// Adds the next thing to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The same with another exit code.
    pub(super) fn exit(mut self, exit: ExitCode) -> Self {
        self.exit = exit;
        self
    }

    /// The same, said of one of several things.
    pub(super) fn of(mut self, what: impl std::fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// As it is printed on stderr.
    pub(super) fn rendered(self, json: bool, service: Option<&str>) -> Failure {
        let message = if json {
            self.to_json(service)
        } else {
            self.to_text(service)
        };
        Failure {
            exit: self.exit,
            message,
        }
    }

    fn to_text(&self, service: Option<&str>) -> String {
        let service = service.filter(|_| self.asked);
        let asked = service.map(|service| format!("the service asked was {service}"));
        let help = self.help.iter().chain(&asked);
        let lines = help.map(|help| format!("\nhelp: {help}"));
        std::iter::once(format!("error: {}", self.message))
            .chain(lines)
            .collect()
    }

    fn to_json(&self, service: Option<&str>) -> String {
        #[derive(Serialize)]
        struct Document<'a> {
            error: Content<'a>,
        }
        #[derive(Serialize)]
        struct Content<'a> {
            kind: &'a str,
            message: &'a str,
            help: &'a [String],
            exit_code: u8,
            retryable: bool,
            status: Option<u16>,
            request_id: Option<&'a str>,
            instance_id: Option<&'a str>,
            service: Option<&'a str>,
        }
        let document = Document {
            error: Content {
                kind: self.kind,
                message: &self.message,
                help: &self.help,
                exit_code: self.exit.code(),
                retryable: self.retryable,
                status: self.status,
                request_id: self.request_id.as_deref(),
                instance_id: self.instance_id.as_deref(),
                service,
            },
        };
        serde_json::to_string_pretty(&document).expect("text and numbers can be encoded")
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        (&error).into()
    }
}

impl From<&Error> for Failed {
    fn from(error: &Error) -> Self {
        let mut failed = Self::new(ExitCode::Usage, word(error), line(error));
        failed.asked = failed.kind != "usage";
        failed.status = error.status();
        failed.request_id = error.request_id().map(|id| id.to_string());
        failed.instance_id = error.instance_id().map(ToString::to_string);
        failed.retryable = error.is_retryable();
        match next_command(error) {
            Some(help) => failed.help(help),
            None => failed,
        }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        let mut lines = failure.message.split("\nhelp: ");
        let message = lines.next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let failed = Self::new(failure.exit, "usage", message);
        lines.fold(failed, Self::help)
    }
}

/// The same for commands that are not of this family.
pub(crate) fn failed(error: &Error) -> Failure {
    let failure = Failure::usage(format!("error: {}", error.to_line()));
    match next_command(error) {
        Some(help) => failure.hint(help),
        None => failure,
    }
}

/// The error on one line; of an answer without a kind of its own only what it says.
fn line(error: &Error) -> String {
    let ErrorKind::Api { status, excerpt } = error.kind() else {
        return error.to_line();
    };
    let answer: Value = serde_json::from_str(excerpt).unwrap_or_default();
    let detail = &answer["detail"];
    match detail.as_str().or_else(|| detail["message"].as_str()) {
        Some(detail) => format!(
            "{}: {} ({status})",
            error.operation(),
            report::text::one_line(detail)
        ),
        None => error.to_line(),
    }
}

/// A word for the kind of error, which stays as it is.
fn word(error: &Error) -> &'static str {
    if error.is_gone() {
        return "not_found";
    }
    match error.kind() {
        ErrorKind::InstanceLimit { .. } => "instance_limit",
        ErrorKind::Authentication { .. } => "authentication",
        ErrorKind::Permission { .. } => "permission",
        ErrorKind::TeamNotFound { .. } => "team_not_found",
        ErrorKind::EnvironmentAccess { .. } => "environment_access",
        ErrorKind::Region { .. } => "region",
        ErrorKind::EnvironmentNotFound { .. } => "environment_not_found",
        ErrorKind::VersionNotFound { .. } => "version_not_found",
        ErrorKind::BadRequest { .. } => "bad_request",
        ErrorKind::Conflict { .. } => "conflict",
        ErrorKind::RateLimited { .. } => "rate_limited",
        ErrorKind::Validation { .. } => "validation",
        ErrorKind::Timeout { .. } => "timeout",
        ErrorKind::Network { .. } => "network",
        ErrorKind::Undecodable { .. } => "undecodable",
        ErrorKind::BodyTooLarge { .. } => "body_too_large",
        ErrorKind::Credentials { .. } => "credentials",
        ErrorKind::JudgeToken { .. } => "judge_token",
        ErrorKind::Operation { .. } => "operation",
        ErrorKind::InvalidId(_)
        | ErrorKind::InvalidArgument { .. }
        | ErrorKind::InvalidValue { .. } => "usage",
        _ => "api",
    }
}

/// What to do next, where the error tells.
fn next_command(error: &Error) -> Option<String> {
    if error.is_auth() {
        return Some(format!(
            "the key comes from the variable {API_KEY}, else from the login of `flt login`"
        ));
    }
    if error.is_gone() {
        return listing(error.operation())
            .map(|command| format!("`{command}` lists what there is"));
    }
    let help = match error.kind() {
        ErrorKind::InstanceLimit { .. } => {
            "`harness fleet instances list --profile self` shows yours, `harness fleet instances close ID` makes room"
        }
        ErrorKind::EnvironmentNotFound { .. } | ErrorKind::EnvironmentAccess { .. } => {
            "`harness fleet envs` lists the environments"
        }
        ErrorKind::VersionNotFound { env_key, .. } => {
            let key = env_key.as_deref().unwrap_or("KEY");
            let key = report::text::shell_word(key);
            return Some(format!(
                "`harness fleet envs show {key}` lists the versions"
            ));
        }
        ErrorKind::Region { .. } => "`harness fleet regions` lists the regions",
        ErrorKind::Network { .. } => "`harness doctor` looks for the reason",
        _ => return None,
    };
    Some(help.to_owned())
}

/// The command that lists what an operation did not find.
fn listing(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "get environment" => "harness fleet envs",
        "get instance" | "send heartbeat" | "close instance" => "harness fleet instances list",
        "get task" | "update task" => "harness fleet tasks list",
        "get job" | "list sessions" | "log job" | "summarize job" => "harness fleet jobs list",
        "get transcript" => "harness fleet sessions list JOB",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_text_or_as_one_object() {
        let failed = || Failed::usage("no such thing").help("look elsewhere");
        assert_eq!(
            failed().rendered(false, Some("http://x")).message,
            "error: no such thing\nhelp: look elsewhere"
        );
        let text = failed().rendered(true, Some("http://x")).message;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(value["error"]["message"], "no such thing");
        assert_eq!(value["error"]["exit_code"], 2);
        assert_eq!(value["error"]["service"], "http://x");
    }

    #[test]
    fn what_the_service_says_is_told_without_its_wrapping() {
        let kind = |excerpt: &str| ErrorKind::Api {
            status: 404,
            excerpt: excerpt.to_owned(),
        };
        let told = |excerpt: &str| {
            Failed::from(Error::new("get task", kind(excerpt)))
                .rendered(false, Some("http://x"))
                .message
        };
        assert_eq!(
            told(r#"{"detail": "Task 'a' not found"}"#),
            "error: get task: Task 'a' not found (404)\n\
             help: `harness fleet tasks list` lists what there is\n\
             help: the service asked was http://x"
        );
        assert!(
            told(r#"{"detail": {"error": "gone", "message": "Not remembered"}}"#)
                .starts_with("error: get task: Not remembered (404)")
        );
        assert!(told("<html>").contains("the service answered 404: <html>"));
    }

    #[test]
    fn a_failure_of_another_command_keeps_its_help() {
        let failure = Failure::usage("error: a\nb").hint("c").hint("d");
        let failed = Failed::from(failure);
        assert_eq!(failed.message, "a\nb");
        assert_eq!(failed.help, ["c", "d"]);
    }
}
