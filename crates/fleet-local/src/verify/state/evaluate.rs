//! Matching the rows that changed to the changes that were expected.
//!
//! Three questions, in this order. Is a changed row one that some expectation speaks of, and did only allowed fields change? If not, it is
//! collateral damage. Does the row meet the expectation's conditions? Rows that do are dealt out so that as many as possible find a place
//! (two expectations may speak of the same rows). Is an expectation fulfilled? When it got as many rows as it counts.
//! A row that an unfulfilled expectation speaks of but whose values are wrong is a failed attempt, not collateral damage.

use rusqlite::Connection;
use serde_json::Value;

use super::report::{Report, cut, describe, name, value};
use super::spec::{Change, Expectation, SpecError, StateSpec};
use crate::manager::Cell;
use crate::manager::diff::{DiffError, Difference, Row, Table, walk};
use crate::manager::schema::{TableShape, shapes};

/// Rows kept beyond what the expectations can take, so that the report can name some of them.
const SPARE_ROWS: usize = 1000;

/// What came of a state verifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// 0 to 1.
    pub score: f64,
    /// The report in the conventions of Fleet's graders.
    pub stdout: String,
}

/// The verifier could not come to a score.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// The definition names tables or fields that the environment does not have.
    #[error(transparent)]
    Spec(SpecError),
    /// The databases cannot be read.
    #[error("the databases cannot be compared")]
    Diff(#[source] DiffError),
    /// The databases' schemas cannot be read.
    #[error("the databases cannot be read")]
    Read(#[source] rusqlite::Error),
}

/// Runs a state verifier.
///
/// With `partial` the score is the weight of the fulfilled conditions over the weight of all, otherwise 1 if all are fulfilled and else 0.
/// Any unexpected change makes it 0 either way.
///
/// # Errors
/// See [`EvaluateError`].
pub fn evaluate(
    spec: &StateSpec,
    seed: &Connection,
    current: &Connection,
    final_answer: Option<&Value>,
) -> Result<Evaluation, EvaluateError> {
    check_names(spec, seed, current)?;
    let mut report = Report::default();
    let attempts = collect(spec, seed, current, &mut report).map_err(EvaluateError::Diff)?;
    let dealt = deal(spec, &attempts);

    let mut reached = 0.0;
    let mut total = 0.0;
    let mut wrong = attempts_by_expectation(spec, &attempts, &dealt, &mut report);
    for (index, expectation) in spec.expect.iter().enumerate() {
        total += expectation.weight;
        if dealt[index].len() == expectation.count {
            reached += expectation.weight;
            let rows: Vec<&str> = dealt[index]
                .iter()
                .take(3)
                .map(|row| attempts[*row].name.as_str())
                .collect();
            report.passed(format!("{}: {}", title(expectation), rows.join(", ")));
        } else {
            let found = format!("{} of {} found", dealt[index].len(), expectation.count);
            let why = std::mem::take(&mut wrong[index]);
            let why = if why.is_empty() {
                found
            } else {
                format!("{found}; {}", cut(&why.join("; "), 600))
            };
            report.failed(format!("{}: {why}", title(expectation)));
        }
    }
    for condition in &spec.answer {
        total += condition.weight;
        if condition.holds(final_answer) {
            reached += condition.weight;
            report.passed(format!("the final answer should {}", condition.check));
        } else {
            let said = final_answer.map_or_else(
                || "there is none".to_owned(),
                |answer| format!("it is {}", cut(&answer.to_string(), 200)),
            );
            report.failed(format!(
                "the final answer should {}, but {said}",
                condition.check
            ));
        }
    }
    let all = reached >= total;
    let score = match (report.unexpected, all, spec.partial) {
        (1.., _, _) | (0, false, false) => 0.0,
        (0, true, _) => 1.0,
        (0, false, true) => reached / total,
    };
    Ok(Evaluation {
        score,
        stdout: report.render(),
    })
}

/// A changed row that some expectation speaks of.
struct Attempt {
    name: String,
    description: String,
    /// Expectations that allow this change.
    allowed: Vec<usize>,
    /// Those of `allowed` whose conditions the row meets.
    met: Vec<usize>,
    /// For each of `allowed`, what the row lacks.
    lacks: Vec<String>,
}

fn collect(
    spec: &StateSpec,
    seed: &Connection,
    current: &Connection,
    report: &mut Report,
) -> Result<Vec<Attempt>, DiffError> {
    let room = spec
        .expect
        .iter()
        .map(|expectation| expectation.count)
        .fold(SPARE_ROWS, usize::saturating_add);
    let mut attempts = Vec::new();
    walk(seed, current, &spec.ignore, &mut |table, difference| {
        match attempt(spec, table, &difference) {
            // Whatever is beyond the room cannot find a place any more.
            Ok(attempt) if attempts.len() < room => attempts.push(attempt),
            Ok(attempt) => report.unexpected(|| attempt.description),
            Err(why) => report
                .unexpected(|| format!("unexpected change: {}{why}", describe(table, &difference))),
        }
        Ok(())
    })?;
    Ok(attempts)
}

/// The error is a remark for the report, empty where there is nothing to add.
fn attempt(spec: &StateSpec, table: &Table, difference: &Difference) -> Result<Attempt, String> {
    let mut forbidden = None;
    let mut found = Attempt {
        name: name(table, shown(difference)),
        description: String::new(),
        allowed: Vec::new(),
        met: Vec::new(),
        lacks: Vec::new(),
    };
    for (index, expectation) in spec.expect.iter().enumerate() {
        if expectation.table != table.name || !expectation.selects(difference) {
            continue;
        }
        if let Difference::Modified { changed, .. } = difference {
            let others: Vec<&str> = changed
                .iter()
                .map(String::as_str)
                .filter(|field| !expectation.fields.contains_key(*field))
                .collect();
            if !others.is_empty() {
                forbidden = Some(format!(" ({} may not change)", others.join(", ")));
                continue;
            }
        }
        let lacks = expectation.lacks(shown(difference));
        if lacks.is_empty() {
            found.met.push(index);
        }
        found.allowed.push(index);
        found.lacks.push(lacks);
    }
    if found.allowed.is_empty() {
        return Err(forbidden.unwrap_or_default());
    }
    found.description = format!(
        "more changes than expected: {}",
        describe(table, difference)
    );
    Ok(found)
}

/// The row as it is, or was if it is gone.
fn shown(difference: &Difference) -> &Row {
    match difference {
        Difference::Added(row)
        | Difference::Removed(row)
        | Difference::Modified { after: row, .. } => row,
    }
}

impl Expectation {
    fn selects(&self, difference: &Difference) -> bool {
        let (change, row) = match difference {
            Difference::Added(row) => (Change::Insert, row),
            Difference::Removed(row) => (Change::Delete, row),
            Difference::Modified { before, .. } => (Change::Update, before),
        };
        change == self.change
            && self
                .select
                .iter()
                .all(|(field, matcher)| matcher.matches(row.get(field).unwrap_or(&Cell::Null)))
    }

    /// What keeps the row from meeting the conditions; empty if nothing does.
    fn lacks(&self, row: &Row) -> String {
        let unmet = self
            .fields
            .iter()
            .filter(|(field, matcher)| !matcher.matches(row.get(field).unwrap_or(&Cell::Null)));
        let texts: Vec<String> = unmet
            .map(|(field, matcher)| {
                format!("{field} should {matcher} but is {}", value(row, field))
            })
            .collect();
        texts.join(", ")
    }
}

/// Deals the rows out to the expectations whose conditions they meet, as many rows as possible: augmenting paths after Kuhn (1955), with
/// a capacity at each expectation. Returns the rows of each expectation.
fn deal(spec: &StateSpec, attempts: &[Attempt]) -> Vec<Vec<usize>> {
    let mut dealt: Vec<Vec<usize>> = vec![Vec::new(); spec.expect.len()];
    for row in 0..attempts.len() {
        let mut seen = vec![false; spec.expect.len()];
        place(row, spec, attempts, &mut dealt, &mut seen);
    }
    dealt
}

/// Recursion ends because every level marks another expectation as seen.
fn place(
    row: usize,
    spec: &StateSpec,
    attempts: &[Attempt],
    dealt: &mut [Vec<usize>],
    seen: &mut [bool],
) -> bool {
    for &index in &attempts[row].met {
        if std::mem::replace(&mut seen[index], true) {
            continue;
        }
        if dealt[index].len() < spec.expect[index].count {
            dealt[index].push(row);
            return true;
        }
        for position in 0..dealt[index].len() {
            if place(dealt[index][position], spec, attempts, dealt, seen) {
                dealt[index][position] = row;
                return true;
            }
        }
    }
    false
}

/// Sorts the rows that found no place: a failed attempt at an expectation that still lacks rows, or one change too many.
fn attempts_by_expectation(
    spec: &StateSpec,
    attempts: &[Attempt],
    dealt: &[Vec<usize>],
    report: &mut Report,
) -> Vec<Vec<String>> {
    let mut placed = vec![false; attempts.len()];
    for row in dealt.iter().flatten() {
        placed[*row] = true;
    }
    let mut wrong: Vec<Vec<String>> = vec![Vec::new(); spec.expect.len()];
    for (attempt, _) in attempts.iter().zip(&placed).filter(|(_, placed)| !**placed) {
        let open = attempt
            .allowed
            .iter()
            .zip(&attempt.lacks)
            .find(|(index, lacks)| {
                !lacks.is_empty()
                    && dealt[**index].len() + wrong[**index].len() < spec.expect[**index].count
            });
        match open {
            Some((index, lacks)) => wrong[*index].push(format!("{}: {lacks}", attempt.name)),
            None => report.unexpected(|| attempt.description.clone()),
        }
    }
    wrong
}

fn title(expectation: &Expectation) -> String {
    let conditions =
        |conditions: &std::collections::BTreeMap<String, super::matcher::Matcher>| -> Vec<String> {
            conditions
                .iter()
                .map(|(field, matcher)| format!("{field} {}", matcher.brief()))
                .collect()
        };
    let mut text = format!("{} in {}", expectation.change.as_str(), expectation.table);
    for (word, list) in [
        ("where", conditions(&expectation.select)),
        ("with", conditions(&expectation.fields)),
    ] {
        if !list.is_empty() {
            text = format!("{text} {word} {}", list.join(", "));
        }
    }
    cut(&text, 400)
}

/// A name that is in neither database is a mistake of the definition; taken for a condition that fails, it would be a zero for every agent.
fn check_names(
    spec: &StateSpec,
    seed: &Connection,
    current: &Connection,
) -> Result<(), EvaluateError> {
    let mut tables: Vec<TableShape> = shapes(seed).map_err(EvaluateError::Read)?;
    tables.extend(shapes(current).map_err(EvaluateError::Read)?);
    for (index, expectation) in spec.expect.iter().enumerate() {
        let wrong = |what: String| {
            Err(EvaluateError::Spec(SpecError {
                at: format!("expect[{index}]"),
                what,
            }))
        };
        let sides: Vec<&TableShape> = tables
            .iter()
            .filter(|table| table.name == expectation.table)
            .collect();
        if sides.is_empty() {
            return wrong(format!("there is no table {:?}", expectation.table));
        }
        for field in expectation.select.keys().chain(expectation.fields.keys()) {
            if !sides.iter().any(|side| side.columns.contains(field)) {
                return wrong(format!(
                    "table {:?} has no field {field:?}",
                    expectation.table
                ));
            }
        }
    }
    Ok(())
}
