//! The dashboard, the handbook and the activity log.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

use super::frame::{Choice, Frame, PageError, Pager, Path, Query, page, when};
use crate::{
    model::{Activity, Agent, Article, Priority, Slice, Status, Ticket},
    query::ActivityQuery,
    store::{self, Dashboard, Order, Store, TicketFilter},
};

#[derive(Template)]
#[template(path = "dashboard.html")]
struct DashboardPage {
    frame: Frame,
    figures: Dashboard,
    urgent: Vec<Ticket>,
    agents: Vec<Agent>,
    activity: Vec<Activity>,
    /// The fullest bar of a chart, at least one.
    most_in_category: i64,
    most_of_agent: i64,
}

pub(super) async fn dashboard(State(store): State<Store>) -> Result<Response, PageError> {
    let (figures, urgent, agents, activity) = store
        .read(|db| {
            let urgent = TicketFilter {
                statuses: vec![Status::Open],
                priorities: vec![Priority::Urgent, Priority::High],
                order: Order::Priority,
                slice: Slice {
                    page: 1,
                    per_page: 8,
                },
                ..TicketFilter::default()
            };
            let latest = store::ActivityFilter {
                slice: Slice {
                    page: 1,
                    per_page: 8,
                },
                ..store::ActivityFilter::default()
            };
            Ok((
                store::dashboard(db)?,
                store::list_tickets(db, &urgent)?.items,
                store::agents(db)?,
                store::activity(db, &latest)?.items,
            ))
        })
        .await?;
    let template = DashboardPage {
        frame: Frame::new(&store, "dashboard", "Dashboard"),
        most_in_category: figures
            .by_category
            .iter()
            .map(|(_, count)| *count)
            .max()
            .unwrap_or(1),
        most_of_agent: agents
            .iter()
            .map(|agent| agent.open_tickets)
            .max()
            .unwrap_or(1)
            .max(1),
        figures,
        urgent,
        agents,
        activity,
    };
    Ok(page(StatusCode::OK, &template))
}

#[derive(Template)]
#[template(path = "handbook.html")]
struct HandbookPage {
    frame: Frame,
    articles: Vec<Article>,
}

pub(super) async fn handbook(State(store): State<Store>) -> Result<Response, PageError> {
    let articles = store.read(store::articles).await?;
    let frame = Frame::new(&store, "handbook", "Handbook");
    Ok(page(StatusCode::OK, &HandbookPage { frame, articles }))
}

#[derive(Template)]
#[template(path = "article.html")]
struct ArticlePage {
    frame: Frame,
    paragraphs: Vec<String>,
    updated: String,
}

pub(super) async fn article(
    State(store): State<Store>,
    Path(slug): Path<String>,
) -> Result<Response, PageError> {
    let article = store.read(move |db| store::article(db, &slug)).await?;
    let template = ArticlePage {
        frame: Frame::new(&store, "handbook", article.title),
        paragraphs: article.body.split("\n\n").map(str::to_owned).collect(),
        updated: when(&article.updated_at),
    };
    Ok(page(StatusCode::OK, &template))
}

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    lines: Vec<Activity>,
    pager: Pager,
    entities: Vec<Choice>,
}

pub(super) async fn activity(
    State(store): State<Store>,
    Query(query): Query<ActivityQuery>,
) -> Result<Response, PageError> {
    let filter = query.filter()?;
    let found = store.read(move |db| store::activity(db, &filter)).await?;
    let narrowed = if query.entity.is_empty() {
        String::new()
    } else if query.id.is_empty() {
        format!("entity={}&", query.entity)
    } else {
        // Both were checked by the filter: a known word and a number.
        format!("entity={}&id={}&", query.entity, query.id.trim())
    };
    let template = ActivityPage {
        frame: Frame::new(&store, "activity", "Activity"),
        pager: Pager::new(&found, "entries", |page| {
            format!("/activity?{narrowed}page={page}")
        }),
        lines: found.items,
        entities: Choice::of_words(["ticket", "customer", "agent", "tag"], &query.entity),
    };
    Ok(page(StatusCode::OK, &template))
}
