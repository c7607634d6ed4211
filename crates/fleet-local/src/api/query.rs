//! Query parameters as the client sends them: repeated names are lists, empty values are no values,
//! unknown names are ignored.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

/// The pairs of a query, decoded, in order.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        Self(
            url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The first value of a name that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Every value of a name that is not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_blanks_and_escapes() {
        let query = Query::parse("task_keys=a&task_keys=b%20c&env_key=&x=1");
        assert_eq!(query.all("task_keys").collect::<Vec<_>>(), ["a", "b c"]);
        assert_eq!(query.get("env_key"), None);
        assert_eq!(query.get("y"), None);
        assert_eq!(Query::parse("").get("x"), None);
    }
}
