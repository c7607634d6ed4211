//! Which path does what.

use axum::{
    Json, Router,
    routing::{get, put},
};
use serde_json::{Value, json};

use super::{error, people, reading, tickets};
use crate::store::Store;

/// The routes, relative to `/api`.
pub(crate) fn router() -> Router<Store> {
    Router::new()
        .route("/", get(index))
        .route("/stats", get(reading::stats))
        .route("/tickets", get(tickets::list).post(tickets::create))
        .route("/tickets/{id}", get(tickets::show).patch(tickets::update))
        .route(
            "/tickets/{id}/comments",
            get(tickets::comments).post(tickets::comment),
        )
        .route(
            "/tickets/{id}/tags/{tag}",
            put(tickets::tag).delete(tickets::untag),
        )
        .route("/tickets/{id}/merge", axum::routing::post(tickets::merge))
        .route(
            "/customers",
            get(people::customers).post(people::create_customer),
        )
        .route(
            "/customers/{id}",
            get(people::customer).patch(people::update_customer),
        )
        .route("/agents", get(people::agents))
        .route(
            "/agents/{id}",
            get(people::agent).patch(people::update_agent),
        )
        .route("/tags", get(reading::tags).post(tickets::create_tag))
        .route("/articles", get(reading::articles))
        .route("/articles/{slug}", get(reading::article))
        .route("/activity", get(reading::activity))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
}

/// What there is, for whoever finds this address first.
async fn index() -> Json<Value> {
    Json(json!({
        "GET /api/stats": "counts of what needs attention",
        "GET /api/tickets": "q, status, priority (comma-separated), category, assignee (id or none), customer, tag, sort (updated, newest, oldest, priority, number), page, per_page (at most 100)",
        "POST /api/tickets": "subject, body, customer_id, category; optional priority, assignee_id, tags",
        "GET /api/tickets/{id}": "with its comments",
        "PATCH /api/tickets/{id}": "any of subject, status, priority, category, assignee_id (null: nobody)",
        "POST /api/tickets/{id}/comments": "body; optional visibility (public, internal)",
        "PUT /api/tickets/{id}/tags/{tag}": "adds an existing tag",
        "DELETE /api/tickets/{id}/tags/{tag}": "removes it",
        "POST /api/tickets/{id}/merge": "into: the ticket to keep",
        "GET /api/customers": "q, plan, page, per_page",
        "POST /api/customers": "name, email, company, plan; optional phone, notes",
        "PATCH /api/customers/{id}": "any of name, email, company, phone, plan, notes",
        "GET /api/agents": "with their open tickets",
        "PATCH /api/agents/{id}": "available",
        "GET /api/tags": "POST makes one: name",
        "GET /api/articles": "the handbook",
        "GET /api/activity": "entity (ticket, customer, agent, tag), id, page, per_page"
    }))
}
