//! The pages of tickets that exist: the list, and one ticket with its forms.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::frame::{Choice, Form, Frame, PageError, Pager, Path, Query, done, page};
use crate::{
    model::{
        Agent, Assignment, Category, Priority, Slice, Status, Ticket, TicketDetail, Visibility,
    },
    query::TicketQuery,
    store::{self, NewComment, Order, Store, StoreError, TicketFilter, TicketPatch},
};

fn statuses(chosen: &str) -> Vec<Choice> {
    Choice::of_words(Status::ALL.iter().map(|word| word.as_str()), chosen)
}

pub(super) fn priorities(chosen: &str) -> Vec<Choice> {
    Choice::of_words(Priority::ALL.iter().map(|word| word.as_str()), chosen)
}

pub(super) fn categories(chosen: &str) -> Vec<Choice> {
    Choice::of_words(Category::ALL.iter().map(|word| word.as_str()), chosen)
}

pub(super) fn assignees(agents: &[Agent], nobody: &str, chosen: &str) -> Vec<Choice> {
    let mut choices = vec![Choice::new(nobody, "Nobody", chosen)];
    choices.extend(agents.iter().map(|agent| {
        let label = if agent.available {
            agent.name.clone()
        } else {
            format!("{} (away)", agent.name)
        };
        Choice::new(&agent.id, &label, chosen)
    }));
    choices
}

#[derive(Template)]
#[template(path = "tickets.html")]
struct ListPage {
    frame: Frame,
    query: TicketQuery,
    tickets: Vec<Ticket>,
    pager: Pager,
    statuses: Vec<Choice>,
    priorities: Vec<Choice>,
    categories: Vec<Choice>,
    assignees: Vec<Choice>,
    tags: Vec<Choice>,
    orders: Vec<Choice>,
}

pub(super) async fn list(
    State(store): State<Store>,
    Query(query): Query<TicketQuery>,
) -> Result<Response, PageError> {
    let filter = query.filter()?;
    let (found, agents, tags) = store
        .read(move |db| {
            Ok((
                store::list_tickets(db, &filter)?,
                store::agents(db)?,
                store::tags(db)?,
            ))
        })
        .await?;
    let template = ListPage {
        frame: Frame::new(&store, "tickets", "Tickets").done(&query.done),
        pager: Pager::new(&found, "tickets", |page| {
            format!("/tickets?{}", query.link(page))
        }),
        statuses: statuses(&query.status),
        priorities: priorities(&query.priority),
        categories: categories(&query.category),
        assignees: assignees(&agents, "none", &query.assignee),
        tags: Choice::of_words(tags.iter().map(|tag| tag.name.as_str()), &query.tag)
            .into_iter()
            .map(|choice| Choice {
                label: choice.value.clone(),
                ..choice
            })
            .collect(),
        orders: Order::ALL
            .iter()
            .map(|(_, word, label)| Choice::new(*word, *label, &query.sort))
            .collect(),
        tickets: found.items,
        query,
    };
    Ok(page(StatusCode::OK, &template))
}

