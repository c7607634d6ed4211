//! Durations and sizes as a spec writes them. A number without a unit is refused: `timeout: 30` is read as
//! seconds by one person and as minutes by the next.

use std::fmt::Write as _;
use std::time::Duration;

use super::suggest::near;

/// Why a text is not a duration or a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A bare number.
    #[error("has no unit")]
    NoUnit,
    /// A unit that does not exist.
    #[error("has the unknown unit `{unit}`")]
    UnknownUnit {
        /// As written.
        unit: String,
        /// The one that was probably meant.
        meant: Option<&'static str>,
    },
    /// No number in front of a unit, or something that is neither.
    #[error("is not a number with a unit")]
    NotANumber,
    /// Beyond what can be counted.
    #[error("is too large")]
    TooLarge,
}

/// The units of durations with their milliseconds.
const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// The units of sizes with their bytes: thousands for `kB`, 1024s for `KiB`.
const SIZE_UNITS: [(&str, u64); 10] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads `500ms`, `90s`, `1h30m`.
///
/// # Errors
/// No unit, an unknown unit, or more than can be counted in milliseconds.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut total: u64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(UnitError::NotANumber);
    }
    while !rest.is_empty() {
        let (number, unit, after) = take(rest)?;
        let factor = factor(unit, &DURATION_UNITS)?;
        let part = number.checked_mul(factor).ok_or(UnitError::TooLarge)?;
        total = total.checked_add(part).ok_or(UnitError::TooLarge)?;
        rest = after.trim_start();
    }
    Ok(Duration::from_millis(total))
}

/// Reads `64MiB`, `1GB`, `512 KiB`; the result is in bytes.
///
/// # Errors
/// No unit, an unknown unit, or more than 2^64 bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let (number, unit, after) = take(text.trim())?;
    let factor = factor(unit, &SIZE_UNITS)?;
    if !after.trim().is_empty() {
        return Err(UnitError::NotANumber);
    }
    number.checked_mul(factor).ok_or(UnitError::TooLarge)
}

/// Writes a duration so that [`parse_duration`] reads the same again; parts below a millisecond are dropped.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    // Days are read but not written: `36h` says more than `1d12h`.
    for (unit, factor) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if rest >= factor {
            write!(out, "{}{unit}", rest / factor).expect("a string takes any text");
            rest %= factor;
        }
    }
    out
}

/// Writes a size so that [`parse_size`] reads the same again.
pub fn format_size(bytes: u64) -> String {
    let units = ["TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "kB"];
    units
        .iter()
        .filter_map(|unit| factor(unit, &SIZE_UNITS).ok().map(|factor| (unit, factor)))
        .find(|(_, factor)| bytes != 0 && bytes.is_multiple_of(*factor))
        .map_or_else(
            || format!("{bytes}B"),
            |(unit, factor)| format!("{}{unit}", bytes / factor),
        )
}

/// Splits `30m…` into the number, the unit and what follows.
fn take(text: &str) -> Result<(u64, &str, &str), UnitError> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if number.is_empty() {
        return Err(UnitError::NotANumber);
    }
    let number = number.parse().map_err(|_| UnitError::TooLarge)?;
    let rest = rest.trim_start();
    let letters = rest
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    if unit.is_empty() {
        return Err(if rest.is_empty() {
            UnitError::NoUnit
        } else {
            UnitError::NotANumber
        });
    }
    Ok((number, unit, after))
}

fn factor<const N: usize>(unit: &str, units: &[(&'static str, u64); N]) -> Result<u64, UnitError> {
    if let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) {
        return Ok(*factor);
    }
    let meant = match unit {
        "sec" | "secs" | "second" | "seconds" => Some("s"),
        "min" | "mins" | "minute" | "minutes" => Some("m"),
        "hr" | "hrs" | "hour" | "hours" => Some("h"),
        "day" | "days" => Some("d"),
        "M" | "Mi" | "mb" => Some("MiB"),
        "G" | "Gi" | "gb" => Some("GiB"),
        "K" | "k" | "Ki" | "kb" => Some("KiB"),
        other => near(other, units.iter().map(|(name, _)| *name)),
    };
    let meant = meant.filter(|meant| units.iter().any(|(name, _)| name == meant));
    Err(UnitError::UnknownUnit {
        unit: unit.to_owned(),
        meant,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        let cases = [
            ("500ms", 500),
            ("90s", 90_000),
            ("30m", 1_800_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("0s", 0),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_that_mean_nothing_are_refused() {
        assert_eq!(parse_duration("30"), Err(UnitError::NoUnit));
        assert_eq!(parse_duration("1h30"), Err(UnitError::NoUnit));
        for text in ["", "m", "-5s", "1.5h", "5s!", "∞"] {
            assert_eq!(parse_duration(text), Err(UnitError::NotANumber), "{text}");
        }
        assert_eq!(
            parse_duration("99999999999999999999s"),
            Err(UnitError::TooLarge)
        );
        assert_eq!(parse_duration("999999999999999d"), Err(UnitError::TooLarge));
        let unknown = UnitError::UnknownUnit {
            unit: "min".to_owned(),
            meant: Some("m"),
        };
        assert_eq!(parse_duration("5min"), Err(unknown));
    }

    #[test]
    fn sizes_know_thousands_and_1024s() {
        let cases = [
            ("64MiB", 67_108_864),
            ("1GB", 1_000_000_000),
            ("0B", 0),
            ("512 KiB", 524_288),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        assert_eq!(parse_size("64"), Err(UnitError::NoUnit));
        assert_eq!(parse_size("64MiB3"), Err(UnitError::NotANumber));
        let unknown = UnitError::UnknownUnit {
            unit: "G".to_owned(),
            meant: Some("GiB"),
        };
        assert_eq!(parse_size("4G"), Err(unknown));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(number in 0_u64..=u64::MAX / 86_400_000) {
            prop_assert_eq!(parse_duration(&format_duration(Duration::from_millis(number))), Ok(Duration::from_millis(number)));
            prop_assert_eq!(parse_size(&format_size(number)), Ok(number));
        }

        #[test]
        fn no_text_panics(text in ".{0,30}") {
            let _ = parse_duration(&text);
            let _ = parse_size(&text);
        }
    }
}
