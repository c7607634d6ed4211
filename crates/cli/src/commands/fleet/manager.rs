//! From an instance's id to its manager, which looks into its data and files.

use clap::Args;
use fleet_api::Client;
use fleet_api::manager::Manager;
use fleet_api::types::InstanceId;

use super::failed::Failed;

/// An instance, and which of its apps.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The instance
    instance: String,
    /// One of several apps of the instance
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
}

impl Target {
    pub(super) async fn manager(&self, client: &Client) -> Result<Manager, Failed> {
        let id = InstanceId::new(&self.instance);
        let instance = client.instance(&id).await?;
        if !instance.status.is_running() {
            let message = format!("{id} is {}, so nobody can look into it", instance.status);
            return Err(Failed::usage(message)
                .help("`harness fleet instances list --status running` shows what lives"));
        }
        let manager = Manager::of(client, &instance)?;
        match &self.app {
            Some(app) => Ok(manager.app(app)?),
            None => Ok(manager),
        }
    }

    pub(super) fn instance(&self) -> String {
        report::text::shell_word(&self.instance)
    }
}
