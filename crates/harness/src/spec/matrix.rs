//! `matrix`: the values to combine; each combination is a variant of the run.

use serde_json::{Value as Json, json};
use serde_yaml::Value;

use super::diagnostic::{Diagnostic, quote};
use super::reader::{Context, Field};
use super::template::BUILT_IN;
use super::text::is_name;
use super::{resolved, schema};

/// Every variant runs every task; more of them than this are a mistake.
const MAX_VARIANTS: usize = 1_000;
/// The name of the only variant of a run without a matrix.
const DEFAULT_VARIANT: &str = "default";

/// The values to combine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatrixSpec {
    /// In the order of the spec.
    pub axes: Vec<Axis>,
}

/// One key of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Usable as `{key}`.
    pub key: String,
    /// At least one, all different.
    pub values: Vec<String>,
}

/// One combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// `model=small,effort=low`; `default` without a matrix. Differs from variant to variant.
    pub name: String,
    /// One value per axis, in the order of the axes.
    pub values: Vec<(String, String)>,
}

impl MatrixSpec {
    /// All combinations: the last axis changes fastest. One, with the name `default`, if there are no axes.
    pub fn variants(&self) -> Vec<Variant> {
        let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
        for axis in &self.axes {
            combinations = combinations
                .into_iter()
                .flat_map(|combination| {
                    axis.values.iter().map(move |value| {
                        let mut longer = combination.clone();
                        longer.push((axis.key.clone(), value.clone()));
                        longer
                    })
                })
                .collect();
        }
        combinations
            .into_iter()
            .map(|values| Variant {
                name: variant_name(&values),
                values,
            })
            .collect()
    }

    /// The names that templates may use.
    pub(super) fn keys(&self) -> Vec<String> {
        self.axes.iter().map(|axis| axis.key.clone()).collect()
    }

    pub(super) fn read(ctx: &mut Context<'_>, field: Option<&Field<'_>>) -> Self {
        let Some(field) = field else {
            return Self::default();
        };
        let mut axes = Vec::new();
        for (key, axis) in ctx.entries(field) {
            if !is_name(&key) {
                let message = format!("{} cannot be a placeholder", quote(&key));
                let hint = "a key of the matrix has letters, digits and `_`, and does not start with a digit";
                ctx.report(Diagnostic::error(axis.path.clone(), Some(axis.at), message).hint(hint));
            } else if let Some(built_in) =
                BUILT_IN.iter().find(|placeholder| placeholder.name == key)
            {
                let message = format!("`{key}` cannot be a key of the matrix");
                let diagnostic = Diagnostic::error(axis.path.clone(), Some(axis.at), message);
                ctx.report(diagnostic.note(format!("`{{{key}}}` is {}", built_in.meaning)));
            }
            // A key that is refused still counts as known, so that its uses are not reported as well.
            axes.push(Axis {
                values: read_values(ctx, &axis),
                key,
            });
        }
        let spec = Self { axes };
        let count = spec.axes.iter().fold(1_usize, |count, axis| {
            count.saturating_mul(axis.values.len())
        });
        if count > MAX_VARIANTS {
            let message = format!("the matrix has {count} combinations, more than {MAX_VARIANTS}");
            ctx.report(Diagnostic::error("matrix", Some(field.at), message));
            return Self { axes: Vec::new() };
        }
        spec
    }

    pub(super) fn resolved(&self) -> Option<Value> {
        let axes = self
            .axes
            .iter()
            .map(|axis| (axis.key.as_str(), resolved::texts(&axis.values)));
        (!self.axes.is_empty()).then(|| resolved::map(axes))
    }
}

/// `,`, `=` and `%` of a value are escaped as in a URL, so that different combinations never share a name.
fn variant_name(values: &[(String, String)]) -> String {
    if values.is_empty() {
        return DEFAULT_VARIANT.to_owned();
    }
    let escape = |value: &str| {
        value
            .replace('%', "%25")
            .replace(',', "%2C")
            .replace('=', "%3D")
    };
    let parts: Vec<_> = values
        .iter()
        .map(|(key, value)| format!("{key}={}", escape(value)))
        .collect();
    parts.join(",")
}

fn read_values(ctx: &mut Context<'_>, field: &Field<'_>) -> Vec<String> {
    let Some(items) = ctx.list(field) else {
        return Vec::new();
    };
    if items.is_empty() {
        let diagnostic = field.error(format!("`{}` has no values", field.path));
        ctx.report(diagnostic.hint("every key of the matrix needs at least one"));
    }
    let mut values: Vec<String> = Vec::with_capacity(items.len());
    for item in &items {
        let Some(value) = ctx.word(item) else {
            continue;
        };
        if value.chars().any(char::is_control) {
            ctx.report(item.error("a value of the matrix must be one line of plain text"));
        } else if values.contains(&value) {
            ctx.report(
                item.error(format!("the value {} comes twice", ctx.shown(item)))
                    .hint("`trials` repeats every task"),
            );
        } else {
            values.push(value);
        }
    }
    values
}

pub(super) fn json_schema() -> Json {
    let mut values = schema::list(&schema::word("One value."), "The values of this key.");
    values["minItems"] = json!(1);
    values["uniqueItems"] = json!(true);
    json!({
        "description": "Values to combine. Each combination is a variant; `{key}` stands for its value in the agent's command and environment.",
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::{errors, spec};

    fn base(matrix: &str) -> String {
        format!(
            "version: 1\nfleet: {{endpoint: local, local: {{environments: [.], tasks: [spec.yaml]}}}}\ntasks: {{project: p}}\nagent: {{command: [a]}}\nmatrix: {matrix}\n"
        )
    }

    #[test]
    fn combinations_keep_the_order_of_the_spec() {
        let matrix = spec("matrix: {model: [small, large], effort: [1, 1.10, yes]}").matrix;
        let names: Vec<_> = matrix
            .variants()
            .into_iter()
            .map(|variant| variant.name)
            .collect();
        assert_eq!(
            names,
            [
                "model=small,effort=1",
                "model=small,effort=1.10",
                "model=small,effort=yes",
                "model=large,effort=1",
                "model=large,effort=1.10",
                "model=large,effort=yes",
            ]
        );
        assert_eq!(MatrixSpec::default().variants()[0].name, "default");
    }

    #[test]
    fn different_combinations_have_different_names() {
        let matrix = spec("matrix: {a: ['1,b=2', '1'], b: ['3', '2,b=3']}").matrix;
        let names: std::collections::HashSet<_> = matrix
            .variants()
            .into_iter()
            .map(|variant| variant.name)
            .collect();
        assert_eq!(names.len(), 4);
    }

    #[test]
    fn matrices_that_mean_nothing_are_refused() {
        let cases = [
            ("{prompt: [a]}", "cannot be a key of the matrix"),
            ("{a-b: [a]}", "cannot be a placeholder"),
            ("{a: []}", "has no values"),
            ("{a: x}", "must be a list"),
            ("{a: [x, x]}", "comes twice"),
            ("{a: [[x]]}", "must be text"),
            ("[a]", "must be a map"),
        ];
        for (matrix, expected) in cases {
            let found = errors(&base(matrix));
            assert!(
                found.len() == 1 && found[0].contains(expected),
                "{matrix}: {found:?}"
            );
        }
        let ten = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
        let found = errors(&base(&format!(
            "{{a: {ten}, b: {ten}, c: {ten}, d: {ten}}}"
        )));
        assert!(found[0].contains("10000 combinations"), "{found:?}");
    }
}
