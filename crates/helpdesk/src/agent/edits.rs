//! Changes that the prompt describes completely.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    contract::Skill,
    play::{Edit, NewTicket},
    session::{Session, Stop},
};

pub(super) async fn make(session: &mut Session<'_>, edit: &Edit) -> Result<String, Stop> {
    match edit {
        Edit::Status { ticket, status } => {
            patch(session, &json!(ticket), json!({ "status": status })).await?;
            Ok(format!("Ticket {ticket} is {status}."))
        }
        Edit::Phone { customer, phone } => {
            let id = customer_id(session, customer).await?;
            let path = format!("api/customers/{id}");
            session
                .change(
                    "change the phone number",
                    Method::PATCH,
                    &path,
                    Some(json!({ "phone": phone })),
                )
                .await?;
            Ok(format!("The phone number of {customer} is {phone} now."))
        }
        Edit::PriorityOf {
            subject,
            company,
            priority,
        } => priority_of(session, subject, company, priority).await,
        Edit::AssignOldest { category, agent } => assign_oldest(session, category, agent).await,
        Edit::Reply {
            customer,
            about,
            message,
            status,
        } => reply(session, customer, about, message, status).await,
        Edit::Create(new) => create(session, new).await,
        Edit::TagBySubject { tag, phrases } => tag_by_subject(session, tag, phrases).await,
        Edit::TagByPlan { plan, tag } => {
            let open = session
                .list(
                    "list the open tickets",
                    "tickets",
                    "api/tickets?status=open",
                )
                .await?;
            let chosen = open
                .into_iter()
                .filter(|ticket| ticket["customer"]["plan"] == plan.as_str())
                .collect();
            tag_all(session, chosen, tag).await
        }
        Edit::PriorityByTag { tag, from, to } => priority_by_tag(session, tag, from, to).await,
        Edit::ShareLoad { from, to, limit } => share_load(session, from, to, *limit).await,
        Edit::ListOnTicket { ticket, category } => list_on_ticket(session, *ticket, category).await,
        Edit::AwaitingUs { category, priority } => awaiting_us(session, category, priority).await,
    }
}

async fn priority_of(
    session: &mut Session<'_>,
    subject: &str,
    company: &str,
    priority: &str,
) -> Result<String, Stop> {
    let found = session
        .list(
            "look for the subject",
            "tickets",
            &format!("api/tickets?q={}", encoded(subject)),
        )
        .await?;
    let ticket = found
        .iter()
        .find(|ticket| ticket["subject"] == subject && ticket["customer"]["company"] == company)
        .ok_or_else(|| Stop::GaveUp(format!("{company} has no ticket \"{subject}\"")))?;
    patch(session, &ticket["id"], json!({ "priority": priority })).await?;
    Ok(format!(
        "Ticket {} has the priority {priority} now.",
        ticket["id"]
    ))
}

async fn assign_oldest(
    session: &mut Session<'_>,
    category: &str,
    agent: &str,
) -> Result<String, Stop> {
    // The novice takes what is on top of the list, which shows the latest change first.
    let order = if session.skill == Skill::Novice {
        "updated"
    } else {
        "oldest"
    };
    let path = format!("api/tickets?status=open&category={category}&assignee=none&sort={order}");
    let found = session
        .list("list what has no assignee", "tickets", &path)
        .await?;
    let ticket = found
        .first()
        .ok_or_else(|| Stop::GaveUp(format!("every open {category} ticket is assigned")))?;
    let agent_id = agent_id(session, agent).await?;
    patch(session, &ticket["id"], json!({ "assignee_id": agent_id })).await?;
    Ok(format!("Ticket {} is assigned to {agent}.", ticket["id"]))
}

