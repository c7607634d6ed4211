//! Tickets: listing with filters, reading one, creating and changing.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params_from_iter};

use super::connection::{Change, StoreError};
use super::talk;
use crate::model::{
    AgentRef, Assignment, Category, CustomerRef, Priority, Rows, Slice, Status, Ticket,
    TicketDetail,
};

/// A subject is a line.
const MAX_SUBJECT: usize = 200;
/// Longer texts belong in an attachment.
pub(super) const MAX_TEXT: usize = 20_000;

const COLUMNS: &str = "tickets.id, tickets.subject, tickets.status, tickets.priority, tickets.category, \
    customers.id, customers.name, customers.company, customers.plan, agents.id, agents.name, \
    (SELECT group_concat(name, ',') FROM (SELECT tags.name FROM ticket_tags JOIN tags ON tags.id = ticket_tags.tag_id \
     WHERE ticket_tags.ticket_id = tickets.id ORDER BY tags.name)), \
    tickets.merged_into, tickets.created_at, tickets.updated_at";

const SOURCE: &str = "FROM tickets JOIN customers ON customers.id = tickets.customer_id \
    LEFT JOIN agents ON agents.id = tickets.assignee_id";

/// Which assignees a list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assigned {
    To(i64),
    ToNobody,
}

/// In which order a list comes; ties are broken by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    /// Latest change first.
    #[default]
    Updated,
    Oldest,
    Newest,
    /// Urgent first.
    Priority,
    Number,
}

impl Order {
    pub(crate) const ALL: &[(Self, &str, &str)] = &[
        (Self::Updated, "updated", "Updated"),
        (Self::Newest, "newest", "Newest"),
        (Self::Oldest, "oldest", "Oldest"),
        (Self::Priority, "priority", "Urgent first"),
        (Self::Number, "number", "Number"),
    ];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, word, _)| *word == text)
            .map(|(order, ..)| *order)
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Updated => "tickets.updated_at DESC, tickets.id DESC",
            Self::Oldest => "tickets.created_at, tickets.id",
            Self::Newest => "tickets.created_at DESC, tickets.id DESC",
            Self::Priority => {
                "CASE tickets.priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END, \
                 tickets.updated_at DESC, tickets.id"
            }
            Self::Number => "tickets.id",
        }
    }
}

/// What a list of tickets is narrowed to; an empty filter is everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct TicketFilter {
    /// Any of these; empty is all.
    pub(crate) statuses: Vec<Status>,
    pub(crate) priorities: Vec<Priority>,
    pub(crate) category: Option<Category>,
    pub(crate) assigned: Option<Assigned>,
    pub(crate) customer: Option<i64>,
    pub(crate) tag: Option<String>,
    /// Words in the subject, the text, or the customer's name or company; or a ticket number.
    pub(crate) search: Option<String>,
    pub(crate) order: Order,
    pub(crate) slice: Slice,
}

impl TicketFilter {
    fn conditions(&self) -> (String, Vec<Box<dyn ToSql>>) {
        let mut sql = String::from("WHERE 1");
        let mut values: Vec<Box<dyn ToSql>> = Vec::new();
        let mut one_of = |column: &str, words: Vec<&'static str>| {
            if !words.is_empty() {
                // The words are our own literals, never the caller's text.
                sql.push_str(" AND ");
                sql.push_str(column);
                sql.push_str(" IN ('");
                sql.push_str(&words.join("', '"));
                sql.push_str("')");
            }
        };
        one_of(
            "tickets.status",
            self.statuses.iter().map(|status| status.as_str()).collect(),
        );
        one_of(
            "tickets.priority",
            self.priorities
                .iter()
                .map(|priority| priority.as_str())
                .collect(),
        );
        one_of(
            "tickets.category",
            self.category
                .iter()
                .map(|category| category.as_str())
                .collect(),
        );
        match self.assigned {
            Some(Assigned::To(id)) => {
                sql.push_str(" AND tickets.assignee_id = ?");
                values.push(Box::new(id));
            }
            Some(Assigned::ToNobody) => sql.push_str(" AND tickets.assignee_id IS NULL"),
            None => {}
        }
        if let Some(id) = self.customer {
            sql.push_str(" AND tickets.customer_id = ?");
            values.push(Box::new(id));
        }
        if let Some(tag) = &self.tag {
            sql.push_str(
                " AND tickets.id IN (SELECT ticket_id FROM ticket_tags JOIN tags ON tags.id = tag_id WHERE tags.name = ?)",
            );
            values.push(Box::new(tag.clone()));
        }
        for word in self
            .search
            .iter()
            .flat_map(|search| search.split_whitespace())
        {
            if let Some(Ok(number)) = word.strip_prefix('#').map(str::parse::<i64>) {
                sql.push_str(" AND tickets.id = ?");
                values.push(Box::new(number));
                continue;
            }
            sql.push_str(" AND (");
            for (index, column) in [
                "tickets.subject",
                "tickets.body",
                "customers.name",
                "customers.company",
            ]
            .into_iter()
            .enumerate()
            {
                if index > 0 {
                    sql.push_str(" OR ");
                }
                sql.push_str(column);
                sql.push_str(" LIKE ? ESCAPE '\\'");
                values.push(Box::new(like_pattern(word)));
            }
            sql.push(')');
        }
        (sql, values)
    }
}

