//! What a verification is worth: the one place where a verifier's return value becomes a number.
//!
//! The official client turns what it does not understand into 0.0. Here that is an error, because a
//! zero nobody measured would count against an agent.

use serde_json::Value;

use crate::types::{ExecuteResponse, VerifierFailure};

/// Sums of weights such as 0.7 + 0.2 + 0.1 miss 1.0 by rounding; this far outside is still inside.
const ROUNDING: f64 = 1e-9;

/// Why a verification has no score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// The verifier did not run to its end.
    #[error("the verifier failed: {}", describe(failure))]
    VerifierFailed {
        /// What it said; empty when it said nothing.
        failure: VerifierFailure,
    },
    /// It returned something that is no number.
    #[error("the verifier returned {raw}, which is no score")]
    Invalid {
        /// What it returned; `null` also when nothing came.
        raw: Value,
    },
    /// It returned NaN or an infinity.
    #[error("the verifier returned {raw}, which is not a finite number")]
    NotFinite {
        /// What it returned.
        raw: Value,
    },
    /// It returned a number outside 0.0–1.0, which is kept for those who know what it means.
    #[error("the verifier returned {raw}, which is outside of 0 to 1")]
    OutOfRange {
        /// The number.
        raw: f64,
    },
}

impl ExecuteResponse {
    /// The score, 0.0–1.0.
    ///
    /// A boolean counts as 0 or 1; a number, numeric text and an object's `score` count as such.
    ///
    /// ```
    /// # use fleet_api::types::ExecuteResponse;
    /// let answer = ExecuteResponse {
    ///     success: true,
    ///     result: Some(serde_json::json!({"score": 0.5})),
    ///     ..ExecuteResponse::default()
    /// };
    /// assert_eq!(answer.score(), Ok(0.5));
    /// ```
    pub fn score(&self) -> Result<f64, ScoreError> {
        if !self.success {
            let failure = self.error.clone().unwrap_or_default();
            return Err(ScoreError::VerifierFailed { failure });
        }
        let raw = self.result.clone().unwrap_or(Value::Null);
        let number = match &raw {
            Value::Object(fields) => fields.get("score").and_then(number),
            other => number(other),
        };
        match number {
            None => Err(ScoreError::Invalid { raw }),
            Some(number) if !number.is_finite() => Err(ScoreError::NotFinite { raw }),
            Some(number) if !(-ROUNDING..=1.0 + ROUNDING).contains(&number) => {
                Err(ScoreError::OutOfRange { raw: number })
            }
            // Adding 0.0 turns the negative zero, which prints as "-0", into zero.
            Some(number) => Ok(number.clamp(0.0, 1.0) + 0.0),
        }
    }

    /// Whether the answer contradicts itself: it ran to its end and reports an error all the same.
    /// The score holds, but somebody should look.
    pub fn contradicts_itself(&self) -> bool {
        self.success && self.error.is_some()
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(passed) => Some(f64::from(u8::from(*passed))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn describe(failure: &VerifierFailure) -> String {
    match (failure.kind.as_str(), failure.message.as_str()) {
        ("", "") => "no reason was given".to_owned(),
        ("", text) | (text, "") => text.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn answer(result: Value) -> ExecuteResponse {
        ExecuteResponse {
            success: true,
            result: Some(result),
            ..ExecuteResponse::default()
        }
    }

    #[test]
    fn what_a_verifier_returns_and_what_it_is_worth() {
        for (result, expected) in [
            (json!(true), 1.0),
            (json!(false), 0.0),
            (json!(0), 0.0),
            (json!(1), 1.0),
            (json!(0.25), 0.25),
            (json!("0.7"), 0.7),
            (json!(" 1e-1 "), 0.1),
            (json!({"score": 0.5, "notes": []}), 0.5),
            (json!({"score": true}), 1.0),
            (json!({"score": "0.5"}), 0.5),
            (json!(1.000_000_000_000_000_2), 1.0),
            (json!(-0.0), 0.0),
        ] {
            assert_eq!(answer(result.clone()).score(), Ok(expected), "{result}");
        }
        assert!(answer(json!(-0.0)).score().unwrap().is_sign_positive());
    }

    #[test]
    fn what_is_no_number_is_no_zero() {
        for raw in [
            json!(null),
            json!([]),
            json!([1]),
            json!("done"),
            json!(""),
            json!({}),
            json!({"score": null}),
            json!({"score": {"score": 1}}),
            json!({"reward": 1}),
        ] {
            assert_eq!(
                answer(raw.clone()).score(),
                Err(ScoreError::Invalid { raw })
            );
        }
        let none = ExecuteResponse {
            success: true,
            ..ExecuteResponse::default()
        };
        assert_eq!(none.score(), Err(ScoreError::Invalid { raw: Value::Null }));
    }

    #[test]
    fn numbers_that_are_no_scores_keep_their_value() {
        for raw in [
            json!("nan"),
            json!("inf"),
            json!("-Infinity"),
            json!({"score": "NaN"}),
            json!("1e999"),
        ] {
            assert_eq!(
                answer(raw.clone()).score(),
                Err(ScoreError::NotFinite { raw })
            );
        }
        assert_eq!(
            answer(json!(-0.2)).score(),
            Err(ScoreError::OutOfRange { raw: -0.2 })
        );
        assert_eq!(
            answer(json!("1.7")).score(),
            Err(ScoreError::OutOfRange { raw: 1.7 })
        );
    }

    #[test]
    fn a_verifier_that_failed_has_no_score_whatever_it_returned() {
        let mut failed = answer(json!(1));
        failed.success = false;
        assert_eq!(
            failed.score().unwrap_err().to_string(),
            "the verifier failed: no reason was given"
        );
        failed.error = Some(VerifierFailure {
            kind: "KeyError".into(),
            message: "'t'".into(),
            traceback: None,
        });
        assert_eq!(
            failed.score().unwrap_err().to_string(),
            "the verifier failed: KeyError: 't'"
        );
        assert!(!failed.contradicts_itself());
        failed.success = true;
        assert_eq!(failed.score(), Ok(1.0));
        assert!(failed.contradicts_itself());
    }

    proptest! {
        #[test]
        fn a_score_is_always_between_zero_and_one(number in any::<f64>()) {
            let text = answer(json!(number.to_string())).score();
            let value = answer(json!(number)).score();
            for score in [text, value].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&score));
                prop_assert!((score - number).abs() <= ROUNDING);
            }
        }

        #[test]
        fn text_is_a_score_only_if_it_is_a_number(text in ".{0,12}") {
            if answer(json!(text)).score().is_ok() {
                prop_assert!(text.trim().parse::<f64>().is_ok());
            }
        }
    }
}
