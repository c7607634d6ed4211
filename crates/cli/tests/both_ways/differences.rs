//! Where two requests differ, and the differences that are meant.

use serde_json::Value;

use crate::request::Request;

/// A difference that is meant. One that no request shows is a failure: the list says what is so.
pub(crate) struct Meant {
    /// Where, as [`Difference::place`] says it.
    pub(crate) place: &'static str,
    /// The cases it is meant in; empty: all of them.
    pub(crate) cases: &'static [&'static str],
    pub(crate) why: &'static str,
    /// Whether both sides are still what they must be.
    pub(crate) holds: fn(sdk: Option<&str>, rust: Option<&str>) -> bool,
}

/// A place in which two requests are not the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    pub(crate) place: String,
    pub(crate) sdk: Option<String>,
    pub(crate) rust: Option<String>,
}

/// Field by field, headers included.
pub(crate) fn between(sdk: &Request, rust: &Request) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |place: &str, sdk: Option<String>, rust: Option<String>| {
        if sdk != rust {
            let place = place.to_owned();
            found.push(Difference { place, sdk, rust });
        }
    };
    compare("request", Some(sdk.line.clone()), Some(rust.line.clone()));
    let query = |request: &Request| Some(format!("{:?}", request.query));
    compare("query", query(sdk), query(rust));
    let status = |request: &Request| Some(request.status.to_string());
    compare("status", status(sdk), status(rust));
    let mut names: Vec<&String> = sdk.headers.keys().chain(rust.headers.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let value = |request: &Request| request.headers.get(name).cloned();
        compare(&format!("header {name}"), value(sdk), value(rust));
    }
    compare_json("body", Some(&sdk.body), Some(&rust.body), &mut compare);
    found
}

fn compare_json(
    place: &str,
    sdk: Option<&Value>,
    rust: Option<&Value>,
    compare: &mut impl FnMut(&str, Option<String>, Option<String>),
) {
    if let (Some(Value::Object(left)), Some(Value::Object(right))) = (sdk, rust) {
        let mut names: Vec<&String> = left.keys().chain(right.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let place = format!("{place}.{name}");
            compare_json(&place, left.get(name), right.get(name), compare);
        }
        return;
    }
    let text = |value: Option<&Value>| value.map(Value::to_string);
    compare(place, text(sdk), text(rust));
}

impl Meant {
    pub(crate) fn covers(&self, case: &str, difference: &Difference) -> bool {
        let (sdk, rust) = (difference.sdk.as_deref(), difference.rust.as_deref());
        self.place == difference.place
            && (self.cases.is_empty() || self.cases.contains(&case))
            && (self.holds)(sdk, rust)
    }
}