/// `word` anywhere in a text, with LIKE's own signs taken literally.
pub(super) fn like_pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for character in word.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// One page of the tickets that the filter lets through.
pub(crate) fn list_tickets(
    db: &Connection,
    filter: &TicketFilter,
) -> Result<Rows<Ticket>, StoreError> {
    let (conditions, values) = filter.conditions();
    let total = db.query_row(
        &format!("SELECT count(*) {SOURCE} {conditions}"),
        params_from_iter(values.iter()),
        |row| row.get(0),
    )?;
    let Slice { per_page, page } = filter.slice;
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} {SOURCE} {conditions} ORDER BY {} LIMIT {per_page} OFFSET {}",
        filter.order.sql(),
        filter.slice.offset(),
    ))?;
    let items = statement
        .query_map(params_from_iter(values.iter()), read_ticket)?
        .collect::<Result<_, _>>()?;
    Ok(Rows {
        items,
        total,
        page,
        per_page,
    })
}

/// One ticket with its comments.
pub(crate) fn ticket(db: &Connection, id: i64) -> Result<TicketDetail, StoreError> {
    let found = db
        .query_row(
            &format!("SELECT {COLUMNS}, tickets.body {SOURCE} WHERE tickets.id = ?1"),
            [id],
            |row| Ok((read_ticket(row)?, row.get(15)?)),
        )
        .optional()?;
    let Some((ticket, body)) = found else {
        return Err(StoreError::not_found("ticket", &id));
    };
    Ok(TicketDetail {
        ticket,
        body,
        comments: talk::comments(db, id)?,
    })
}

/// What a new ticket is made of.
#[derive(Debug, Clone)]
pub(crate) struct NewTicket {
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) customer_id: i64,
    pub(crate) priority: Priority,
    pub(crate) category: Category,
    pub(crate) assignee: Option<i64>,
    pub(crate) tags: Vec<String>,
}

/// Creates an open ticket and gives its number.
pub(crate) fn create_ticket(change: &Change<'_>, new: &NewTicket) -> Result<i64, StoreError> {
    let subject = line("subject", &new.subject)?;
    let body = text("body", &new.body)?;
    exists(
        change.db(),
        "customers",
        "customer_id",
        "customer",
        new.customer_id,
    )?;
    if let Some(agent) = new.assignee {
        exists(change.db(), "agents", "assignee_id", "agent", agent)?;
    }
    change.db().execute(
        "INSERT INTO tickets (subject, body, customer_id, assignee_id, status, priority, category, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, 'open', ?5, ?6, ?7, ?7)",
        (subject, body, new.customer_id, new.assignee, new.priority, new.category, &change.now),
    )?;
    let id = change.db().last_insert_rowid();
    change.log("ticket.created", "ticket", id, subject)?;
    for tag in &new.tags {
        talk::attach_tag(change, id, tag)?;
    }
    Ok(id)
}

/// What is to become different about a ticket.
#[derive(Debug, Clone, Default)]
pub(crate) struct TicketPatch {
    pub(crate) subject: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) priority: Option<Priority>,
    pub(crate) category: Option<Category>,
    pub(crate) assignee: Assignment,
}

