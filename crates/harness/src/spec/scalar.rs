//! Reading single values: numbers, booleans, durations, sizes, words from a list. The second half of the reader.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::{Context, Field};
use super::suggest::near;
use super::text::Segment;
use super::tree::Kind;
use super::units::{UnitError, format_duration, parse_duration, parse_size};

impl Context<'_> {
    /// A whole number in a range.
    pub(super) fn integer(&mut self, field: &Field<'_>, range: RangeInclusive<u32>) -> Option<u32> {
        let kind = self.typed(field)?;
        let Kind::Int(value) = kind else {
            self.wrong_type(field, "a whole number");
            return None;
        };
        let value = u32::try_from(value)
            .ok()
            .filter(|value| range.contains(value));
        if value.is_none() {
            self.out_of_range(field, range.start(), range.end());
        }
        value
    }

    /// A number in a range.
    pub(super) fn number(&mut self, field: &Field<'_>, range: RangeInclusive<f64>) -> Option<f64> {
        let value = match self.typed(field)? {
            Kind::Int(value) => value as f64,
            Kind::Float(value) => value,
            Kind::String(text) if text.ends_with('%') => {
                let hint = "write a fraction: `0.02` is two percent";
                self.report(
                    field
                        .error(format!("`{}` must be a number", field.path))
                        .hint(hint),
                );
                return None;
            }
            _ => {
                self.wrong_type(field, "a number");
                return None;
            }
        };
        if !range.contains(&value) {
            self.out_of_range(field, range.start(), range.end());
            return None;
        }
        Some(value)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, field: &Field<'_>) -> Option<bool> {
        match self.typed(field)? {
            Kind::Bool(value) => Some(value),
            Kind::String(text)
                if ["yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str()) =>
            {
                let hint = "`yes`, `no`, `on` and `off` are plain text in YAML 1.2";
                self.report(
                    field
                        .error(format!("`{}` must be `true` or `false`", field.path))
                        .hint(hint),
                );
                None
            }
            _ => {
                self.wrong_type(field, "`true` or `false`");
                None
            }
        }
    }

    /// A duration in a range.
    pub(super) fn duration(
        &mut self,
        field: &Field<'_>,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let value = self.with_unit(field, parse_duration, "duration", ["s", "m"])?;
        if !range.contains(&value) {
            self.out_of_range(
                field,
                format_duration(*range.start()),
                format_duration(*range.end()),
            );
            return None;
        }
        Some(value)
    }

    /// A size in bytes, of at least one byte.
    pub(super) fn size(&mut self, field: &Field<'_>) -> Option<u64> {
        let value = self.with_unit(field, parse_size, "size", ["MiB", "GiB"])?;
        if value == 0 {
            self.report(field.error(format!("`{}` must be at least `1B`", field.path)));
            return None;
        }
        Some(value)
    }

    fn with_unit<T>(
        &mut self,
        field: &Field<'_>,
        parse: impl Fn(&str) -> Result<T, UnitError>,
        what: &str,
        units: [&str; 2],
    ) -> Option<T> {
        let (text, shown) = match self.typed(field)? {
            Kind::String(text) => {
                let shown = self.shown(field);
                (text, shown)
            }
            Kind::Int(value) => (value.to_string(), self.shown(field)),
            _ => {
                self.wrong_type(field, &format!("a {what} such as `5{}`", units[0]));
                return None;
            }
        };
        let error = match parse(&text) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let message = format!("the {what} {shown} {error}");
        let hint = match &error {
            UnitError::NoUnit if shown.contains('$') => {
                format!("write it with a unit, such as `5{}`", units[0])
            }
            UnitError::NoUnit => {
                let number = text.trim();
                format!("write `{number}{}` or `{number}{}`", units[0], units[1])
            }
            UnitError::UnknownUnit {
                meant: Some(meant), ..
            } => format!("did you mean `{meant}`?"),
            UnitError::UnknownUnit { .. } | UnitError::NotANumber | UnitError::TooLarge
                if what == "size" =>
            {
                "sizes are written like `64MiB` or `1GB`, as whole numbers".to_owned()
            }
            _ => "durations are written like `90s`, `30m`, `1h30m` or `500ms`, as whole numbers"
                .to_owned(),
        };
        self.report(field.error(message).hint(hint));
        None
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        field: &Field<'_>,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.string(field)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let all: Vec<_> = choices
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let shown = self.shown(field);
        let diagnostic = field.error(format!("`{}` cannot be {shown}", field.path));
        let diagnostic = match near(&text, choices.iter().map(|(name, _)| *name)) {
            Some(meant) => diagnostic.label(format!("did you mean `{meant}`?")),
            None => diagnostic,
        };
        self.report(diagnostic.hint(format!("it is one of {}", all.join(", "))));
        None
    }

    /// The value of a field with variables filled in and typed as if it had been written.
    fn typed(&mut self, field: &Field<'_>) -> Option<Kind> {
        self.note_place(field);
        match (&field.node.kind, &field.node.written) {
            (Kind::String(text), Some(_)) if text.contains("${") => {
                let segments = self.interpolate(field, text)?;
                let text: String = segments.iter().map(Segment::text).collect();
                Some(Kind::of_plain(text.trim()))
            }
            (Kind::String(text), _) => {
                let segments = self.interpolate(field, text)?;
                Some(Kind::String(segments.iter().map(Segment::text).collect()))
            }
            (kind, _) => Some(kind.clone()),
        }
    }

    fn out_of_range(&mut self, field: &Field<'_>, least: impl Display, most: impl Display) {
        let shown = self.shown(field);
        let message = format!("`{}` cannot be {shown}", field.path);
        self.report(
            field
                .error(message)
                .hint(format!("it must be from {least} to {most}")),
        );
    }
}
