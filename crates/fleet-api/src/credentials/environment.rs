//! Settings from the environment's variables, as the official clients read them.

use super::{Credentials, Login};
use crate::build_error::BuildError;
use crate::builder::ClientBuilder;

/// Where a login is refreshed, the first that is set.
const AUTH_BASES: [&str; 3] = [
    "FLEET_AUTH_BASE_URL",
    "FLEET_BASE_URL",
    "FLEET_TRACK_BASE_URL",
];

/// A builder with what `variable` says and, if that is no key, with `login`. An empty variable is none.
pub(crate) fn builder_from(
    variable: impl Fn(&str) -> Option<String>,
    login: Option<Login>,
) -> Result<ClientBuilder, BuildError> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let credentials = match (set("FLEET_API_KEY"), login) {
        (Some(key), _) => Credentials::ApiKey(key.into()),
        (None, Some(login)) if login.exists() => Credentials::Login(login),
        (None, login) => {
            let path = login.map(|login| login.path().to_owned());
            return Err(BuildError::NoCredentials { path });
        }
    };
    let mut builder = ClientBuilder::with(credentials);
    if let Some(url) = set("FLEET_BASE_URL") {
        builder = builder.base_url(url);
    }
    if let Some(url) = AUTH_BASES.iter().find_map(|name| set(name)) {
        builder = builder.auth_base_url(url);
    }
    if let Some(token) = set("FLEET_JUDGE_TOKEN") {
        builder = builder.judge_token(token.into());
    }
    if let Some(team) = set("FLEET_COST_TEAM_ID") {
        builder = builder.cost_team_id(team);
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(set: &[(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        let set = set.to_vec();
        move |name| {
            let found = set.iter().find(|(other, _)| *other == name)?;
            Some(found.1.to_owned())
        }
    }

    #[test]
    fn a_key_wins_over_a_login_and_the_address_is_the_variable_s() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        std::fs::write(&path, "{}").unwrap();
        let set = variables(&[
            ("FLEET_API_KEY", "k"),
            ("FLEET_BASE_URL", "http://127.0.0.1:9/"),
        ]);
        let builder = builder_from(set, Some(Login::at(&path))).unwrap();
        assert!(matches!(builder.credentials(), Credentials::ApiKey(_)));
        assert_eq!(builder.build().unwrap().base_url(), "http://127.0.0.1:9");
        let builder = builder_from(variables(&[("FLEET_API_KEY", " ")]), Some(Login::at(&path)));
        assert!(matches!(
            builder.unwrap().credentials(),
            Credentials::Login(_)
        ));
    }

    #[test]
    fn a_login_that_was_found_is_not_shown_to_another_service() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let login = || Some(Login::found(file.path()));
        let elsewhere = variables(&[("FLEET_BASE_URL", "http://127.0.0.1:9")]);
        let error = builder_from(elsewhere, login())
            .unwrap()
            .build()
            .unwrap_err();
        let text = error.to_string();
        for part in ["http://127.0.0.1:9", "FLEET_API_KEY", "builder_with"] {
            assert!(text.contains(part), "{text}");
        }
        // The place where its token is refreshed gets the more of it.
        for name in ["FLEET_AUTH_BASE_URL", "FLEET_TRACK_BASE_URL"] {
            let set = [(name, "http://10.0.0.5:9000")];
            let error = builder_from(variables(&set), login())
                .unwrap()
                .build()
                .unwrap_err();
            assert!(error.to_string().contains("http://10.0.0.5:9000"), "{name}");
        }
        let nowhere = builder_from(variables(&[]), login()).unwrap();
        let later = nowhere.clone().base_url("https://example.org").build();
        assert!(matches!(later, Err(BuildError::LoginElsewhere { .. })));
        assert!(nowhere.build().is_ok());
        let named = ClientBuilder::with(Login::at(file.path()).into());
        assert!(named.base_url("http://127.0.0.1:9").build().is_ok());
    }

    #[test]
    fn without_any_credential_the_error_says_what_to_do() {
        let error =
            builder_from(variables(&[]), Some(Login::at("/no/credentials.json"))).unwrap_err();
        let text = error.to_string();
        for part in ["FLEET_API_KEY", "flt login", "/no/credentials.json"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(builder_from(variables(&[]), None).is_err());
    }
}
