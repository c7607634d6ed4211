//! The people: customers, who write tickets, and agents, who answer them.

use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::connection::{Change, StoreError};
use super::tickets::{MAX_TEXT, like_pattern, line};
use crate::model::{Agent, Customer, Plan, Rows, Slice};

const CUSTOMER: &str = "SELECT id, name, email, company, phone, plan, notes, \
    (SELECT count(*) FROM tickets WHERE customer_id = customers.id AND status = 'open'), created_at, updated_at \
    FROM customers";

const AGENT: &str = "SELECT id, name, email, team, available, \
    (SELECT count(*) FROM tickets WHERE assignee_id = agents.id AND status = 'open') FROM agents";

/// Which customers a list is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct CustomerFilter {
    /// Words in the name, company or e-mail address.
    pub(crate) search: Option<String>,
    pub(crate) plan: Option<Plan>,
    pub(crate) slice: Slice,
}

/// One page of customers by name.
pub(crate) fn customers(
    db: &Connection,
    filter: &CustomerFilter,
) -> Result<Rows<Customer>, StoreError> {
    let mut conditions = String::from("WHERE 1");
    let mut values = Vec::new();
    if let Some(plan) = filter.plan {
        conditions.push_str(" AND plan = ?");
        values.push(plan.as_str().to_owned());
    }
    for word in filter
        .search
        .iter()
        .flat_map(|search| search.split_whitespace())
    {
        conditions.push_str(" AND (name || ' ' || company || ' ' || email) LIKE ? ESCAPE '\\'");
        values.push(like_pattern(word));
    }
    let total = db.query_row(
        &format!("SELECT count(*) FROM customers {conditions}"),
        params_from_iter(&values),
        |row| row.get(0),
    )?;
    let Slice { page, per_page } = filter.slice;
    let mut statement = db.prepare_cached(&format!(
        "{CUSTOMER} {conditions} ORDER BY name, id LIMIT {per_page} OFFSET {}",
        filter.slice.offset()
    ))?;
    let items = statement
        .query_map(params_from_iter(&values), read_customer)?
        .collect::<Result<_, _>>()?;
    Ok(Rows {
        items,
        total,
        page,
        per_page,
    })
}

/// One customer.
pub(crate) fn customer(db: &Connection, id: i64) -> Result<Customer, StoreError> {
    db.query_row(&format!("{CUSTOMER} WHERE id = ?1"), [id], read_customer)
        .optional()?
        .ok_or_else(|| StoreError::not_found("customer", &id))
}

/// What a new customer is made of.
#[derive(Debug, Clone)]
pub(crate) struct NewCustomer {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) company: String,
    pub(crate) phone: String,
    pub(crate) plan: Plan,
    pub(crate) notes: String,
}

/// Creates a customer and gives its number.
pub(crate) fn create_customer(change: &Change<'_>, new: &NewCustomer) -> Result<i64, StoreError> {
    let name = line("name", &new.name)?;
    let email = free_email(change.db(), &new.email, None)?;
    let company = line("company", &new.company)?;
    change.db().execute(
        "INSERT INTO customers (name, email, company, phone, plan, notes, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        (
            name,
            email,
            company,
            new.phone.trim(),
            new.plan,
            notes(&new.notes)?,
            &change.now,
        ),
    )?;
    let id = change.db().last_insert_rowid();
    change.log("customer.created", "customer", id, name)?;
    Ok(id)
}

/// What is to become different about a customer.
#[derive(Debug, Clone, Default)]
pub(crate) struct CustomerPatch {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) plan: Option<Plan>,
    pub(crate) notes: Option<String>,
}

