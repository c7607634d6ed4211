//! The desk's idea of "now": real time, or a fixed day that begins when the desk opens, so that
//! "older than two weeks" and "the newest comment" mean the same in every run of a task.

use std::time::Duration;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// When a fixed day begins, in seconds after midnight: nine o'clock, after everything in the seeds.
const OPENING: u64 = 9 * 3600;
/// A fixed day does not end; a desk that is open for longer stays at its last second.
const LAST_SECOND: u64 = 24 * 3600 - 1;

/// The day on which the desk believes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Today {
    /// The real one.
    #[default]
    Real,
    /// This one, for ever.
    Fixed(Date),
}

/// A text that is not a day.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is not a date such as 2026-11-16")]
pub struct InvalidDate {
    /// What was given.
    pub text: String,
    source: jiff::Error,
}

impl Today {
    /// Reads an RFC 3339 date; of a date with a time only the day counts. Empty means [`Today::Real`].
    pub fn parse(text: &str) -> Result<Self, InvalidDate> {
        let day = text.trim().split(['T', ' ']).next().unwrap_or_default();
        if day.is_empty() {
            return Ok(Self::Real);
        }
        match day.parse() {
            Ok(date) => Ok(Self::Fixed(date)),
            Err(source) => Err(InvalidDate {
                text: text.to_owned(),
                source,
            }),
        }
    }

    /// The day in UTC.
    pub fn date(self) -> Date {
        match self {
            Self::Real => Timestamp::now().to_zoned(TimeZone::UTC).date(),
            Self::Fixed(date) => date,
        }
    }

    /// The time after the desk has been open for so long: RFC 3339 in UTC with whole seconds, as
    /// every time in the database.
    pub(crate) fn now(self, open_for: Duration) -> String {
        match self {
            Self::Real => Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            Self::Fixed(date) => {
                let second = OPENING.saturating_add(open_for.as_secs()).min(LAST_SECOND);
                let (hour, minute) = (second / 3600, second / 60 % 60);
                format!("{date}T{hour:02}:{minute:02}:{:02}Z", second % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_day_gives_its_timestamps() {
        let today = Today::parse("2026-11-16").unwrap();
        assert_eq!(today.now(Duration::ZERO), "2026-11-16T09:00:00Z");
        assert_eq!(today.now(Duration::from_secs(3725)), "2026-11-16T10:02:05Z");
        assert_eq!(today.now(Duration::from_hours(25)), "2026-11-16T23:59:59Z");
        assert_eq!(
            Today::Real.now(Duration::ZERO).len(),
            "2026-11-16T09:00:00Z".len()
        );
        assert_eq!(Today::parse("2026-11-16T08:00:00Z").unwrap(), today);
    }

    #[test]
    fn nothing_is_the_real_day_and_nonsense_is_refused() {
        assert_eq!(Today::parse(" ").unwrap(), Today::Real);
        assert!(Today::parse("tomorrow").is_err());
    }
}
