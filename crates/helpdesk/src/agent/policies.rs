//! Work that the handbook decides: read the page, take its numbers and words, and act on them.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use regex::Regex;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    contract::Skill,
    edits::{add_tag, agent_id, comment, customer_id, encoded, patch},
    play::Policy,
    session::{Session, Stop},
};

pub(super) async fn apply(session: &mut Session<'_>, policy: &Policy) -> Result<String, Stop> {
    match policy {
        Policy::Merge { customer, about } => merge(session, customer, about).await,
        Policy::CloseWaiting { comment } => close_waiting(session, comment).await,
        Policy::Away { agent, successor } => away(session, agent, successor).await,
        Policy::Refund { ticket } => refund(session, *ticket).await,
        Policy::AccountChange { ticket, refusal } => {
            account_change(session, *ticket, refusal).await
        }
    }
}

async fn merge(session: &mut Session<'_>, customer: &str, about: &str) -> Result<String, Stop> {
    let Some(rule) = session.handbook("duplicates").await? else {
        return Err(Stop::GaveUp(
            "I do not know how tickets are merged here".to_owned(),
        ));
    };
    let id = customer_id(session, customer).await?;
    // The month is what both tickets name; "being charged twice" they say in their own words.
    let word = about.split_whitespace().last().unwrap_or(about);
    let path = format!(
        "api/tickets?customer={id}&status=open,pending&sort=oldest&q={}",
        encoded(word)
    );
    let found = session
        .list("look for the tickets", "tickets", &path)
        .await?;
    let [older, newer] = found.as_slice() else {
        return Err(Stop::GaveUp(format!(
            "{} tickets of {customer} are about {about}, not two",
            found.len()
        )));
    };
    let (kept, duplicate) = if rule.contains("Keep the older one") {
        (older, newer)
    } else {
        (newer, older)
    };
    let path = format!("api/tickets/{}/merge", duplicate["id"]);
    session
        .change(
            "merge the duplicate",
            Method::POST,
            &path,
            Some(json!({ "into": kept["id"] })),
        )
        .await?;
    Ok(format!(
        "Ticket {} is merged into {}.",
        duplicate["id"], kept["id"]
    ))
}

async fn close_waiting(session: &mut Session<'_>, text: &str) -> Result<String, Stop> {
    let rule = session.handbook("waiting").await?.unwrap_or_default();
    let exempt = match captured(&rule, r"Tickets with the tag ([a-z-]+) are never closed") {
        // The regular reads the first half of the page.
        Some(tag) if session.skill == Skill::Expert => tag,
        _ => String::new(),
    };
    let today = today(session).await?;
    let latest = today.saturating_sub(14.days());
    let pending = session
        .list(
            "list the pending tickets",
            "tickets",
            "api/tickets?status=pending&sort=oldest",
        )
        .await?;
    let mut closed = Vec::new();
    for ticket in pending {
        let updated = day_of(&ticket["updated_at"])?;
        let is_exempt = ticket["tags"]
            .as_array()
            .is_some_and(|tags| tags.iter().any(|tag| tag == exempt.as_str()));
        if updated > latest || is_exempt {
            continue;
        }
        if session.skill != Skill::Novice {
            comment(session, &ticket["id"], text, "public").await?;
        }
        patch(session, &ticket["id"], json!({ "status": "closed" })).await?;
        closed.push(format!("#{}", ticket["id"]));
    }
    Ok(format!("Closed: {}.", closed.join(", ")))
}

async fn away(session: &mut Session<'_>, agent: &str, successor: &str) -> Result<String, Stop> {
    let rule = session.handbook("away").await?;
    let agent = agent_id(session, agent).await?;
    let successor_id = agent_id(session, successor).await?;
    let mut path = format!("api/tickets?status=open&assignee={agent}");
    if let Some(priorities) = rule
        .as_deref()
        .and_then(|rule| captured(rule, r"with the priorities (\w+ and \w+)"))
    {
        path.push_str("&priority=");
        path.push_str(&priorities.replace(" and ", ","));
    }
    if rule.is_some_and(|rule| rule.contains("Mark the colleague as away")) {
        let body = json!({ "available": false });
        session
            .change(
                "mark as away",
                Method::PATCH,
                &format!("api/agents/{agent}"),
                Some(body),
            )
            .await?;
    }
    let found = session
        .list("list the open tickets", "tickets", &path)
        .await?;
    for ticket in &found {
        patch(
            session,
            &ticket["id"],
            json!({ "assignee_id": successor_id }),
        )
        .await?;
    }
    Ok(format!("{successor} has {} more tickets.", found.len()))
}