async fn reply(
    session: &mut Session<'_>,
    customer: &str,
    about: &str,
    message: &str,
    status: &str,
) -> Result<String, Stop> {
    let id = customer_id(session, customer).await?;
    let path = format!("api/tickets?customer={id}&status=open&q={}", encoded(about));
    let found = session
        .list("look for the ticket", "tickets", &path)
        .await?;
    let [ticket] = found.as_slice() else {
        return Err(Stop::GaveUp(format!(
            "{} open tickets of {customer} mention {about}",
            found.len()
        )));
    };
    let forgets = session.skill == Skill::Novice || session.distracted;
    if !forgets {
        let text = format!("Good news: {message}.");
        comment(session, &ticket["id"], &text, "public").await?;
    }
    patch(session, &ticket["id"], json!({ "status": status })).await?;
    Ok(format!(
        "{customer} is told, ticket {} is {status}.",
        ticket["id"]
    ))
}

async fn create(session: &mut Session<'_>, new: &NewTicket) -> Result<String, Stop> {
    let customer = customer_id(session, &new.customer).await?;
    let agent = agent_id(session, &new.agent).await?;
    // The novice leaves out what came last in a long sentence.
    let tags = if session.skill == Skill::Novice {
        vec![]
    } else {
        vec![new.tag.as_str()]
    };
    let body = json!({
        "subject": new.subject,
        "body": new.body,
        "customer_id": customer,
        "category": new.category,
        "priority": new.priority,
        "assignee_id": agent,
        "tags": tags,
    });
    let ticket = session
        .change("create the ticket", Method::POST, "api/tickets", Some(body))
        .await?;
    Ok(format!("Ticket {} is created.", ticket["id"]))
}

async fn tag_by_subject(
    session: &mut Session<'_>,
    tag: &str,
    phrases: &[String],
) -> Result<String, Stop> {
    // Who is distracted looks at the open tickets only.
    let statuses = if session.distracted {
        "open"
    } else {
        "open,pending"
    };
    let found = session
        .list(
            "list the tickets",
            "tickets",
            &format!("api/tickets?status={statuses}"),
        )
        .await?;
    let chosen = found
        .into_iter()
        .filter(|ticket| {
            let subject = ticket["subject"]
                .as_str()
                .unwrap_or_default()
                .to_lowercase();
            phrases
                .iter()
                .any(|phrase| subject.contains(&phrase.to_lowercase()))
        })
        .collect();
    tag_all(session, chosen, tag).await
}

async fn tag_all(
    session: &mut Session<'_>,
    tickets: Vec<Value>,
    tag: &str,
) -> Result<String, Stop> {
    let mut done = Vec::new();
    for ticket in tickets {
        if ticket["tags"]
            .as_array()
            .is_some_and(|tags| tags.iter().any(|known| known == tag))
        {
            continue;
        }
        add_tag(session, &ticket["id"], tag).await?;
        done.push(format!("#{}", ticket["id"]));
    }
    Ok(format!(
        "The tag {tag} was missing on {} tickets: {}.",
        done.len(),
        done.join(", ")
    ))
}

async fn priority_by_tag(
    session: &mut Session<'_>,
    tag: &str,
    from: &[String],
    to: &str,
) -> Result<String, Stop> {
    let path = format!(
        "api/tickets?status=open&tag={tag}&priority={}",
        from.join(",")
    );
    let found = session.list("list the tickets", "tickets", &path).await?;
    for ticket in &found {
        patch(session, &ticket["id"], json!({ "priority": to })).await?;
    }
    Ok(format!(
        "{} tickets have the priority {to} now.",
        found.len()
    ))
}

async fn share_load(
    session: &mut Session<'_>,
    from: &str,
    to: &str,
    limit: usize,
) -> Result<String, Stop> {
    let from_id = agent_id(session, from).await?;
    let to_id = agent_id(session, to).await?;
    let path = format!("api/tickets?status=open&assignee={from_id}&sort=newest");
    let theirs = session
        .list("list the open tickets", "tickets", &path)
        .await?;
    let movable = theirs
        .iter()
        .filter(|ticket| ticket["priority"] == "low" || ticket["priority"] == "normal");
    // The novice moves whatever may be moved.
    let surplus = if session.skill == Skill::Novice {
        theirs.len()
    } else {
        theirs.len().saturating_sub(limit)
    };
    let mut moved = Vec::new();
    for ticket in movable.take(surplus) {
        patch(session, &ticket["id"], json!({ "assignee_id": to_id })).await?;
        moved.push(format!("#{}", ticket["id"]));
    }
    Ok(format!("Moved from {from} to {to}: {}.", moved.join(", ")))
}

