//! Calls of the manager of an instance.

use fleet_api::Error;
use fleet_api::manager::{ExecuteFunctionBody, IgnoreConfig, Value as Cell};
use fleet_api::types::manager::FileStateBody;

use super::World;

impl World {
    pub(super) async fn manager(&self, name: &str) -> Result<(), Error> {
        let manager = self.env().manager()?;
        let current = manager.db("current");
        match name {
            "resources" => drop(manager.resources().await?),
            "health" => drop(manager.health().await?),
            "describe" => drop(manager.db("seed").describe().await?),
            "query" => {
                let by_id = "SELECT id, status FROM tickets WHERE id = ?";
                current.query(by_id, [2]).await?;
                current.query("SELECT COUNT(*) FROM tickets", ()).await?;
                let change = "UPDATE tickets SET priority = ? WHERE id = ?";
                current
                    .exec(change, [Cell::from("low"), Cell::from(2)])
                    .await?;
            }
            "query-builder" => {
                let table = || current.table("tickets");
                let open = table().eq("status", "open");
                open.order_by("id").limit(2).all().await?;
                table().is_in("id", [1, 2]).count().await?;
                table().is_null("assignee_id").first().await?;
            }
            "diff" => {
                manager.diff(&IgnoreConfig::default()).await?;
                let one = |name: &str| [name.to_owned()].into();
                let ignore = IgnoreConfig {
                    tables: one("activity"),
                    fields: one("updated_at"),
                    table_fields: [("tickets".to_owned(), one("priority"))].into(),
                };
                manager.diff(&ignore).await?;
            }
            "reset" => {
                self.env().reset().await?;
                manager.reset(Some(1_700_000_000), Some(7)).await?;
            }
            "browser" => drop(manager.browser().start(800, 600).await?),
            "execute-a-function" => {
                let function = ExecuteFunctionBody {
                    function_code: "def check(before, after, transcript=None):\n    return 1\n"
                        .to_owned(),
                    function_name: "check".to_owned(),
                    text_solution: None,
                };
                manager.execute_function(&function).await?;
            }
            _ => self.files(name).await?,
        }
        Ok(())
    }

    async fn files(&self, name: &str) -> Result<(), Error> {
        let files = self.env().files()?;
        match name {
            "file-diff" => drop(files.diff().await?),
            "files" => {
                files.state("/notes.txt").await?;
                let body = FileStateBody {
                    include_content: false,
                    max_content_size: 10,
                    ..FileStateBody::new("/notes.txt")
                };
                files.state_of(&body).await?;
                files.text("/notes.txt").await?;
            }
            "documents" => {
                // There is none, which each of them says.
                let _ = files.document_text("/report.pdf").await;
                let _ = files.document_metadata("/report.pdf").await;
                files.document_structure("/report.pdf").await?;
            }
            other => panic!("no case is called {other}"),
        }
        Ok(())
    }
}