/// Changes a customer; nothing is written if everything is as asked for already.
pub(crate) fn update_customer(
    change: &Change<'_>,
    id: i64,
    patch: &CustomerPatch,
) -> Result<(), StoreError> {
    let before = customer(change.db(), id)?;
    let mut after = before.clone();
    if let Some(name) = &patch.name {
        line("name", name)?.clone_into(&mut after.name);
    }
    if let Some(email) = &patch.email {
        after.email = free_email(change.db(), email, Some(id))?;
    }
    if let Some(company) = &patch.company {
        line("company", company)?.clone_into(&mut after.company);
    }
    if let Some(phone) = &patch.phone {
        phone.trim().clone_into(&mut after.phone);
    }
    if let Some(plan) = patch.plan {
        after.plan = plan;
    }
    if let Some(text) = &patch.notes {
        after.notes = notes(text)?;
    }
    let changed: Vec<String> = [
        ("name", &before.name, &after.name),
        ("email", &before.email, &after.email),
        ("company", &before.company, &after.company),
        ("phone", &before.phone, &after.phone),
        ("plan", &before.plan.to_string(), &after.plan.to_string()),
        ("notes", &before.notes, &after.notes),
    ]
    .into_iter()
    .filter(|(_, old, new)| old != new)
    .map(|(field, old, new)| {
        if field == "notes" {
            "notes".to_owned()
        } else {
            format!("{field}: {old} → {new}")
        }
    })
    .collect();
    if changed.is_empty() {
        return Ok(());
    }
    change.db().execute(
        "UPDATE customers SET name = ?1, email = ?2, company = ?3, phone = ?4, plan = ?5, notes = ?6, updated_at = ?7 WHERE id = ?8",
        (&after.name, &after.email, &after.company, &after.phone, after.plan, &after.notes, &change.now, id),
    )?;
    change.log("customer.updated", "customer", id, &changed.join("; "))
}

/// All agents.
pub(crate) fn agents(db: &Connection) -> Result<Vec<Agent>, StoreError> {
    let mut statement = db.prepare_cached(&format!("{AGENT} ORDER BY id"))?;
    let rows = statement.query_map([], read_agent)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// One agent.
pub(crate) fn agent(db: &Connection, id: i64) -> Result<Agent, StoreError> {
    db.query_row(&format!("{AGENT} WHERE id = ?1"), [id], read_agent)
        .optional()?
        .ok_or_else(|| StoreError::not_found("agent", &id))
}

/// Marks an agent as available or away.
pub(crate) fn set_available(
    change: &Change<'_>,
    id: i64,
    available: bool,
) -> Result<(), StoreError> {
    let before = agent(change.db(), id)?;
    if before.available == available {
        return Ok(());
    }
    change.db().execute(
        "UPDATE agents SET available = ?1, updated_at = ?2 WHERE id = ?3",
        (available, &change.now, id),
    )?;
    let detail = if available { "back" } else { "away" };
    change.log("agent.updated", "agent", id, detail)
}

fn notes(text: &str) -> Result<String, StoreError> {
    let text = text.replace("\r\n", "\n").trim().to_owned();
    if text.len() > MAX_TEXT {
        return Err(StoreError::invalid(
            "notes",
            format!("notes is longer than {MAX_TEXT} bytes"),
        ));
    }
    Ok(text)
}

/// An address of the usual shape that no other customer has.
fn free_email(db: &Connection, text: &str, own: Option<i64>) -> Result<String, StoreError> {
    let email = line("email", text)?;
    let shaped = email
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
        && !email.contains(char::is_whitespace);
    if !shaped {
        return Err(StoreError::invalid(
            "email",
            format!("\"{email}\" is not an e-mail address"),
        ));
    }
    let owner: Option<i64> = db
        .query_row(
            "SELECT id FROM customers WHERE email = ?1",
            [email],
            |row| row.get(0),
        )
        .optional()?;
    match owner {
        Some(other) if Some(other) != own => Err(StoreError::invalid(
            "email",
            format!("customer {other} has this e-mail address already"),
        )),
        _ => Ok(email.to_owned()),
    }
}

fn read_customer(row: &Row<'_>) -> rusqlite::Result<Customer> {
    Ok(Customer {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        company: row.get(3)?,
        phone: row.get(4)?,
        plan: row.get(5)?,
        notes: row.get(6)?,
        open_tickets: row.get(7)?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    })
}

fn read_agent(row: &Row<'_>) -> rusqlite::Result<Agent> {
    Ok(Agent {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        team: row.get(3)?,
        available: row.get(4)?,
        open_tickets: row.get(5)?,
    })
}