async fn list_on_ticket(
    session: &mut Session<'_>,
    ticket: i64,
    category: &str,
) -> Result<String, Stop> {
    let path = format!("api/tickets?status=open&category={category}&sort=number");
    let found = session
        .list("list the open tickets", "tickets", &path)
        .await?;
    let numbers: Vec<String> = found
        .iter()
        .map(|ticket| format!("#{}", ticket["id"]))
        .collect();
    let text = format!("Open {category} tickets: {}", numbers.join(", "));
    // The novice does not see the field for who may read it.
    let visibility = if session.skill == Skill::Novice {
        "public"
    } else {
        "internal"
    };
    comment(session, &json!(ticket), &text, visibility).await?;
    Ok(found.len().to_string())
}

async fn awaiting_us(
    session: &mut Session<'_>,
    category: &str,
    priority: &str,
) -> Result<String, Stop> {
    let path = format!("api/tickets?status=open&category={category}");
    let found = session
        .list("list the open tickets", "tickets", &path)
        .await?;
    let mut done = Vec::new();
    for row in found {
        let ticket = session
            .get("read the comments", &format!("api/tickets/{}", row["id"]))
            .await?;
        let newest = ticket["comments"]
            .as_array()
            .and_then(|comments| comments.last());
        let waiting = match newest {
            Some(comment) => comment["author_kind"] == "customer",
            // A ticket without a comment waits too, but it was not asked for.
            None => session.skill != Skill::Expert,
        };
        if waiting && ticket["priority"] != priority {
            patch(session, &row["id"], json!({ "priority": priority })).await?;
            done.push(format!("#{}", row["id"]));
        }
    }
    Ok(format!("Now {priority}: {}.", done.join(", ")))
}

/// Changes fields of a ticket.
pub(super) async fn patch(
    session: &mut Session<'_>,
    ticket: &Value,
    fields: Value,
) -> Result<(), Stop> {
    let path = format!("api/tickets/{ticket}");
    session
        .change("change the ticket", Method::PATCH, &path, Some(fields))
        .await
        .map(drop)
}

/// Writes a comment.
pub(super) async fn comment(
    session: &mut Session<'_>,
    ticket: &Value,
    text: &str,
    visibility: &str,
) -> Result<(), Stop> {
    let path = format!("api/tickets/{ticket}/comments");
    let body = json!({ "body": text, "visibility": visibility });
    session
        .change("write a comment", Method::POST, &path, Some(body))
        .await
        .map(drop)
}

/// Puts a tag on a ticket.
pub(super) async fn add_tag(
    session: &mut Session<'_>,
    ticket: &Value,
    tag: &str,
) -> Result<(), Stop> {
    let path = format!("api/tickets/{ticket}/tags/{tag}");
    session
        .change("add the tag", Method::PUT, &path, None)
        .await
        .map(drop)
}

/// The number of a customer with exactly this name.
pub(super) async fn customer_id(session: &mut Session<'_>, name: &str) -> Result<Value, Stop> {
    let path = format!("api/customers?q={}", encoded(name));
    let found = session
        .list("look for the customer", "customers", &path)
        .await?;
    by_name(&found, name)
}

/// The number of an agent with exactly this name.
pub(super) async fn agent_id(session: &mut Session<'_>, name: &str) -> Result<Value, Stop> {
    let agents = session.get("list the agents", "api/agents").await?;
    by_name(
        agents["agents"].as_array().map_or(&[][..], Vec::as_slice),
        name,
    )
}

fn by_name(rows: &[Value], name: &str) -> Result<Value, Stop> {
    rows.iter()
        .find(|row| row["name"] == name)
        .map(|row| row["id"].clone())
        .ok_or_else(|| Stop::GaveUp(format!("there is nobody called {name}")))
}

/// As a value in a query string.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
