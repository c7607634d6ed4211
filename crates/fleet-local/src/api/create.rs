//! From the body of a create to what an instance is made of: every check that can be made before
//! anything is started.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::error::{ApiError, Problem};
use super::state::AppState;
use crate::gateway::COMPUTER_IMAGE;
use crate::instance::InstanceSpec;
use crate::instance::lease::{HEARTBEAT_RANGE, LeaseTerms};
use crate::package::is_variable_name;
use crate::seam::Beginning;

/// How long a create is held if the caller does not say; the official client always does.
const DEFAULT_WAIT: Duration = Duration::from_mins(15);
/// No create is held longer, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Ids and names are kept as they come, but not without bound.
pub(super) const LONGEST_TEXT: usize = 1024;

/// A checked create.
#[derive(Debug)]
pub(super) struct Create {
    pub(super) spec: InstanceSpec,
    pub(super) max_wait: Duration,
}

/// Checks a create. Unknown fields are ignored, as the hosted service's own clients differ in what
/// they send.
pub(super) fn check(body: &[u8], app: &AppState) -> Result<Create, ApiError> {
    let mut fields = Fields::parse(body)?;
    let env_key = fields.required_text("env_key");
    let env_version = fields.text("env_version");
    let data_key = fields.text("data_key").filter(|key| !key.is_empty());
    let data_version = fields
        .text("data_version")
        .filter(|version| !version.is_empty());
    let region = fields.text("region").filter(|region| !region.is_empty());
    let run_id = fields.text("run_id").filter(|run| !run.is_empty());
    let env_variables = fields.object("env_variables").unwrap_or_default();
    let image_type = fields.text("image_type").filter(|image| !image.is_empty());
    if image_type
        .as_ref()
        .is_some_and(|image| image.contains('\0'))
    {
        fields.problem("image_type", "contains a NUL character", "value_error");
    }
    let beginning = Beginning {
        timestamp: fields.time("timestamp"),
        seed: fields.integer("seed"),
    };
    let ttl = fields.seconds("ttl_seconds", 1, i64::MAX);
    let heartbeat_interval = fields.seconds(
        "heartbeat_interval",
        *HEARTBEAT_RANGE.start(),
        *HEARTBEAT_RANGE.end(),
    );
    let max_wait = fields
        .seconds("max_wait_seconds", 0, i64::MAX)
        .unwrap_or(DEFAULT_WAIT)
        .min(LONGEST_WAIT);
    fields.check_variables(&env_variables);
    fields.finish()?;
    let env_key = env_key.expect("its absence is a problem, and there are none");

    let package = app
        .packages
        .get(&env_key)
        .ok_or_else(|| ApiError::environment_not_found(&env_key))?;
    let version = package
        .resolve_version(env_version.as_deref())
        .ok_or_else(|| {
            ApiError::version_not_found(env_version.as_deref().unwrap_or_default(), &env_key)
        })?;
    if image_type.as_deref() == Some(COMPUTER_IMAGE) && !package.has_computer_mcp() {
        return Err(ApiError::bad_request(format!(
            "Image type '{COMPUTER_IMAGE}' is not offered by '{env_key}': none of its apps has a computer_mcp"
        )));
    }
    let region = known_region(region, &app.regions)?;
    let data_key = data_key.or_else(|| package.default_data_key().map(str::to_owned));
    let databases = match &data_key {
        None => crate::package::DatabasePaths::new(),
        Some(key) => package
            .databases(key, data_version.as_deref())
            .ok_or_else(|| {
                // Neither of the words that the client takes for an unknown environment or version.
                let wanted = data_version
                    .as_ref()
                    .map_or_else(|| key.clone(), |version| format!("{key}:{version}"));
                ApiError::bad_request(format!("Data '{wanted}' is not known for '{env_key}'"))
            })?
            .clone(),
    };
    let spec = InstanceSpec {
        version: version.to_owned(),
        data_key,
        data_version,
        databases,
        region,
        env_variables,
        image_type,
        beginning,
        run_id,
        lease: LeaseTerms {
            ttl,
            until: None,
            heartbeat_interval,
            maximum: app.maximum_lease,
        },
        package: package.clone(),
    };
    Ok(Create { spec, max_wait })
}

