//! What can be instantiated, where, and by whom.

use axum::extract::{Path, State};
use axum::response::Json;
use fleet_api::types::{Account, Environment};

use super::error::ApiError;
use super::state::App;
use crate::identity;
use crate::package::Package;

pub(super) async fn environments(State(app): State<App>) -> Json<Vec<Environment>> {
    Json(
        app.packages
            .values()
            .map(|package| environment(package))
            .collect(),
    )
}

pub(super) async fn one_environment(
    State(app): State<App>,
    Path(key): Path<String>,
) -> Result<Json<Environment>, ApiError> {
    app.packages
        .get(&key)
        .map(|package| Json(environment(package)))
        .ok_or_else(|| ApiError::environment_not_found(&key))
}

pub(super) async fn regions(State(app): State<App>) -> Json<Vec<String>> {
    Json(app.regions.clone())
}

pub(super) async fn account(State(app): State<App>) -> Json<Account> {
    Json(Account {
        team_id: identity::TEAM_ID.into(),
        team_name: identity::TEAM_NAME.to_owned(),
        instance_limit: app.store.limit() as u64,
        instance_count: app.store.live() as u64,
        profile_id: Some(identity::PROFILE_ID.into()),
        profile_name: Some(identity::PROFILE_NAME.to_owned()),
    })
}

fn environment(package: &Package) -> Environment {
    Environment {
        env_key: package.key.as_str().into(),
        name: package.name.clone(),
        description: package.description.clone(),
        default_version: Some(package.default_version.clone()),
        versions: package.versions.iter().cloned().collect(),
    }
}
