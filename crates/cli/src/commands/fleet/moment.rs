//! Moments as people read them: how long ago. A service writes them as ISO 8601, with or without a zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `text` as the time that has passed since, `3 min ago`; as it is if it is no moment.
pub(super) fn ago(text: &str, now: Timestamp) -> String {
    match parse(text) {
        Some(then) => relative(now.as_second() - then.as_second()),
        None => text.to_owned(),
    }
}

/// Without a zone it is UTC, as services write it.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

fn relative(seconds: i64) -> String {
    let (sign, seconds) = (seconds < 0, seconds.unsigned_abs());
    let (number, unit) = match seconds {
        0..5 => return "now".to_owned(),
        5..90 => (seconds, "s"),
        90..5_400 => ((seconds + 30) / 60, "min"),
        5_400..129_600 => ((seconds + 1_800) / 3_600, "h"),
        _ => {
            let days = (seconds + 43_200) / 86_400;
            (days, if days == 1 { "day" } else { "days" })
        }
    };
    if sign {
        format!("in {number} {unit}")
    } else {
        format!("{number} {unit} ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_by_how_long_ago_it_was() {
        let now: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap_or_default();
        for (text, told) in [
            ("2026-11-02T11:59:58Z", "now"),
            ("2026-11-02T11:59:00.123456", "60 s ago"),
            ("2026-11-02T11:57:00+00:00", "3 min ago"),
            ("2026-11-02T13:57:00+02:00", "3 min ago"),
            ("2026-11-02T09:30:00", "3 h ago"),
            ("2026-11-01T12:00:00", "24 h ago"),
            ("2026-10-01 12:00:00", "32 days ago"),
            ("2026-11-02T12:10:00Z", "in 10 min"),
            ("yesterday", "yesterday"),
            ("", ""),
        ] {
            assert_eq!(ago(text, now), told, "{text}");
        }
    }
}
