//! `summary.md`: what a pull request, a CI step or a terminal shows of a run.
//!
//! Texts of tasks, agents and services are escaped: nothing in them becomes a table cell, a link, an image, a tag
//! or a mention.

use std::fmt::Write;

use run_record::{RunRecord, TaskKey};

use crate::{
    Summary,
    stats::Estimate,
    summary::{Cause, CauseClass, Scores, Tone},
    text,
};

/// Groups of causes that are shown; the rest is counted.
const SHOWN_CAUSES: usize = 20;
/// Tasks shown of one group, each with its command.
const SHOWN_TASKS: usize = 3;
/// Length of a message or name before it is cut.
const SHOWN_CHARS: usize = 160;

/// The whole file.
pub fn markdown(record: &RunRecord, summary: &Summary) -> Vec<u8> {
    let mut page = String::new();
    head(&mut page, record, summary);
    table(&mut page, summary);
    pass_k(&mut page, summary);
    missing(&mut page, &summary.all);
    causes(&mut page, record, summary);
    time_and_cost(&mut page, record, summary);
    page.into_bytes()
}

/// Writing to a `String` cannot fail, so the result is dropped here and nowhere else.
macro_rules! line {
    ($page:expr) => { $page.push('\n') };
    ($page:expr, $($format:tt)*) => {{
        writeln!($page, $($format)*).expect("writing to memory does not fail");
    }};
}

fn head(page: &mut String, record: &RunRecord, summary: &Summary) {
    let verdict = &summary.verdict;
    let mark = match verdict.tone {
        Tone::Good => "✅",
        Tone::Uncertain => "⚠️",
        Tone::Bad => "❌",
    };
    let exit = verdict
        .exit_code
        .map(|code| format!(" (exit {code})"))
        .unwrap_or_default();
    line!(
        page,
        "# {mark} {}: {}{exit}",
        escape(&record.info.name),
        escape(&verdict.headline)
    );
    line!(page);
    // Its words are ours alone, and `@` between letters is no mention.
    line!(page, "**{}**", summary.all.line());
    for note in &verdict.notes {
        line!(page);
        line!(page, "> {}", escape(note));
    }
    line!(page);
    line!(
        page,
        "Run {} · agent {} · endpoint {} · started {}{}",
        code(record.info.run_id.as_str()),
        escape(&record.info.agent),
        code(&record.info.endpoint),
        record.info.started_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        record
            .job_id()
            .map(|job| format!(" · sessions in job {}", code(job)))
            .unwrap_or_default(),
    );
}

fn table(page: &mut String, summary: &Summary) {
    line!(page);
    line!(
        page,
        "| variant | pass rate [95 %] | mean score [95 %] | passed | failed | no score | trials |"
    );
    line!(page, "|---|---|---|---:|---:|---:|---:|");
    if summary.has_variants() {
        for variant in &summary.variants {
            row(
                page,
                &escape(&text::shorten(variant.name.as_str(), SHOWN_CHARS)),
                &variant.scores,
            );
        }
    }
    row(page, "**all**", &summary.all);
    line!(page);
    line!(
        page,
        "Rates and means are over trials with a score{}.",
        if summary.all.trials_per_task > 1 || summary.all.tasks < summary.all.total {
            ", intervals clustered by task"
        } else {
            ""
        }
    );
}

fn row(page: &mut String, name: &str, scores: &Scores) {
    line!(
        page,
        "| {name} | {} | {} | {} | {} | {} | {} |",
        scores
            .pass_rate
            .as_ref()
            .map_or_else(|| "n/a".to_owned(), rate),
        scores
            .mean_score
            .as_ref()
            .map_or_else(|| "n/a".to_owned(), mean),
        scores.passed,
        scores.failed,
        scores.missing(),
        scores.total,
    );
}

fn rate(estimate: &Estimate) -> String {
    let interval = estimate.interval.map_or_else(
        || "n/a".to_owned(),
        |interval| {
            format!(
                "{}, {}",
                text::points(interval.low),
                text::points(interval.high)
            )
        },
    );
    format!("{} \\[{interval}\\]", text::percent(estimate.value))
}

fn mean(estimate: &Estimate) -> String {
    let interval = estimate.interval.map_or_else(
        || "n/a".to_owned(),
        |interval| {
            format!(
                "{}, {}",
                text::score(interval.low),
                text::score(interval.high)
            )
        },
    );
    format!("{} \\[{interval}\\]", text::score(estimate.value))
}

fn pass_k(page: &mut String, summary: &Summary) {
    if summary.all.pass_k.is_empty() {
        return;
    }
    line!(page);
    line!(
        page,
        "| k | pass@k (one of k) | pass^k (all of k) | left out |"
    );
    line!(page, "|---:|---|---|---:|");
    for at in &summary.all.pass_k {
        line!(
            page,
            "| {} | {} | {} | {} |",
            at.k,
            rate(&at.pass_at),
            rate(&at.pass_hat),
            at.left_out
        );
    }
}