/// Changes a ticket. What is already as asked for is not touched; if that is everything, nothing
/// is written at all.
pub(crate) fn update_ticket(
    change: &Change<'_>,
    id: i64,
    patch: &TicketPatch,
) -> Result<(), StoreError> {
    let before = ticket(change.db(), id)?.ticket;
    let mut notes = Vec::new();
    if let Some(subject) = &patch.subject {
        let subject = line("subject", subject)?;
        if subject != before.subject {
            set(change, id, "subject", &subject)?;
            notes.push(format!("subject: {} → {subject}", before.subject));
        }
    }
    if let Some(status) = patch.status
        && status != before.status
    {
        if let Some(target) = before.merged_into {
            return Err(StoreError::invalid(
                "status",
                format!("ticket {id} was merged into {target} and stays closed"),
            ));
        }
        set(change, id, "status", &status)?;
        notes.push(format!("status: {} → {status}", before.status));
    }
    if let Some(priority) = patch.priority
        && priority != before.priority
    {
        set(change, id, "priority", &priority)?;
        notes.push(format!("priority: {} → {priority}", before.priority));
    }
    if let Some(category) = patch.category
        && category != before.category
    {
        set(change, id, "category", &category)?;
        notes.push(format!("category: {} → {category}", before.category));
    }
    let assignee = match patch.assignee {
        Assignment::Keep => before.assignee.as_ref().map(|agent| agent.id),
        Assignment::Nobody => None,
        Assignment::To(agent) => Some(agent),
    };
    if assignee != before.assignee.as_ref().map(|agent| agent.id) {
        let name = match assignee {
            Some(agent) => exists(change.db(), "agents", "assignee_id", "agent", agent)?,
            None => "nobody".to_owned(),
        };
        set(change, id, "assignee_id", &assignee)?;
        let old = before
            .assignee
            .map_or_else(|| "nobody".to_owned(), |agent| agent.name);
        notes.push(format!("assignee: {old} → {name}"));
    }
    if notes.is_empty() {
        return Ok(());
    }
    touch(change, id)?;
    change.log("ticket.updated", "ticket", id, &notes.join("; "))
}

/// Sets the time of the latest change.
pub(super) fn touch(change: &Change<'_>, id: i64) -> Result<(), StoreError> {
    set(change, id, "updated_at", &change.now)
}

/// A non-empty text of one line.
pub(super) fn line<'a>(field: &'static str, value: &'a str) -> Result<&'a str, StoreError> {
    let value = value.trim();
    if value.is_empty() {
        return Err(StoreError::invalid(
            field,
            format!("{} must not be empty", field.replace('_', " ")),
        ));
    }
    if value.chars().count() > MAX_SUBJECT || value.contains(['\n', '\r']) {
        return Err(StoreError::invalid(
            field,
            format!("{field} must be one line of at most {MAX_SUBJECT} characters"),
        ));
    }
    Ok(value)
}

/// A non-empty text. Browsers send CR LF in forms; the database holds LF only.
pub(super) fn text(field: &'static str, value: &str) -> Result<String, StoreError> {
    let value = value.replace("\r\n", "\n").trim().to_owned();
    if value.is_empty() {
        return Err(StoreError::invalid(
            field,
            format!("{field} must not be empty"),
        ));
    }
    if value.len() > MAX_TEXT {
        return Err(StoreError::invalid(
            field,
            format!("{field} is longer than {MAX_TEXT} bytes"),
        ));
    }
    Ok(value)
}

fn set(change: &Change<'_>, id: i64, column: &str, value: &dyn ToSql) -> Result<(), StoreError> {
    change.db().execute(
        &format!("UPDATE tickets SET {column} = ?1 WHERE id = ?2"),
        rusqlite::params![value, id],
    )?;
    Ok(())
}

/// The name behind a number that a caller gave; a wrong number is the caller's mistake.
fn exists(
    db: &Connection,
    table: &str,
    field: &'static str,
    entity: &str,
    id: i64,
) -> Result<String, StoreError> {
    db.query_row(
        &format!("SELECT name FROM {table} WHERE id = ?1"),
        [id],
        |row| row.get(0),
    )
    .optional()?
    .ok_or_else(|| StoreError::invalid(field, format!("{entity} {id} does not exist")))
}

fn read_ticket(row: &Row<'_>) -> rusqlite::Result<Ticket> {
    let agent: Option<i64> = row.get(9)?;
    let tags: Option<String> = row.get(11)?;
    Ok(Ticket {
        id: row.get(0)?,
        subject: row.get(1)?,
        status: row.get(2)?,
        priority: row.get(3)?,
        category: row.get(4)?,
        customer: CustomerRef {
            id: row.get(5)?,
            name: row.get(6)?,
            company: row.get(7)?,
            plan: row.get(8)?,
        },
        assignee: match agent {
            Some(id) => Some(AgentRef {
                id,
                name: row.get(10)?,
            }),
            None => None,
        },
        tags: tags
            .map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        merged_into: row.get(12)?,
        created_at: row.get(13)?,
        updated_at: row.get(14)?,
    })
}
