//! Tickets, comments and tags over JSON.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, Body, Path, Query, listed};
use crate::{
    model::{Assignment, Category, Comment, Priority, Status, TicketDetail, Visibility},
    query::TicketQuery,
    store::{self, NewComment, NewTicket, Store, TicketPatch},
};

pub(super) async fn list(
    State(store): State<Store>,
    Query(query): Query<TicketQuery>,
) -> Result<Json<Value>, ApiError> {
    let filter = query.filter()?;
    let page = store
        .read(move |db| store::list_tickets(db, &filter))
        .await?;
    Ok(listed("tickets", &page))
}

pub(super) async fn show(
    State(store): State<Store>,
    Path(id): Path<i64>,
) -> Result<Json<TicketDetail>, ApiError> {
    Ok(Json(store.read(move |db| store::ticket(db, id)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTicket {
    subject: String,
    body: String,
    customer_id: i64,
    category: Category,
    priority: Option<Priority>,
    assignee_id: Option<i64>,
    #[serde(default)]
    tags: Vec<String>,
}

pub(super) async fn create(
    State(store): State<Store>,
    Body(body): Body<CreateTicket>,
) -> Result<(StatusCode, Json<TicketDetail>), ApiError> {
    let new = NewTicket {
        subject: body.subject,
        body: body.body,
        customer_id: body.customer_id,
        priority: body.priority.unwrap_or(Priority::Normal),
        category: body.category,
        assignee: body.assignee_id,
        tags: body.tags,
    };
    let ticket = store
        .write(move |change| {
            let id = store::create_ticket(change, &new)?;
            store::ticket(change.db(), id)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(ticket)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateTicket {
    subject: Option<String>,
    status: Option<Status>,
    priority: Option<Priority>,
    category: Option<Category>,
    #[serde(default)]
    assignee_id: Assignment,
}

pub(super) async fn update(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Body(body): Body<UpdateTicket>,
) -> Result<Json<TicketDetail>, ApiError> {
    let patch = TicketPatch {
        subject: body.subject,
        status: body.status,
        priority: body.priority,
        category: body.category,
        assignee: body.assignee_id,
    };
    let ticket = store
        .write(move |change| {
            store::update_ticket(change, id, &patch)?;
            store::ticket(change.db(), id)
        })
        .await?;
    Ok(Json(ticket))
}

pub(super) async fn comments(
    State(store): State<Store>,
    Path(id): Path<i64>,
) -> Result<Json<Value>, ApiError> {
    let ticket = store.read(move |db| store::ticket(db, id)).await?;
    Ok(Json(
        json!({ "comments": ticket.comments, "total": ticket.comments.len() }),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateComment {
    body: String,
    visibility: Option<Visibility>,
}

pub(super) async fn comment(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Body(body): Body<CreateComment>,
) -> Result<(StatusCode, Json<Comment>), ApiError> {
    let new = NewComment {
        body: body.body,
        visibility: body.visibility.unwrap_or(Visibility::Public),
    };
    let comment = store
        .write(move |change| {
            let comment = store::add_comment(change, id, &new)?;
            let ticket = store::ticket(change.db(), id)?;
            ticket
                .comments
                .into_iter()
                .find(|written| written.id == comment)
                .ok_or_else(|| store::StoreError::not_found("comment", &comment))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(comment)))
}

pub(super) async fn tag(
    State(store): State<Store>,
    Path((id, tag)): Path<(i64, String)>,
) -> Result<Json<TicketDetail>, ApiError> {
    let ticket = store
        .write(move |change| {
            store::add_tag(change, id, &tag)?;
            store::ticket(change.db(), id)
        })
        .await?;
    Ok(Json(ticket))
}

pub(super) async fn untag(
    State(store): State<Store>,
    Path((id, tag)): Path<(i64, String)>,
) -> Result<Json<TicketDetail>, ApiError> {
    let ticket = store
        .write(move |change| {
            store::remove_tag(change, id, &tag)?;
            store::ticket(change.db(), id)
        })
        .await?;
    Ok(Json(ticket))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Merge {
    into: i64,
}

pub(super) async fn merge(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Body(body): Body<Merge>,
) -> Result<Json<TicketDetail>, ApiError> {
    let ticket = store
        .write(move |change| {
            store::merge(change, id, body.into)?;
            store::ticket(change.db(), id)
        })
        .await?;
    Ok(Json(ticket))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTag {
    name: String,
}

pub(super) async fn create_tag(
    State(store): State<Store>,
    Body(body): Body<CreateTag>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let name = body.name.trim().to_owned();
    let id = store
        .write(move |change| store::create_tag(change, &body.name))
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "id": id, "name": name, "tickets": 0 })),
    ))
}
