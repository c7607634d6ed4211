//! Questions: read, and answer without changing anything.

use regex::Regex;

use super::{
    contract::Skill,
    play::Lookup,
    session::{Session, Stop},
};

pub(super) async fn answer(session: &mut Session<'_>, lookup: &Lookup) -> Result<String, Stop> {
    match lookup {
        Lookup::Assignee { ticket } => {
            let ticket = session
                .get("open the ticket", &format!("api/tickets/{ticket}"))
                .await?;
            Ok(ticket["assignee"]["name"]
                .as_str()
                .unwrap_or("nobody")
                .to_owned())
        }
        Lookup::CountOpen { priority } => {
            let found = session
                .get(
                    "count the tickets",
                    &format!("api/tickets?status=open&priority={priority}&per_page=1"),
                )
                .await?;
            Ok(found["total"].to_string())
        }
        Lookup::DisputedAmount { invoice } => disputed_amount(session, invoice).await,
        Lookup::BusiestAgent => busiest_agent(session).await,
    }
}

async fn disputed_amount(session: &mut Session<'_>, invoice: &str) -> Result<String, Stop> {
    let found = session
        .list(
            "look for the invoice",
            "tickets",
            &format!("api/tickets?q={invoice}"),
        )
        .await?;
    for row in found {
        let ticket = session
            .get("read the ticket", &format!("api/tickets/{}", row["id"]))
            .await?;
        let body = ticket["body"].as_str().unwrap_or_default();
        // The novice takes the first amount that it sees.
        let pattern = if session.skill == Skill::Novice {
            r"EUR ([\d.]+\d)"
        } else {
            r"dispute EUR ([\d.]+\d)"
        };
        let pattern = Regex::new(pattern).expect("a literal");
        if let Some(amount) = pattern.captures(body) {
            return Ok(amount[1].to_owned());
        }
    }
    Err(Stop::GaveUp(format!(
        "I found no disputed amount for {invoice}"
    )))
}

async fn busiest_agent(session: &mut Session<'_>) -> Result<String, Stop> {
    let agents = session.get("list the agents", "api/agents").await?;
    let names: Vec<String> = agents["agents"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|agent| agent["name"].as_str().map(str::to_owned))
        .collect();
    let open = session
        .list(
            "list the open tickets",
            "tickets",
            "api/tickets?status=open",
        )
        .await?;
    let count = |name: &String| {
        open.iter()
            .filter(|ticket| ticket["assignee"]["name"] == name.as_str())
            .count()
    };
    let busiest = names.iter().max_by_key(|name| count(name));
    match busiest {
        Some(name) => Ok(format!("{name}: {}", count(name))),
        None => Err(Stop::GaveUp("there are no agents".to_owned())),
    }
}
