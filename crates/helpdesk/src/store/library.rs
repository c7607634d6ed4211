//! What is only read: the handbook, the activity log, and the figures of the dashboard.

use rusqlite::{Connection, OptionalExtension, params_from_iter};
use serde::Serialize;

use super::connection::StoreError;
use crate::model::{Activity, Article, Rows, Slice};

/// The pages of the handbook by title.
pub(crate) fn articles(db: &Connection) -> Result<Vec<Article>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT slug, title, body, updated_at FROM articles ORDER BY title")?;
    let rows = statement.query_map([], |row| {
        Ok(Article {
            slug: row.get(0)?,
            title: row.get(1)?,
            body: row.get(2)?,
            updated_at: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One page of the handbook.
pub(crate) fn article(db: &Connection, slug: &str) -> Result<Article, StoreError> {
    db.query_row(
        "SELECT slug, title, body, updated_at FROM articles WHERE slug = ?1",
        [slug],
        |row| {
            Ok(Article {
                slug: row.get(0)?,
                title: row.get(1)?,
                body: row.get(2)?,
                updated_at: row.get(3)?,
            })
        },
    )
    .optional()?
    .ok_or_else(|| StoreError::not_found("article", slug))
}

/// Which part of the log is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct ActivityFilter {
    /// `ticket`, `customer`, `agent` or `tag`, and its number.
    pub(crate) about: Option<(String, Option<i64>)>,
    pub(crate) slice: Slice,
}

/// One page of the log, latest first.
pub(crate) fn activity(
    db: &Connection,
    filter: &ActivityFilter,
) -> Result<Rows<Activity>, StoreError> {
    let mut conditions = String::from("WHERE 1");
    let mut values = Vec::new();
    if let Some((entity, id)) = &filter.about {
        conditions.push_str(" AND entity = ?");
        values.push(entity.clone());
        if let Some(id) = id {
            conditions.push_str(" AND entity_id = CAST(? AS INTEGER)");
            values.push(id.to_string());
        }
    }
    let total = db.query_row(
        &format!("SELECT count(*) FROM activity {conditions}"),
        params_from_iter(&values),
        |row| row.get(0),
    )?;
    let Slice { page, per_page } = filter.slice;
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, at, actor, action, entity, entity_id, detail FROM activity {conditions} \
         ORDER BY id DESC LIMIT {per_page} OFFSET {}",
        filter.slice.offset()
    ))?;
    let items = statement
        .query_map(params_from_iter(&values), |row| {
            Ok(Activity {
                id: row.get(0)?,
                at: row.get(1)?,
                actor: row.get(2)?,
                action: row.get(3)?,
                entity: row.get(4)?,
                entity_id: row.get(5)?,
                detail: row.get(6)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Rows {
        items,
        total,
        page,
        per_page,
    })
}

/// The figures of the first page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Dashboard {
    pub(crate) open: i64,
    pub(crate) urgent: i64,
    pub(crate) unassigned: i64,
    pub(crate) pending: i64,
    pub(crate) resolved: i64,
    /// Open tickets by category, the fullest first.
    pub(crate) by_category: Vec<(String, i64)>,
}

/// Counts what needs attention. `urgent` and `unassigned` are among the open ones.
pub(crate) fn dashboard(db: &Connection) -> Result<Dashboard, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT category, count(*) FROM tickets WHERE status = 'open' GROUP BY category ORDER BY 2 DESC, 1",
    )?;
    let by_category = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(db.query_row(
        "SELECT count(*) FILTER (WHERE status = 'open'), \
                count(*) FILTER (WHERE status = 'open' AND priority = 'urgent'), \
                count(*) FILTER (WHERE status = 'open' AND assignee_id IS NULL), \
                count(*) FILTER (WHERE status = 'pending'), \
                count(*) FILTER (WHERE status = 'resolved') FROM tickets",
        [],
        |row| {
            Ok(Dashboard {
                open: row.get(0)?,
                urgent: row.get(1)?,
                unassigned: row.get(2)?,
                pending: row.get(3)?,
                resolved: row.get(4)?,
                by_category,
            })
        },
    )?)
}