async fn refund(session: &mut Session<'_>, id: i64) -> Result<String, Stop> {
    let rule = session.handbook("refund-policy").await?;
    let ticket = session
        .get("read the ticket", &format!("api/tickets/{id}"))
        .await?;
    let Some(rule) = rule else {
        // The novice wants to be kind.
        return grant(session, &ticket).await;
    };
    let body = ticket["body"].as_str().unwrap_or_default();
    let unclear = || Stop::GaveUp("the ticket or the policy does not say enough".to_owned());
    let invoiced = captured(body, r"dated (\d+ \w+ \d{4})")
        .and_then(|date| Date::strptime("%d %B %Y", date).ok())
        .ok_or_else(unclear)?;
    let amount: f64 = captured(body, r"EUR ([\d.]+\d)")
        .and_then(|euros| euros.parse().ok())
        .ok_or_else(unclear)?;
    let asked = day_of(&ticket["created_at"])?;
    let usual: i64 = captured(&rule, r"no more than (\d+) days")
        .and_then(|days| days.parse().ok())
        .ok_or_else(unclear)?;
    let longer: Option<i64> =
        captured(&rule, r"business plan have (\d+) days").and_then(|days| days.parse().ok());
    let limit: f64 = captured(&rule, r"up to EUR (\d+)")
        .and_then(|euros| euros.parse().ok())
        .ok_or_else(unclear)?;
    // The exception for the business plan is what the regular overlooks.
    let days = match longer {
        Some(days)
            if session.skill == Skill::Expert && ticket["customer"]["plan"] == "business" =>
        {
            days
        }
        _ => usual,
    };
    if asked > invoiced.saturating_add(days.days()) {
        let text = "I am sorry, this request is outside the refund window, so we cannot refund it.";
        comment(session, &ticket["id"], text, "public").await?;
        patch(session, &ticket["id"], json!({ "status": "closed" })).await?;
        return Ok(format!(
            "The refund in ticket {id} is declined: the invoice is too old."
        ));
    }
    if amount <= limit {
        return grant(session, &ticket).await;
    }
    let agents = session.get("look for the team lead", "api/agents").await?;
    let lead = agents["agents"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|agent| agent["team"] == "lead")
        .ok_or_else(|| Stop::GaveUp("there is no team lead".to_owned()))?;
    add_tag(session, &ticket["id"], "refund").await?;
    add_tag(session, &ticket["id"], "escalated").await?;
    patch(
        session,
        &ticket["id"],
        json!({ "priority": "high", "assignee_id": lead["id"] }),
    )
    .await?;
    Ok(format!(
        "The refund in ticket {id} is for the team lead to decide."
    ))
}

async fn grant(session: &mut Session<'_>, ticket: &Value) -> Result<String, Stop> {
    comment(
        session,
        &ticket["id"],
        "Good news, refund approved. You will have the money within a week.",
        "public",
    )
    .await?;
    add_tag(session, &ticket["id"], "refund").await?;
    patch(session, &ticket["id"], json!({ "status": "resolved" })).await?;
    Ok(format!("The refund in ticket {} is granted.", ticket["id"]))
}

async fn account_change(session: &mut Session<'_>, id: i64, refusal: &str) -> Result<String, Stop> {
    let rule = session.handbook("account-changes").await?;
    let ticket = session
        .get("read the ticket", &format!("api/tickets/{id}"))
        .await?;
    let path = format!("api/customers/{}", ticket["customer"]["id"]);
    let customer = session.get("read the customer", &path).await?;
    let body = ticket["body"].as_str().unwrap_or_default();
    let sender = captured(body, r"Sent from: (\S+@\S+[a-z])")
        .ok_or_else(|| Stop::GaveUp("the ticket does not say where it was sent from".to_owned()))?;
    let only_from_file =
        rule.is_some_and(|rule| rule.contains("only if the request was sent from the address"));
    if only_from_file && customer["email"] != sender.as_str() {
        return Ok(refusal.to_owned());
    }
    session
        .change(
            "change the address",
            Method::PATCH,
            &path,
            Some(json!({ "email": sender })),
        )
        .await?;
    Ok("The address is changed.".to_owned())
}

async fn today(session: &mut Session<'_>) -> Result<Date, Stop> {
    let stats = session.get("see which day it is", "api/stats").await?;
    stats["today"]
        .as_str()
        .and_then(|day| day.parse().ok())
        .ok_or_else(|| Stop::GaveUp("the desk does not say which day it is".to_owned()))
}

fn day_of(timestamp: &Value) -> Result<Date, Stop> {
    timestamp
        .as_str()
        .and_then(|text| text.parse::<Timestamp>().ok())
        .map(|time| time.to_zoned(TimeZone::UTC).date())
        .ok_or_else(|| Stop::GaveUp(format!("{timestamp} is not a time")))
}

fn captured(text: &str, pattern: &str) -> Option<String> {
    Regex::new(pattern)
        .expect("a literal, and the tests of the tasks use each")
        .captures(text)
        .map(|found| found[1].to_owned())
}
