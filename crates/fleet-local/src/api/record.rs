//! The public record of an instance.

use fleet_api::types::{Instance as Record, InstanceStatus, InstanceUrls, ManagerUrls};
use serde_json::Value;

use crate::clock::text;
use crate::identity;
use crate::instance::{Instance, Status, Urls};

/// The record as JSON.
pub(super) fn record(instance: &Instance) -> Value {
    let state = instance.state();
    let spec = &instance.spec;
    let typed = Record {
        instance_id: instance.id.clone(),
        env_key: spec.package.key.as_str().into(),
        version: spec.version.clone(),
        status: InstanceStatus::from(state.status.as_str()),
        subdomain: instance.id.to_string(),
        created_at: text(instance.created_at),
        updated_at: text(state.updated_at),
        terminated_at: state.terminated_at.map(text),
        team_id: identity::TEAM_ID.into(),
        region: spec.region.clone(),
        env_variables: Some(spec.env_variables.clone()),
        data_key: spec.data_key.clone(),
        data_version: spec.data_version.clone(),
        urls: state.urls.as_ref().map(urls),
        health: match state.status {
            Status::Pending => None,
            Status::Running => Some(true),
            Status::Stopped | Status::Error => Some(false),
        },
        run_id: spec.run_id.as_deref().map(Into::into),
        profile_id: Some(identity::PROFILE_ID.into()),
        heartbeat_interval: spec
            .lease
            .heartbeat_interval
            .map(|interval| interval.as_secs()),
        heartbeat_region: None,
        expires_at: state.expires_at().map(text),
        // Not part of the hosted API, whose clients ignore keys they do not know.
        status_reason: state.ending.as_ref().map(ToString::to_string),
    };
    serde_json::to_value(typed).expect("a record has text keys only")
}

fn urls(urls: &Urls) -> InstanceUrls {
    let manager = |path: &str| format!("{}{path}", urls.manager);
    InstanceUrls {
        root: urls.root.clone(),
        app: urls.apps.clone(),
        // The main app's, which is at the root. Without it clients go to `/raw`, where hosted environments have it.
        api: Some(urls.root.trim_end_matches('/').to_owned()),
        health: None,
        api_docs: None,
        manager: ManagerUrls {
            api: urls.manager.clone(),
            docs: manager("/docs"),
            reset: manager("/reset"),
            diff: manager("/diff"),
            snapshot: manager("/snapshot"),
            execute_verifier_function: manager("/execute_verifier_function"),
            execute_verifier_function_with_upload: manager(
                "/execute_verifier_function_with_upload",
            ),
        },
    }
}
