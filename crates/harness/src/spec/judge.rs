//! `fleet.local.judge`: who grades for verifiers of the embedded server.

use serde_json::Value as Json;
use serde_yaml::Value;
use url::Url;

use super::reader::{Context, Field};
use super::schema::{self, Keys};
use super::text::SpecString;
use super::{fleet, resolved};

const KEYS: [&str; 4] = ["command", "url", "model", "key_env"];

/// Who grades by a rubric.
#[derive(Clone, Debug, PartialEq)]
pub enum JudgeSpec {
    /// A program with its arguments; not empty.
    Command(Vec<String>),
    /// A model behind an OpenAI-compatible endpoint.
    Model {
        /// The base of `/chat/completions`.
        url: Url,
        /// The model, unless a verifier asks for another.
        model: String,
        /// The variable with the endpoint's key, and its value.
        key: Option<(String, SpecString)>,
    },
}

impl JudgeSpec {
    /// `None` where there is none, and where what there is was reported as wrong.
    pub(super) fn read(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<Self> {
        let section = ctx.section(field, &KEYS)?;
        let (command, url) = (section.get("command"), section.get("url"));
        let rest = [section.get("model"), section.get("key_env")];
        match (command, url) {
            (Some(command), None) if rest.iter().all(Option::is_none) => {
                read_command(ctx, &command)
            }
            (None, Some(url)) => {
                let [model, key] = rest;
                read_model(ctx, field, &url, model.as_ref(), key.as_ref())
            }
            _ => {
                let hint = "for example `{command: [judge.sh]}`, or `{url: \"https://api.openai.com/v1\", model: gpt-5, key_env: OPENAI_API_KEY}`";
                ctx.report(
                    field
                        .error("a judge is either a `command`, or a `url` with a `model`")
                        .hint(hint),
                );
                None
            }
        }
    }

    pub(super) fn resolved(&self) -> Value {
        match self {
            Self::Command(words) => resolved::map([("command", resolved::texts(words))]),
            Self::Model { url, model, key } => {
                let mut out = resolved::map([
                    ("url", resolved::text(url.as_str())),
                    ("model", resolved::text(model)),
                ]);
                // The name, never the value.
                let name = key.as_ref().map(|(name, _)| resolved::text(name));
                resolved::set(&mut out, "key_env", name);
                out
            }
        }
    }
}

fn read_command(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<JudgeSpec> {
    let items = ctx.list(field)?;
    if items.is_empty() {
        ctx.report(field.error("the judge's command is empty"));
        return None;
    }
    let words: Vec<String> = items.iter().filter_map(|item| ctx.name(item)).collect();
    (words.len() == items.len()).then_some(JudgeSpec::Command(words))
}

fn read_model(
    ctx: &mut Context<'_>,
    judge: &Field<'_>,
    url: &Field<'_>,
    model: Option<&Field<'_>>,
    key: Option<&Field<'_>>,
) -> Option<JudgeSpec> {
    let text = ctx.name(url)?;
    let Ok(url) = fleet::parse_url(&text) else {
        ctx.report(
            url.error("the judge's `url` must be an http or https URL without user, password, `?` and `#`")
                .hint("for example `https://api.openai.com/v1`"),
        );
        return None;
    };
    let Some(model) = model else {
        ctx.report(judge.error("a judge with a `url` needs a `model`"));
        return None;
    };
    let model = ctx.name(model)?;
    let key = match key {
        Some(field) => Some(read_key(ctx, field)?),
        None => None,
    };
    Some(JudgeSpec::Model { url, model, key })
}

fn read_key(ctx: &mut Context<'_>, field: &Field<'_>) -> Option<(String, SpecString)> {
    let name = ctx.name(field)?;
    let Some(value) = (ctx.lookup)(&name).filter(|value| !value.is_empty()) else {
        // Without the name: whoever wrote the key itself here must not find it in a log.
        ctx.report(
            field
                .error("the environment variable that `key_env` names is not set")
                .hint("write the name of a variable, such as `OPENAI_API_KEY`, and set it"),
        );
        return None;
    };
    ctx.note_secret(&name, value.clone());
    let origin = format!("${{{name}}}");
    Some((name, SpecString::hidden(value, &origin)))
}

pub(super) fn json_schema() -> Json {
    let keys: Keys = vec![
        (
            "command",
            schema::list(
                &schema::text("A word."),
                "A program with its arguments: a JSON request on standard input, a JSON answer on standard output.",
            ),
        ),
        (
            "url",
            schema::text("An OpenAI-compatible endpoint, to which /chat/completions is added."),
        ),
        ("model", schema::text("The model behind `url`.")),
        (
            "key_env",
            schema::text("The environment variable with the endpoint's key. Default: no key."),
        ),
    ];
    schema::object(
        "Who grades when a verifier asks the judge: a command, or a model. Default: nobody.",
        keys,
        &[],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::{errors, spec_with};

    fn text(judge: &str) -> String {
        format!(
            "version: 1\ntasks: {{keys: [a]}}\nagent: {{command: [x]}}\nfleet: {{endpoint: local, local: {{environments: [.], tasks: [spec.yaml], judge: {judge}}}}}\n"
        )
    }

    #[test]
    fn a_judge_is_a_command_or_a_model_with_a_key_from_the_environment() {
        let command = spec_with(&text("{command: [sh, -c, 'exit 0']}"), &[]);
        let words = ["sh", "-c", "exit 0"].map(str::to_owned).to_vec();
        assert_eq!(command.fleet.local.judge, Some(JudgeSpec::Command(words)));

        let model = "{url: 'https://judge.test/v1', model: m, key_env: JUDGE_KEY}";
        let spec = spec_with(&text(model), &[("JUDGE_KEY", "sk_hidden_1234")]);
        let judge = spec.fleet.local.judge.unwrap();
        let JudgeSpec::Model { key, .. } = &judge else {
            panic!("{judge:?}");
        };
        assert_eq!(key.as_ref().unwrap().1.text(), "sk_hidden_1234");
        let written = serde_yaml::to_string(&judge.resolved()).unwrap();
        assert!(
            written.contains("JUDGE_KEY") && !written.contains("sk_hidden"),
            "{written}"
        );
    }

    #[test]
    fn what_is_no_judge_is_said() {
        for (judge, words) in [
            ("{}", "either a `command`"),
            (
                "{command: [x], url: 'https://j.test'}",
                "either a `command`",
            ),
            ("{command: []}", "is empty"),
            ("{url: 'ftp://j.test', model: m}", "must be an http"),
            ("{url: 'https://j.test'}", "needs a `model`"),
            (
                "{url: 'https://j.test', model: m, key_env: NOT_SET}",
                "is not set",
            ),
        ] {
            let errors = errors(&text(judge));
            assert!(
                errors.iter().any(|error| error.contains(words)),
                "{judge}: {errors:?}"
            );
        }
    }
}