fn missing(page: &mut String, scores: &Scores) {
    let (Some(rate), Some(mean), true) = (
        scores.pass_rate_bounds,
        scores.mean_score_bounds,
        scores.missing() > 0,
    ) else {
        return;
    };
    line!(page);
    line!(
        page,
        "**{} without a score** ({} unscored, {} cancelled, {} not finished). \
         If all had failed: pass rate {}, mean {}. If all had passed: pass rate {}, mean {}.",
        text::plural(scores.missing(), "trial"),
        scores.unscored,
        scores.cancelled,
        scores.pending,
        text::percent(rate.all_fail),
        text::score(mean.all_fail),
        text::percent(rate.all_pass),
        text::score(mean.all_pass),
    );
}

fn causes(page: &mut String, record: &RunRecord, summary: &Summary) {
    if summary.causes.is_empty() {
        return;
    }
    line!(page);
    line!(page, "## What went wrong");
    for cause in summary.causes.iter().take(SHOWN_CAUSES) {
        line!(page);
        line!(page, "### {} × {}", cause.count, escape(&title(cause)));
        if !cause.message.is_empty() {
            line!(page);
            line!(
                page,
                "> {}",
                escape(&text::shorten(&text::one_line(&cause.message), SHOWN_CHARS))
            );
        }
        line!(page);
        let mut tasks: Vec<&TaskKey> = cause.trials.iter().map(|trial| &trial.task).collect();
        tasks.dedup();
        for task in tasks.iter().take(SHOWN_TASKS) {
            line!(page, "- {}", code(&show(record, task)));
        }
        if tasks.len() > SHOWN_TASKS {
            line!(page, "- … and more tasks");
        }
    }
    if summary.causes.len() > SHOWN_CAUSES {
        line!(page);
        line!(
            page,
            "… and {} more.",
            text::plural(summary.causes.len() - SHOWN_CAUSES, "cause")
        );
    }
}

fn title(cause: &Cause) -> String {
    match cause.class {
        CauseClass::Unscored => format!("no score, {}", cause.title),
        CauseClass::Failed | CauseClass::Cancelled => cause.title.clone(),
    }
}

fn show(record: &RunRecord, task: &TaskKey) -> String {
    format!(
        "harness show {} {}",
        text::shell_word(record.info.run_id.as_str()),
        text::shell_word(task.as_str())
    )
}

fn time_and_cost(page: &mut String, record: &RunRecord, summary: &Summary) {
    line!(page);
    line!(page, "## Time and cost");
    line!(page);
    line!(page, "| phase | median | 95 % within | longest |");
    line!(page, "|---|---:|---:|---:|");
    for (name, spread) in summary.all.durations.phases() {
        if let Some(spread) = spread {
            let [median, p95, max] = [spread.median, spread.p95, spread.max].map(text::duration);
            line!(page, "| {name} | {median} | {p95} | {max} |");
        }
    }
    let used = &summary.all.used;
    let mut facts = Vec::new();
    if let Some(end) = &record.end {
        facts.push(format!("wall time {}", text::duration(end.elapsed_ms)));
    }
    if let Some(tokens) = used.input_tokens {
        facts.push(format!("{} tokens in", text::count(tokens)));
    }
    if let Some(tokens) = used.output_tokens {
        facts.push(format!("{} tokens out", text::count(tokens)));
    }
    if let Some(cost) = used.cost_usd {
        facts.push(text::dollars(cost));
    }
    if used.reporting > 0 && used.reporting < summary.all.total {
        facts.push(format!(
            "as reported by {} of {}",
            used.reporting,
            text::plural(summary.all.total, "trial")
        ));
    }
    if !facts.is_empty() {
        line!(page);
        line!(page, "{}", facts.join(" · "));
    }
}

/// A text that Markdown shows as it is, on one line.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text::one_line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A backslash does not stop a mention of a person or team.
            '@' => escaped.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text as a code span, whatever backticks it holds, on one line.
fn code(text: &str) -> String {
    let text = text::one_line(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // A pipe would end a cell even inside code, but no code span stands in a table here.
    if text.starts_with('`') || text.ends_with('`') {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, Outcome, RunBuilder};

    fn render(record: &RunRecord) -> String {
        String::from_utf8(markdown(record, &Summary::of(record))).unwrap()
    }

    #[test]
    fn nasty_values() {
        let page = render(&fixture::nasty());
        // A code span shows a tag as text; nothing else may hold one.
        let outside_code = page.lines().filter(|line| !line.starts_with("- `"));
        for line in outside_code {
            assert!(
                !line.contains("<img") && !line.contains("</script"),
                "{line}"
            );
        }
        insta::assert_snapshot!(page);
    }

    #[test]
    fn a_run_as_they_are() {
        insta::assert_snapshot!(render(&fixture::sample(
            20,
            3,
            &["model=small", "model=large"]
        )));
    }

    #[test]
    fn a_clean_run_is_short() {
        let mut run = RunBuilder::new();
        run.trial("a", 1, &Outcome::Score(1.0));
        insta::assert_snapshot!(render(&run.finish()));
    }

    #[test]
    fn code_spans_hold_backticks() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a"), "`` `a ``");
    }
}
