//! `harness fleet judge`: a model of the service grades an answer by a rubric.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fleet_api::Client;
use fleet_api::types::{Criterion, GradeBody, GradeResponse, Rubric};
use run_record::ExitCode;
use serde_json::Value;

use super::args::Limit;
use super::failed::{Done, Failed};
use super::grid::Column;
use super::input;
use super::output::{Output, Table, text};
use crate::printer::{style, styled};

#[derive(Debug, Args)]
pub(crate) struct JudgeArgs {
    #[command(subcommand)]
    command: JudgeCommand,
}

#[derive(Debug, Subcommand)]
enum JudgeCommand {
    /// Grade what was done in an instance
    Grade(Box<GradeArgs>),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 with a score, whatever it is; 3 when the judge gave none.
The judge's own token comes from FLEET_JUDGE_TOKEN."
)]
struct GradeArgs {
    /// The instance that was worked in
    instance: String,
    #[command(flatten)]
    rubric: RubricArgs,
    /// What is graded, for example the agent's answer
    #[arg(long, value_name = "TEXT", conflicts_with = "submission_file")]
    submission: Option<String>,
    /// A file with it; `-` is stdin
    #[arg(long, value_name = "FILE")]
    submission_file: Option<PathBuf>,
    /// What would have been right
    #[arg(long, value_name = "TEXT")]
    ground_truth: Option<String>,
    /// What was asked for
    #[arg(long, value_name = "TEXT")]
    problem: Option<String>,
    /// What else the judge should know
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
    /// The task
    #[arg(long, value_name = "KEY")]
    task: Option<String>,
    /// The model that judges
    #[arg(long)]
    model: Option<String>,
    /// Its provider
    #[arg(long)]
    provider: Option<String>,
    /// Let the judge look around in the instance
    #[arg(long)]
    agentic: bool,
    /// Turns of a judge that looks around, 1 to 50
    #[arg(long, value_name = "N", requires = "agentic", value_parser = clap::value_parser!(u32).range(1..=50))]
    max_turns: Option<u32>,
    /// Files of the instance for the judge, NAME=PATTERN; may be given more than once
    #[arg(long = "collect", value_name = "NAME=PATTERN", value_parser = input::pair)]
    collect: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct RubricArgs {
    /// What it is graded by, as text
    #[arg(long, value_name = "TEXT")]
    rubric: Option<String>,
    /// A file with it: text, or (`.json`) a list of criteria with `name`, `max_score` and `description`
    #[arg(long, value_name = "FILE")]
    rubric_file: Option<PathBuf>,
}

pub(super) async fn judge(args: JudgeArgs, client: &Client, out: Output) -> Done {
    let JudgeCommand::Grade(args) = args.command;
    let graded = client.grade(&body(*args)?).await?;
    tell(&graded, out)
}

fn body(args: GradeArgs) -> Result<GradeBody, Failed> {
    let mut body = GradeBody::of(args.instance, args.rubric.read()?);
    body.submission = input::text(args.submission, args.submission_file.as_deref())?;
    body.ground_truth = args.ground_truth.map(Value::from);
    body.problem = args.problem;
    body.context = args.context;
    body.task_id = args.task.map(Into::into);
    body.model = args.model;
    body.provider = args.provider;
    body.agentic = args.agentic;
    body.max_turns = args.max_turns;
    for (name, pattern) in args.collect {
        body.collect
            .get_or_insert_default()
            .entry(name)
            .or_default()
            .push(pattern);
    }
    Ok(body)
}

impl RubricArgs {
    fn read(self) -> Result<Rubric, Failed> {
        match (self.rubric, self.rubric_file) {
            (_, Some(file)) => rubric_of(&file),
            (text, None) => Ok(Rubric::text(text.unwrap_or_default())),
        }
    }
}

fn rubric_of(file: &Path) -> Result<Rubric, Failed> {
    let text = input::read(file)?;
    if file.extension().is_none_or(|end| end != "json") {
        return Ok(Rubric::text(text));
    }
    let wrong = |error: serde_json::Error| {
        Failed::usage(format!("{} is no rubric: {error}", file.display()))
            .help("a rubric is a list of objects with `name`, `max_score` and `description`")
    };
    let value: Value = serde_json::from_str(&text).map_err(wrong)?;
    if value.is_array() {
        let criteria: Vec<Criterion> = serde_json::from_value(value).map_err(wrong)?;
        return Ok(Rubric::structured(criteria));
    }
    serde_json::from_value(value).map_err(wrong)
}

fn tell(graded: &GradeResponse, out: Output) -> Done {
    let score = graded.score();
    if out.json {
        out.printer.json(graded);
    } else {
        record(graded, score.as_ref().ok().copied(), out)?;
    }
    match score {
        Ok(_) => Ok(ExitCode::Success),
        Err(error) => Err(Failed::unscored(report::text::one_line(&error.to_string()))),
    }
}

fn record(graded: &GradeResponse, score: Option<f64>, out: Output) -> Done {
    let points = |points: Option<f64>| points.map(report::text::score).unwrap_or_default();
    let total = match (graded.total_score, graded.max_score) {
        (Some(total), Some(max)) => {
            format!(
                "{} of {}",
                report::text::score(total),
                report::text::score(max)
            )
        }
        (total, _) => points(total),
    };
    out.record(
        graded,
        &[
            (
                "score",
                score.map_or_else(|| "none".to_owned(), report::text::score),
            ),
            ("points", total),
            ("model", graded.model_used.clone().unwrap_or_default()),
            ("execution", text(graded.execution_id.as_ref())),
        ],
    )?;
    if let Some(criteria) = graded
        .criteria
        .as_deref()
        .filter(|criteria| !criteria.is_empty())
    {
        let table = Table {
            columns: &[
                Column::text("criterion"),
                Column::number("points"),
                Column::number("of"),
                Column::flexible("why"),
            ],
            none: "no criteria",
        };
        out.rows(criteria, &Limit::default(), &table, |criterion| {
            vec![
                criterion.name.clone(),
                points(criterion.score),
                points(criterion.max_score),
                criterion.reasoning.clone().unwrap_or_default(),
            ]
        })?;
    }
    if let Some(feedback) = graded
        .feedback
        .as_deref()
        .filter(|text| !text.trim().is_empty())
    {
        let heading = styled(style::BOLD, "feedback");
        out.printer.data(format_args!(
            "{heading}\n{}",
            report::text::visible(feedback.trim())
        ));
    }
    Ok(ExitCode::Success)
}
