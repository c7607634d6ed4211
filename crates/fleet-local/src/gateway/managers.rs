//! The managers of one instance: one for each app, with the databases that the app works on.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleet_api::types::manager::{ExecuteFunctionBody, ExecuteFunctionResponse};
use futures::future::BoxFuture;

use crate::instance::{Instance, InstanceBrowser};
use crate::manager::documents::DocumentReader;
use crate::manager::files::{Baseline, Tree};
use crate::manager::query::Limits;
use crate::manager::{Access, InstanceManager, Services};
use crate::package::AppManifest;
use crate::seam::{Browser, FunctionRunner, InstanceFiles, InstanceView};
use crate::verify::VerifierService;

/// What the managers of an instance have of their server.
#[derive(Debug)]
pub(crate) struct Equipment {
    pub(crate) verifier: Arc<VerifierService>,
    pub(crate) documents: DocumentReader,
    pub(crate) browser: Option<Arc<InstanceBrowser>>,
    pub(crate) baseline: Arc<Baseline>,
}

/// The manager of each app by its name, in the order of the package. `root` is the instance's address.
///
/// The first one is the instance's own as well: a reset there renews everything, a reset of another app's only what that app has.
pub(super) fn managers(
    instance: &Arc<Instance>,
    equipment: &Equipment,
    root: &str,
) -> Vec<(String, InstanceManager)> {
    let access = Arc::new(Access::default());
    let tree = Tree::of(&instance.files);
    let mut managers = Vec::new();
    for (index, (name, app)) in instance.spec.package.apps.iter().enumerate() {
        let files = files_of(app, &instance.files);
        let also_reset = if index == 0 {
            let all = instance.files.databases.values();
            all.filter(|database| !files.databases.values().any(|own| own == *database))
                .cloned()
                .collect()
        } else {
            Vec::new()
        };
        let functions = AppFunctions {
            verifier: Arc::clone(&equipment.verifier),
            view: Arc::new(AppView {
                instance: Arc::clone(instance),
                manager: format!("{root}{name}/api/v1/env"),
            }),
        };
        let browser = equipment.browser.clone();
        let services = Services {
            functions: Some(Arc::new(functions)),
            browser: browser.map(|browser| browser as Arc<dyn Browser>),
            documents: Some(equipment.documents.clone()),
            tree: Some(tree.clone()),
            baseline: Arc::clone(&equipment.baseline),
            also_reset,
            access: Arc::clone(&access),
        };
        let hooks = Arc::clone(instance) as _;
        let manager = InstanceManager::with_services(files, hooks, Limits::default(), services);
        managers.push((name.clone(), manager));
    }
    managers
}

/// The databases that an app's manager offers, under the names that it offers them by.
fn files_of(app: &AppManifest, files: &InstanceFiles) -> InstanceFiles {
    if app.databases.is_empty() {
        return files.clone();
    }
    let databases: BTreeMap<_, _> = app
        .databases
        .iter()
        .filter_map(|(name, data)| Some((name.clone(), files.databases.get(data)?.clone())))
        .collect();
    InstanceFiles {
        dir: files.dir.clone(),
        databases,
    }
}

/// An instance as one of its apps' managers shows it.
struct AppView {
    instance: Arc<Instance>,
    manager: String,
}

impl InstanceView for AppView {
    fn instance_id(&self) -> &str {
        self.instance.instance_id()
    }

    fn env_key(&self) -> &str {
        self.instance.env_key()
    }

    fn files(&self) -> &InstanceFiles {
        self.instance.files()
    }

    fn root_url(&self) -> String {
        self.instance.root_url()
    }

    fn app_urls(&self) -> Vec<String> {
        self.instance.app_urls()
    }

    fn manager_url(&self) -> String {
        self.manager.clone()
    }

    fn is_running(&self) -> bool {
        self.instance.is_running()
    }
}

/// Runs functions of clients as verifiers are run.
struct AppFunctions {
    verifier: Arc<VerifierService>,
    view: Arc<AppView>,
}

impl std::fmt::Debug for AppFunctions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppFunctions").finish_non_exhaustive()
    }
}

impl FunctionRunner for AppFunctions {
    fn run(&self, body: ExecuteFunctionBody) -> BoxFuture<'_, ExecuteFunctionResponse> {
        let view = Arc::clone(&self.view) as Arc<dyn InstanceView>;
        Box::pin(async move { self.verifier.run_function(body, view).await })
    }
}
