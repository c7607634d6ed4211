//! What a grading is worth.

use serde_json::Value;

use crate::types::GradeResponse;

/// Rounding that a sum of points may bring with it.
const ROUNDING: f64 = 1e-9;

/// With this a judge marks a grade that it made up because it could not judge.
const MADE_UP: &str = "JUDGE ERROR";

/// A grading without a score. It says nothing of the work that was graded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GradeError {
    /// The judge gave no score.
    #[error("the judge gave no score")]
    Missing,
    /// The judge gave a score and says that it could not judge.
    #[error("the judge could not judge: {message}")]
    MadeUp {
        /// What it said.
        message: String,
    },
    /// It gave a number outside of 0.0–1.0.
    #[error("the judge gave {raw}, which is outside of 0 to 1")]
    OutOfRange {
        /// The number.
        raw: f64,
    },
}

impl GradeResponse {
    /// The score, 0.0–1.0.
    ///
    /// The official client reads an answer without a score as 0.0; here it is an error, because a
    /// judge that said nothing said nothing of the work.
    ///
    /// ```
    /// use fleet_api::GradeError;
    /// use fleet_api::types::GradeResponse;
    ///
    /// let graded = GradeResponse { normalized_score: Some(0.5), ..GradeResponse::default() };
    /// assert_eq!(graded.score(), Ok(0.5));
    /// assert_eq!(GradeResponse::default().score(), Err(GradeError::Missing));
    /// ```
    pub fn score(&self) -> Result<f64, GradeError> {
        if let Some(message) = self.admits_failure() {
            let message = message.to_owned();
            return Err(GradeError::MadeUp { message });
        }
        let raw = self.normalized_score.ok_or(GradeError::Missing)?;
        if !(-ROUNDING..=1.0 + ROUNDING).contains(&raw) {
            return Err(GradeError::OutOfRange { raw });
        }
        // Adding 0.0 turns the negative zero into zero.
        Ok(raw.clamp(0.0, 1.0) + 0.0)
    }

    fn admits_failure(&self) -> Option<&str> {
        let errors = self.accumulators.as_ref().and_then(|all| all.get("errors"));
        let errors = errors.and_then(Value::as_array).into_iter().flatten();
        errors
            .filter_map(Value::as_str)
            .chain(self.feedback.as_deref())
            .find(|text| text.contains(MADE_UP))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn score(answer: Value) -> Result<f64, GradeError> {
        serde_json::from_value::<GradeResponse>(answer)
            .unwrap()
            .score()
    }

    #[test]
    fn a_grade_is_between_zero_and_one() {
        assert_eq!(score(json!({"normalized_score": 0.5})), Ok(0.5));
        assert_eq!(score(json!({"normalized_score": 0})), Ok(0.0));
        assert_eq!(score(json!({"normalized_score": 1.000_000_000_1})), Ok(1.0));
        let raw = 50.0;
        assert_eq!(
            score(json!({"normalized_score": raw})),
            Err(GradeError::OutOfRange { raw })
        );
    }

    #[test]
    fn a_judge_that_did_not_judge_gives_no_zero() {
        for answer in [
            json!({}),
            json!({"normalized_score": null}),
            json!({"total_score": 1, "max_score": 2}),
        ] {
            assert_eq!(score(answer), Err(GradeError::Missing));
        }
        let made_up =
            json!({"normalized_score": 0.0, "accumulators": {"errors": ["[X] JUDGE ERROR: 529"]}});
        assert!(matches!(score(made_up), Err(GradeError::MadeUp { .. })));
        let made_up = json!({"normalized_score": 0.0, "feedback": "JUDGE ERROR: overloaded"});
        assert!(matches!(score(made_up), Err(GradeError::MadeUp { .. })));
    }
}
