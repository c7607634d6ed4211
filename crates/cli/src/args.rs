//! The command line. Nothing here decides anything; every option has an environment twin `HARNESS_…`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::FleetArgs;

/// Runs benchmarks of AI agents on Fleet environments: every instance given back, no result lost.
#[derive(Debug, Parser)]
#[command(
    name = "harness",
    version,
    max_term_width = 110,
    disable_help_subcommand = true
)]
#[command(after_help = "Examples:
  harness init my-bench && harness run my-bench/configs/quickstart.yaml
  harness run eval.yaml --task crm-007 --trials 3
  harness show latest crm-007")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Say less: only errors and the result
    #[arg(
        short,
        long,
        global = true,
        env = "HARNESS_QUIET",
        conflicts_with = "verbose"
    )]
    pub(crate) quiet: bool,
    /// Say more; twice for debugging (`RUST_LOG` filters finer)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, env = "HARNESS_COLOR")]
    pub(crate) color: ColorChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a spec
    Run(RunArgs),
    /// Go on with an interrupted run: give back what it left, then run only what has no score
    Resume(ResumeArgs),
    /// Run a part of an old run again, as a new run linked to it
    Rerun(RerunArgs),
    /// Find and close instances that were left behind
    Sweep(SweepArgs),
    /// Explain what this machine has and what is missing
    Doctor(DoctorArgs),
    /// Check a spec and everything it names, and list every problem
    Check(SpecArgs),
    /// List the runs on this machine
    List(ListArgs),
    /// Show a run, or one task of it with its logs
    Show(ShowArgs),
    /// Write a report again from a run's record
    Report(ReportArgs),
    /// Use the Fleet API from the shell
    Fleet(FleetArgs),
    /// Serve the embedded Fleet for other clients
    Local(LocalArgs),
    /// Write an environment, tasks and specs to start from
    Init(InitArgs),
    /// Print the JSON Schema of run specs
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The demo environment and its scripted agent
    #[command(subcommand)]
    Demo(DemoCommand),
}

#[derive(Debug, Args)]
pub(crate) struct SpecArgs {
    /// The run spec (YAML)
    #[arg(env = "HARNESS_SPEC")]
    pub(crate) spec: PathBuf,
    /// Only these tasks; may be given more than once
    #[arg(
        long = "task",
        value_name = "KEY",
        env = "HARNESS_TASK",
        value_delimiter = ','
    )]
    pub(crate) tasks: Vec<String>,
    /// Only the first N tasks
    #[arg(long, value_name = "N", env = "HARNESS_LIMIT")]
    pub(crate) limit: Option<u32>,
    /// Trials per task and variant
    #[arg(long, value_name = "N", env = "HARNESS_TRIALS")]
    pub(crate) trials: Option<u32>,
    /// Change a value of the spec; may be given more than once
    #[arg(long = "set", value_name = "KEY.PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// The folder that the runs' folders are made in
    #[arg(long, value_name = "DIR", env = "HARNESS_OUT")]
    pub(crate) out: Option<PathBuf>,
    /// The run's name, first part of its id
    #[arg(long, env = "HARNESS_NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  harness run eval.yaml --dry-run
  harness run eval.yaml --task crm-007 --trials 3
  harness run eval.yaml --set agent.timeout=5m --set agent.command.3=large
  harness run nightly.yaml --resume auto

