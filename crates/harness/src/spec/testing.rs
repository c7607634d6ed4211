//! What the tests of the elements share: a spec from a few lines.

use std::path::PathBuf;

use super::{LoadOptions, RunSpec, SpecError};

/// Every key that a spec can have and that is supported.
pub(crate) const FULL: &str = r#"
name: nightly-helpdesk
tasks: {keys: [a, "b$c"], include: ["crm-*"], exclude: ["*-flaky"], sample: {count: 50, seed: 7}}
agent:
  name: my-agent
  command: [python3, agent.py, --model, "{model}", "{{}}", "$$5"]
  working_dir: .
  stdin: task
  env: {OPENAI_API_KEY: "${OPENAI_API_KEY:-none}", PORT: 8080}
  inherit_env: [PATH]
  fleet_access: true
  timeout: 30m
  grace_period: 10s
  verify: on_success
  output_limit: 1GB
  memory_limit: 4GiB
  pids_limit: 512
  containment: require:2
matrix: {model: [small, large], effort: [1.10, true]}
trials: 3
environment: {ttl: 2h, heartbeat: 45s, ready_timeout: 10m, quota_timeout: 3h}
concurrency: {environments: 64, agents: 16, verifiers: 32}
retry: {attempts: 5, initial_delay: 500ms, max_delay: 30s}
limits: {run_deadline: 8h, instance_minutes: 5000, cost_usd: 200}
pass_threshold: 0.9
gate: {min_pass_rate: 0.8, min_mean_score: 0.75, max_unscored: 0.02}
report: {dir: runs, formats: [csv, json]}
"#;

/// Reads a spec whose missing required keys are filled in, in a folder that exists.
pub(crate) fn spec(yaml: &str) -> RunSpec {
    let mut text = format!("version: 1\n{yaml}\n");
    for (key, line) in [
        (
            "fleet:",
            "fleet: {endpoint: local, local: {environments: [.], tasks: [spec.yaml]}}\n",
        ),
        ("tasks:", "tasks: {project: p}\n"),
        ("agent:", "agent: {command: [a]}\n"),
    ] {
        if !text.lines().any(|line| line.starts_with(key)) {
            text.push_str(line);
        }
    }
    spec_with(&text, &[])
}

/// Reads a complete spec with these variables.
pub(crate) fn spec_with(yaml: &str, variables: &[(&str, &str)]) -> RunSpec {
    load(yaml.as_bytes(), &[], variables)
        .unwrap_or_else(|error| panic!("{}", error.render(super::Color::Never)))
}

/// The messages of a spec that must not be accepted.
pub(crate) fn errors(yaml: &str) -> Vec<String> {
    let error = load(yaml.as_bytes(), &[], &[]).expect_err(yaml);
    error
        .diagnostics
        .into_iter()
        .map(|diagnostic| diagnostic.message)
        .collect()
}

/// Reads bytes as `spec.yaml` in the source folder of this module's test data, which never changes.
pub(crate) fn load(
    bytes: &[u8],
    overrides: &[&str],
    variables: &[(&str, &str)],
) -> Result<RunSpec, SpecError> {
    let folder = folder();
    let overrides: Vec<_> = overrides.iter().map(|&text| text.to_owned()).collect();
    let lookup = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let options = LoadOptions {
        overrides: &overrides,
        lookup: &lookup,
        current_dir: &folder,
    };
    RunSpec::parse("spec.yaml", &folder.join("spec.yaml"), bytes, &options)
}

/// A folder with a file `spec.yaml` in it.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/spec/testdata"))
}
