//! What is written and stuck on tickets: comments, tags, and the merging of duplicates.

use rusqlite::{Connection, OptionalExtension};

use super::connection::{Change, StoreError};
use super::tickets::{text, ticket, touch};
use crate::model::{Comment, Status, Tag, Visibility};

/// The comments of a ticket, oldest first.
pub(super) fn comments(db: &Connection, ticket_id: i64) -> Result<Vec<Comment>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT id, ticket_id, author, author_kind, visibility, body, created_at FROM comments \
         WHERE ticket_id = ?1 ORDER BY created_at, id",
    )?;
    let rows = statement.query_map([ticket_id], |row| {
        Ok(Comment {
            id: row.get(0)?,
            ticket_id: row.get(1)?,
            author: row.get(2)?,
            author_kind: row.get(3)?,
            visibility: row.get(4)?,
            body: row.get(5)?,
            created_at: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A comment to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewComment {
    pub(crate) body: String,
    pub(crate) visibility: Visibility,
}

/// Adds a comment by the signed-in person and gives its number.
pub(crate) fn add_comment(
    change: &Change<'_>,
    ticket_id: i64,
    new: &NewComment,
) -> Result<i64, StoreError> {
    ticket(change.db(), ticket_id)?;
    let body = text("body", &new.body)?;
    insert_comment(change, ticket_id, &body, new.visibility)
}

fn insert_comment(
    change: &Change<'_>,
    ticket_id: i64,
    body: &str,
    visibility: Visibility,
) -> Result<i64, StoreError> {
    change.db().execute(
        "INSERT INTO comments (ticket_id, author, author_kind, visibility, body, created_at) \
         VALUES (?1, ?2, 'agent', ?3, ?4, ?5)",
        (ticket_id, change.actor, visibility, body, &change.now),
    )?;
    let id = change.db().last_insert_rowid();
    touch(change, ticket_id)?;
    change.log(
        "comment.added",
        "ticket",
        ticket_id,
        &format!("{visibility} comment"),
    )?;
    Ok(id)
}

/// All tags by name.
pub(crate) fn tags(db: &Connection) -> Result<Vec<Tag>, StoreError> {
    let mut statement = db.prepare_cached(
        "SELECT id, name, (SELECT count(*) FROM ticket_tags WHERE tag_id = tags.id) FROM tags ORDER BY name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Tag {
            id: row.get(0)?,
            name: row.get(1)?,
            tickets: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes a new tag.
pub(crate) fn create_tag(change: &Change<'_>, name: &str) -> Result<i64, StoreError> {
    let name = name.trim();
    let well_formed = (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !well_formed {
        return Err(StoreError::invalid(
            "name",
            "a tag is 1 to 40 lower-case letters, digits and hyphens",
        ));
    }
    if find_tag(change.db(), name)?.is_some() {
        return Err(StoreError::invalid(
            "name",
            format!("the tag {name} exists already"),
        ));
    }
    change
        .db()
        .execute("INSERT INTO tags (name) VALUES (?1)", [name])?;
    let id = change.db().last_insert_rowid();
    change.log("tag.created", "tag", id, name)?;
    Ok(id)
}

/// Puts a tag on a ticket; one that is there already stays.
pub(crate) fn add_tag(change: &Change<'_>, ticket_id: i64, name: &str) -> Result<(), StoreError> {
    ticket(change.db(), ticket_id)?;
    if attach_tag(change, ticket_id, name)? {
        touch(change, ticket_id)?;
        change.log("tag.added", "ticket", ticket_id, name)?;
    }
    Ok(())
}

/// Links tag and ticket; `false` if they were linked before.
pub(super) fn attach_tag(
    change: &Change<'_>,
    ticket_id: i64,
    name: &str,
) -> Result<bool, StoreError> {
    let Some(tag) = find_tag(change.db(), name)? else {
        return Err(StoreError::invalid(
            "tag",
            format!("there is no tag \"{name}\""),
        ));
    };
    let added = change.db().execute(
        "INSERT OR IGNORE INTO ticket_tags (ticket_id, tag_id) VALUES (?1, ?2)",
        (ticket_id, tag),
    )?;
    Ok(added > 0)
}

/// Takes a tag off a ticket.
pub(crate) fn remove_tag(
    change: &Change<'_>,
    ticket_id: i64,
    name: &str,
) -> Result<(), StoreError> {
    ticket(change.db(), ticket_id)?;
    let removed = change.db().execute(
        "DELETE FROM ticket_tags WHERE ticket_id = ?1 AND tag_id = (SELECT id FROM tags WHERE name = ?2)",
        (ticket_id, name),
    )?;
    if removed == 0 {
        return Err(StoreError::not_found("tag", name));
    }
    touch(change, ticket_id)?;
    change.log("tag.removed", "ticket", ticket_id, name)
}

/// Merges a duplicate into the ticket that is kept: the duplicate is closed and points to it, and
/// the kept one gets an internal comment that says so.
pub(crate) fn merge(change: &Change<'_>, duplicate: i64, kept: i64) -> Result<(), StoreError> {
    let source = ticket(change.db(), duplicate)?.ticket;
    if duplicate == kept {
        return Err(StoreError::invalid(
            "into",
            "a ticket cannot be merged into itself",
        ));
    }
    let target = match ticket(change.db(), kept) {
        Ok(detail) => detail.ticket,
        Err(StoreError::NotFound { .. }) => {
            return Err(StoreError::invalid(
                "into",
                format!("ticket {kept} does not exist"),
            ));
        }
        Err(error) => return Err(error),
    };
    if let Some(other) = source.merged_into {
        return Err(StoreError::invalid(
            "into",
            format!("ticket {duplicate} is already merged into {other}"),
        ));
    }
    if let Some(other) = target.merged_into {
        return Err(StoreError::invalid(
            "into",
            format!("ticket {kept} is itself merged into {other}"),
        ));
    }
    if source.customer.id != target.customer.id {
        return Err(StoreError::invalid(
            "into",
            "only tickets of the same customer can be merged",
        ));
    }
    change.db().execute(
        "UPDATE tickets SET merged_into = ?1, status = ?2, updated_at = ?3 WHERE id = ?4",
        (kept, Status::Closed, &change.now, duplicate),
    )?;
    change.log(
        "ticket.merged",
        "ticket",
        duplicate,
        &format!("into {kept}"),
    )?;
    let note = format!(
        "Ticket #{duplicate} was merged into this one: {}",
        source.subject
    );
    insert_comment(change, kept, &note, Visibility::Internal)?;
    Ok(())
}

fn find_tag(db: &Connection, name: &str) -> Result<Option<i64>, StoreError> {
    Ok(db
        .query_row("SELECT id FROM tags WHERE name = ?1", [name], |row| {
            row.get(0)
        })
        .optional()?)
}