/// The region that was asked for, or the first one.
fn known_region(asked: Option<String>, known: &[String]) -> Result<String, ApiError> {
    match asked {
        None => Ok(known.first().cloned().unwrap_or_default()),
        Some(region) if known.contains(&region) => Ok(region),
        Some(region) => Err(ApiError::region_not_supported(&region, known)),
    }
}

/// The fields of a body, and what was wrong with those looked at so far: all problems are answered
/// at once.
struct Fields {
    values: Map<String, Value>,
    problems: Vec<Problem>,
}

impl Fields {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let problem = |message: String, kind| {
            ApiError::invalid(vec![Problem {
                place: "body",
                field: "$".to_owned(),
                message,
                kind,
            }])
        };
        match serde_json::from_slice(body) {
            Ok(Value::Object(values)) => Ok(Self {
                values,
                problems: Vec::new(),
            }),
            Ok(_) => Err(problem(
                "Input should be an object".to_owned(),
                "model_attributes_type",
            )),
            Err(error) => Err(problem(
                format!("JSON decode error: {error}"),
                "json_invalid",
            )),
        }
    }

    fn problem(&mut self, field: &str, message: impl Into<String>, kind: &'static str) {
        self.problems.push(Problem {
            place: "body",
            field: field.to_owned(),
            message: message.into(),
            kind,
        });
    }

    fn finish(self) -> Result<(), ApiError> {
        if self.problems.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid(self.problems))
        }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.values.remove(field).filter(|value| !value.is_null())
    }

    fn required_text(&mut self, field: &str) -> Option<String> {
        let missing = self.values.get(field).is_none_or(Value::is_null);
        if missing {
            self.problem(field, "Field required", "missing");
        }
        self.text(field)
    }

    fn text(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) if text.len() <= LONGEST_TEXT => Some(text),
            Value::String(_) => {
                self.problem(
                    field,
                    format!("String should have at most {LONGEST_TEXT} characters"),
                    "string_too_long",
                );
                None
            }
            _ => {
                self.problem(field, "Input should be a valid string", "string_type");
                None
            }
        }
    }

    fn object(&mut self, field: &str) -> Option<Map<String, Value>> {
        if let Value::Object(object) = self.take(field)? {
            return Some(object);
        }
        self.problem(field, "Input should be a valid dictionary", "dict_type");
        None
    }

    /// What the operating system takes as variables.
    fn check_variables(&mut self, variables: &Map<String, Value>) {
        for name in variables.keys() {
            if !is_variable_name(name) {
                self.problem(
                    "env_variables",
                    format!("{name:?} cannot be the name of an environment variable"),
                    "value_error",
                );
            }
        }
        for (name, value) in variables {
            if value.as_str().is_some_and(|text| text.contains('\0')) {
                self.problem(
                    "env_variables",
                    format!("the value of {name:?} contains a NUL character"),
                    "value_error",
                );
            }
        }
    }

    fn integer(&mut self, field: &str) -> Option<i64> {
        let number = self.take(field)?.as_i64();
        if number.is_none() {
            self.problem(field, "Input should be a valid integer", "int_type");
        }
        number
    }

    /// A moment in seconds since 1970.
    fn time(&mut self, field: &str) -> Option<Timestamp> {
        let time = Timestamp::from_second(self.integer(field)?);
        if time.is_err() {
            self.problem(
                field,
                "Input should be a Unix time in seconds",
                "value_error",
            );
        }
        time.ok()
    }

    fn seconds(&mut self, field: &str, least: i64, most: i64) -> Option<Duration> {
        let Some(number) = whole(&self.take(field)?) else {
            self.problem(field, "Input should be a valid integer", "int_type");
            return None;
        };
        if number < least {
            self.problem(
                field,
                format!("Input should be greater than or equal to {least}"),
                "greater_than_equal",
            );
        } else if number > most {
            self.problem(
                field,
                format!("Input should be less than or equal to {most}"),
                "less_than_equal",
            );
        }
        u64::try_from(number).ok().map(Duration::from_secs)
    }
}

/// JSON has one kind of number: `30.0` is 30.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        // Above 2^53 a f64 does not count in steps of one.
        let is_whole = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range is checked just before"
        )]
        is_whole.then_some(number as i64)
    })
}
