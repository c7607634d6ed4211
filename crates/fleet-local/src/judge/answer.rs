//! What a judge said, held against the rubric, and the numbers that follow from it.

use fleet_api::types::{Criterion, GradeResponse, GradedCriterion, Rubric};

/// Sums of points may miss by rounding.
const ROUNDING: f64 = 1e-9;

/// Fills in what follows from what was said. An answer that leaves the score open, or contradicts the rubric, is refused
/// with a text that tells the judge what to do better.
pub(super) fn complete(mut grade: GradeResponse, rubric: &Rubric) -> Result<GradeResponse, String> {
    if let Rubric::Structured { criteria, .. } = rubric
        && let Some(graded) = &grade.criteria
    {
        let graded = by_rubric(criteria, graded)?;
        let total: f64 = graded.iter().filter_map(|one| one.score).sum();
        let most: f64 = criteria.iter().map(|one| one.max_score).sum();
        grade.total_score = Some(total);
        grade.max_score = Some(most);
        grade.normalized_score = Some(total / most);
        grade.criteria = Some(graded);
    }
    if grade.normalized_score.is_none()
        && let (Some(total), Some(most)) = (grade.total_score, grade.max_score)
        && most > 0.0
    {
        grade.normalized_score = Some(total / most);
    }
    match grade.normalized_score {
        None => Err("the answer has no score".to_owned()),
        Some(score) if !(-ROUNDING..=1.0 + ROUNDING).contains(&score) => {
            Err(format!("the score {score} is outside of 0 to 1"))
        }
        Some(score) => {
            let score = score.clamp(0.0, 1.0);
            grade.normalized_score = Some(score);
            // The official client shows both beside it.
            grade.total_score.get_or_insert(score);
            grade.max_score.get_or_insert(1.0);
            Ok(grade)
        }
    }
}

/// The grades in the rubric's order, each criterion once and within its points.
fn by_rubric(
    criteria: &[Criterion],
    graded: &[GradedCriterion],
) -> Result<Vec<GradedCriterion>, String> {
    let stranger = graded.iter().find(|one| {
        !criteria
            .iter()
            .any(|known| known.name.trim() == one.name.trim())
    });
    if let Some(one) = stranger {
        return Err(format!("the rubric has no criterion {:?}", one.name));
    }
    criteria
        .iter()
        .map(|criterion| {
            let name = &criterion.name;
            let mut found = graded.iter().filter(|one| one.name.trim() == name.trim());
            let one = found
                .next()
                .ok_or_else(|| format!("the criterion {name:?} was not graded"))?;
            if found.next().is_some() {
                return Err(format!("the criterion {name:?} was graded twice"));
            }
            let score = one
                .score
                .ok_or_else(|| format!("the criterion {name:?} has no score"))?;
            let most = criterion.max_score;
            if !(-ROUNDING..=most + ROUNDING).contains(&score) {
                return Err(format!(
                    "the criterion {name:?} has {score} points of at most {most}"
                ));
            }
            Ok(GradedCriterion {
                name: name.clone(),
                score: Some(score.clamp(0.0, most)),
                max_score: Some(most),
                reasoning: Some(one.reasoning.clone().unwrap_or_default()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn completed(answer: Value) -> Result<f64, String> {
        let rubric = serde_json::from_value(json!({"type": "structured", "criteria": [
            {"name": "a", "max_score": 2}, {"name": "b", "max_score": 2}]}))
        .unwrap();
        let grade = complete(serde_json::from_value(answer).unwrap(), &rubric)?;
        Ok(grade.normalized_score.unwrap())
    }

    #[test]
    fn a_score_is_counted_from_the_criteria_not_believed() {
        let answer = json!({"normalized_score": 1.0, "criteria": [{"name": "b", "score": 1}, {"name": " a", "score": 0}]});
        assert_eq!(completed(answer), Ok(0.25));
    }

    #[test]
    fn an_answer_that_leaves_something_open_is_refused() {
        for answer in [
            json!({}),
            json!({"criteria": [{"name": "a", "score": 1}]}),
            json!({"criteria": [{"name": "a", "score": 1}, {"name": "b"}]}),
            json!({"criteria": [{"name": "a", "score": 3}, {"name": "b", "score": 0}]}),
            json!({"criteria": [{"name": "a", "score": 1}, {"name": "a", "score": 1}, {"name": "b", "score": 0}]}),
            json!({"criteria": [{"name": "a", "score": 1}, {"name": "b", "score": 0}, {"name": "c", "score": 1}]}),
            json!({"normalized_score": 1.5}),
            json!({"total_score": 1}),
        ] {
            assert!(completed(answer.clone()).is_err(), "{answer}");
        }
        assert_eq!(
            completed(json!({"total_score": 1, "max_score": 4})),
            Ok(0.25)
        );
    }
}