#[derive(Template)]
#[template(path = "ticket.html")]
struct TicketPage {
    frame: Frame,
    ticket: Ticket,
    paragraphs: Vec<String>,
    comments: Vec<crate::model::Comment>,
    activity: Vec<crate::model::Activity>,
    statuses: Vec<Choice>,
    priorities: Vec<Choice>,
    categories: Vec<Choice>,
    assignees: Vec<Choice>,
    free_tags: Vec<String>,
    siblings: Vec<Ticket>,
    /// What was typed into the comment field of a form that was refused.
    draft: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Outcome {
    done: String,
}

pub(super) async fn show(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Query(outcome): Query<Outcome>,
) -> Result<Response, PageError> {
    let template = ticket_page(&store, id).await?;
    Ok(page(
        StatusCode::OK,
        &TicketPage {
            frame: template.frame.done(&outcome.done),
            ..template
        },
    ))
}

async fn ticket_page(store: &Store, id: i64) -> Result<TicketPage, PageError> {
    let (detail, agents, tags, activity, siblings) = store
        .read(move |db| {
            let detail = store::ticket(db, id)?;
            let filter = TicketFilter {
                customer: Some(detail.ticket.customer.id),
                order: Order::Newest,
                slice: Slice {
                    page: 1,
                    per_page: 12,
                },
                ..TicketFilter::default()
            };
            let about = store::ActivityFilter {
                about: Some(("ticket".into(), Some(id))),
                slice: Slice {
                    page: 1,
                    per_page: 8,
                },
            };
            Ok((
                detail,
                store::agents(db)?,
                store::tags(db)?,
                store::activity(db, &about)?.items,
                store::list_tickets(db, &filter)?.items,
            ))
        })
        .await?;
    let TicketDetail {
        ticket,
        body,
        comments,
    } = detail;
    let assignee = ticket
        .assignee
        .as_ref()
        .map_or_else(String::new, |agent| agent.id.to_string());
    Ok(TicketPage {
        frame: Frame::new(store, "tickets", format!("#{id} {}", ticket.subject)),
        statuses: statuses(ticket.status.as_str()),
        priorities: priorities(ticket.priority.as_str()),
        categories: categories(ticket.category.as_str()),
        assignees: assignees(&agents, "", &assignee),
        free_tags: tags
            .into_iter()
            .map(|tag| tag.name)
            .filter(|name| !ticket.tags.contains(name))
            .collect(),
        siblings: siblings
            .into_iter()
            .filter(|other| other.id != id)
            .collect(),
        paragraphs: body.split("\n\n").map(str::to_owned).collect(),
        ticket,
        comments,
        activity,
        draft: String::new(),
    })
}

/// After a form: back to the ticket if it was taken, the ticket with the reason if it was not.
async fn after(
    store: &Store,
    id: i64,
    word: &str,
    result: Result<(), StoreError>,
    draft: &str,
) -> Result<Response, PageError> {
    match result {
        Ok(()) => Ok(done(&format!("/tickets/{id}"), word)),
        Err(error @ StoreError::Invalid { .. }) => {
            let template = ticket_page(store, id).await?;
            let frame = template.frame.problem(&error);
            Ok(page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &TicketPage {
                    frame,
                    draft: draft.to_owned(),
                    ..template
                },
            ))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UpdateForm {
    status: String,
    priority: String,
    category: String,
    assignee: String,
}

pub(super) async fn update(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Form(form): Form<UpdateForm>,
) -> Result<Response, PageError> {
    let patch = patch(&form);
    let result = match patch {
        Ok(patch) => {
            store
                .write(move |change| store::update_ticket(change, id, &patch))
                .await
        }
        Err(error) => Err(error),
    };
    after(&store, id, "saved", result, "").await
}

fn patch(form: &UpdateForm) -> Result<TicketPatch, StoreError> {
    Ok(TicketPatch {
        subject: None,
        status: Some(chosen("status", Status::parse(&form.status))?),
        priority: Some(chosen("priority", Priority::parse(&form.priority))?),
        category: Some(chosen("category", Category::parse(&form.category))?),
        assignee: match optional_id("assignee", &form.assignee)? {
            Some(id) => Assignment::To(id),
            None => Assignment::Nobody,
        },
    })
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CommentForm {
    body: String,
    visibility: String,
}

pub(super) async fn comment(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Form(form): Form<CommentForm>,
) -> Result<Response, PageError> {
    let result = match Visibility::parse(&form.visibility).ok_or_else(|| {
        StoreError::invalid(
            "visibility",
            format!("visibility must be one of {}", Visibility::choices()),
        )
    }) {
        Ok(visibility) => {
            let new = NewComment {
                body: form.body.clone(),
                visibility,
            };
            store
                .write(move |change| store::add_comment(change, id, &new).map(drop))
                .await
        }
        Err(error) => Err(error),
    };
    after(&store, id, "commented", result, &form.body).await
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TagForm {
    tag: String,
}

pub(super) async fn tag(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Form(form): Form<TagForm>,
) -> Result<Response, PageError> {
    let result = store
        .write(move |change| store::add_tag(change, id, &form.tag))
        .await;
    after(&store, id, "tagged", result, "").await
}

pub(super) async fn untag(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Form(form): Form<TagForm>,
) -> Result<Response, PageError> {
    let result = store
        .write(move |change| store::remove_tag(change, id, &form.tag))
        .await;
    after(&store, id, "untagged", result, "").await
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MergeForm {
    into: String,
}

pub(super) async fn merge(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Form(form): Form<MergeForm>,
) -> Result<Response, PageError> {
    let result = match optional_id("into", form.into.trim().trim_start_matches('#')) {
        Ok(Some(into)) => {
            store
                .write(move |change| store::merge(change, id, into))
                .await
        }
        Ok(None) => Err(StoreError::invalid(
            "into",
            "the number of the ticket to keep is missing",
        )),
        Err(error) => Err(error),
    };
    after(&store, id, "merged", result, "").await
}

pub(super) fn chosen<T>(field: &'static str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| StoreError::invalid(field, format!("please choose a {field}")))
}

pub(super) fn optional_id(field: &'static str, text: &str) -> Result<Option<i64>, StoreError> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(StoreError::invalid(
                field,
                format!("{field}: \"{text}\" is not a number"),
            )),
        },
    }
}
