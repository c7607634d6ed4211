//! What changes tasks: updates, imports, and the projects that they are filed under.

use futures::stream::{self, StreamExt as _};
use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::request;
use crate::task::Task;
use crate::types::{Project, ProjectKey, ProjectList, TaskKey, TaskResponse, UpdateTaskBody};

/// Enough to hide the way to the service and back; its rate is held by the client in any case.
const IMPORTS_AT_ONCE: usize = 8;

impl Client {
    /// Changes a task and returns what it is now. Sent once: repeating it could undo somebody
    /// else's change.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use fleet_api::types::UpdateTaskBody;
    ///
    /// let change = UpdateTaskBody {
    ///     prompt: Some("Close ticket 3.".into()),
    ///     ..UpdateTaskBody::default()
    /// };
    /// println!("{}", fleet.update_task(&"task_desk_0007".into(), &change).await?.prompt);
    /// # Ok(()) }
    /// ```
    pub async fn update_task(&self, key: &TaskKey, change: &UpdateTaskBody) -> Result<Task, Error> {
        let request = request::update_task(key, change)
            .map_err(|error| Error::invalid_id("update task", error))?;
        let answer: TaskResponse = self.read(request).await?;
        Ok(answer.into())
    }

    /// Stores a task at the service, filed under a project if one is named. Returns the service's
    /// answer as it came; nothing is known of its shape.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for task in fleet_api::task_file::load("tasks.json".as_ref())? {
    ///     fleet.import_task(&task, Some(&"my-project".into())).await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn import_task(
        &self,
        task: &Task,
        project: Option<&ProjectKey>,
    ) -> Result<Value, Error> {
        self.read(request::import_task(&task.to_export_json(), project))
            .await
    }

    /// Stores many tasks, at most eight at a time. Returns what became of each, in their order: one that is refused is told,
    /// where the official client leaves it out in silence.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let tasks = fleet_api::task_file::load("tasks.json".as_ref())?;
    /// for (task, stored) in tasks.iter().zip(fleet.import_tasks(&tasks, None).await) {
    ///     if let Err(error) = stored {
    ///         println!("{}: {error}", task.key);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn import_tasks(
        &self,
        tasks: &[Task],
        project: Option<&ProjectKey>,
    ) -> Vec<Result<Value, Error>> {
        let mut imports = Vec::with_capacity(tasks.len());
        for task in tasks {
            imports.push(self.import_task(task, project));
        }
        stream::iter(imports)
            .buffered(IMPORTS_AT_ONCE)
            .collect()
            .await
    }

    /// The projects that tasks are filed under.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// for project in fleet.projects().await? {
    ///     println!("{}", project.project_key);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn projects(&self) -> Result<Vec<Project>, Error> {
        let list: ProjectList = self.read(request::projects()).await?;
        Ok(list.projects)
    }
}