Exit codes:
  0 all is well              1 the gate failed            2 nothing was started
  3 scores are missing       4 an instance may be live    5 the run could not go on
  70 a bug in the harness    130, 143 stopped by a signal")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Print the plan and stop; the service is only read
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// When the same run was begun before and not finished: continue it, or begin a new one. Without this a terminal
    /// is asked, and anything else begins a new one and says how to continue the old
    #[arg(long, value_enum, value_name = "WHEN", env = "HARNESS_RESUME")]
    pub(crate) resume: Option<ResumeWhen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResumeWhen {
    /// Continue an unfinished run of the same spec and trials, if there is one
    Auto,
    /// Always begin a new run
    Never,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  harness resume latest
  harness resume nightly-20261102
  harness resume latest --salvage

Exit codes are those of `harness run`.")]
pub(crate) struct ResumeArgs {
    /// A run id, a unique prefix of one, a path, or `latest`
    pub(crate) run: String,
    /// If the journal is damaged, keep what can be proven and run the rest again; the damaged one stays beside it
    #[arg(long)]
    pub(crate) salvage: bool,
    #[command(flatten)]
    pub(crate) dir: RunsDir,
}

#[derive(Debug, Args)]
pub(crate) struct RerunArgs {
    /// A run id, a unique prefix of one, a path, or `latest`
    pub(crate) run: String,
    /// Which trials
    #[arg(long, value_enum)]
    pub(crate) only: Only,
    /// Only these tasks of them; may be given more than once
    #[arg(long = "task", value_name = "KEY")]
    pub(crate) tasks: Vec<String>,
    #[command(flatten)]
    pub(crate) dir: RunsDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Those without a score
    Unscored,
    /// Those scored below the threshold
    Failed,
    /// Those whose agent failed, crashed or ran out of time, and those without a score
    Errored,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  harness sweep --dry-run
  harness sweep --run-id nightly-20261102-030405-beef

Runs with `endpoint: local` need no sweep: their instances are processes that end with the harness.")]
pub(crate) struct SweepArgs {
    /// The service; `FLEET_BASE_URL` as for the official SDK
    #[arg(long, value_name = "URL", env = "FLEET_BASE_URL")]
    pub(crate) endpoint: Option<String>,
    /// Close what lives of this run
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// Close everything of my own profile, whoever made it
    #[arg(long, value_parser = ["self"], conflicts_with = "run_id")]
    pub(crate) profile: Option<String>,
    /// Close what lives of any run that a harness named, of the whole team
    #[arg(long, conflicts_with_all = ["run_id", "profile"])]
    pub(crate) all_harness_runs: bool,
    /// Say what would be closed and close nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) dir: RunsDir,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The service; `FLEET_BASE_URL` as for the official SDK
    #[arg(long, value_name = "URL", env = "FLEET_BASE_URL")]
    pub(crate) endpoint: Option<String>,
    #[command(flatten)]
    pub(crate) dir: RunsDir,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunsDir {
    /// The folder that holds the runs
    #[arg(long, value_name = "DIR", default_value = "runs", env = "HARNESS_RUNS")]
    pub(crate) runs: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) dir: RunsDir,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// A run id, a unique prefix of one, a path, or `latest`
    pub(crate) run: String,
    /// A task of it
    pub(crate) task: Option<String>,
    /// Only this trial of the task
    #[arg(long, value_name = "N")]
    pub(crate) trial: Option<u32>,
    /// Only this variant of the task
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    #[command(flatten)]
    pub(crate) dir: RunsDir,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A run id, a unique prefix of one, a path, or `latest`
    pub(crate) run: String,
    /// Which report; all of them into the run's folder if not given
    #[arg(long, value_name = "FORMAT", value_parser = ["csv", "json", "junit", "html", "md", "parquet"])]
    pub(crate) format: Option<String>,
    /// Where to, instead of stdout
    #[arg(short, long, value_name = "PATH", requires = "format")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) dir: RunsDir,
}

#[derive(Debug, Args)]
pub(crate) struct LocalArgs {
    /// A folder with environment packages; may be given more than once
    #[arg(
        long,
        value_name = "DIR",
        env = "HARNESS_ENVIRONMENTS",
        value_delimiter = ','
    )]
    pub(crate) environments: Vec<PathBuf>,
    /// A tasks file to serve as a project of its name; may be given more than once
    #[arg(
        long,
        value_name = "FILE",
        env = "HARNESS_TASKS",
        value_delimiter = ','
    )]
    pub(crate) tasks: Vec<PathBuf>,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080, env = "HARNESS_PORT")]
    pub(crate) port: u16,
    /// How many instances may live at once
    #[arg(long, value_name = "N", env = "HARNESS_INSTANCE_LIMIT")]
    pub(crate) instance_limit: Option<usize>,
    /// Ask callers for this key; without it everybody on this machine may call
    #[arg(
        long,
        value_name = "KEY",
        env = "HARNESS_LOCAL_API_KEY",
        hide_env_values = true
    )]
    pub(crate) api_key: Option<String>,
    /// Where tasks, sessions, jobs and the history of instances outlive the server; without it they end with it
    #[arg(long, value_name = "DIR", env = "HARNESS_LOCAL_STATE")]
    pub(crate) state: Option<PathBuf>,
    /// A program that grades for the judge: a JSON request on stdin, a JSON answer on stdout; in words as a shell would split them at blanks
    #[arg(
        long,
        value_name = "COMMAND",
        env = "HARNESS_JUDGE_COMMAND",
        conflicts_with = "judge_url"
    )]
    pub(crate) judge_command: Option<String>,
    /// An OpenAI-compatible endpoint that grades for the judge, for example `https://api.openai.com/v1`
    #[arg(
        long,
        value_name = "URL",
        env = "HARNESS_JUDGE_URL",
        requires = "judge_model"
    )]
    pub(crate) judge_url: Option<String>,
    /// The model that grades
    #[arg(
        long,
        value_name = "MODEL",
        env = "HARNESS_JUDGE_MODEL",
        requires = "judge_url"
    )]
    pub(crate) judge_model: Option<String>,
    /// The environment variable with the endpoint's key
    #[arg(
        long,
        value_name = "NAME",
        env = "HARNESS_JUDGE_KEY_ENV",
        requires = "judge_url"
    )]
    pub(crate) judge_key_env: Option<String>,
    /// The environment variable with the token that callers of the judge must send (`FLEET_JUDGE_TOKEN` of the SDK)
    #[arg(long, value_name = "NAME", env = "HARNESS_JUDGE_TOKEN_ENV")]
    pub(crate) judge_token_env: Option<String>,
    /// A region that callers may name, the first is the default; may be given more than once
    #[arg(
        long = "region",
        value_name = "NAME",
        env = "HARNESS_LOCAL_REGIONS",
        value_delimiter = ','
    )]
    pub(crate) regions: Vec<String>,
    /// How strictly Python and command verifiers are confined
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "MODE",
        env = "HARNESS_VERIFIER_SANDBOX"
    )]
    pub(crate) verifier_sandbox: VerifierSandboxArg,
    /// A folder that such verifiers may read; may be given more than once
    #[arg(
        long,
        value_name = "DIR",
        env = "HARNESS_VERIFIER_READ",
        value_delimiter = ','
    )]
    pub(crate) verifier_read: Vec<PathBuf>,
    /// Write every request into this file, one JSON line each, secrets masked
    #[arg(long, value_name = "FILE", env = "HARNESS_RECORD")]
    pub(crate) record: Option<PathBuf>,
    /// Print the document that describes the API, or the manager of an instance, and stop
    #[arg(long, value_enum, value_name = "PLANE", num_args = 0..=1, default_missing_value = "control")]
    pub(crate) openapi: Option<ApiPlaneArg>,
    /// Print where it listens as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApiPlaneArg {
    /// What is below `FLEET_BASE_URL`
    Control,
    /// What is below an instance's `urls.manager.api`
    Manager,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifierSandboxArg {
    /// Without a sandbox there is no score
    #[default]
    Require,
    /// With what this machine gives
    Best,
    /// With your rights
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to fill
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Serve the help desk
    Helpdesk {
        /// The SQLite database; must exist
        #[arg(long)]
        db: PathBuf,
        /// The port; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// The address
        #[arg(long, default_value = "127.0.0.1")]
        host: std::net::IpAddr,
    },
    /// Work on one task as a scripted agent would
    Agent {
        /// How good it is at its work
        #[arg(long, default_value = "regular", value_parser = ["novice", "regular", "expert"])]
        skill: String,
    },
}
