//! Which page is where.

use axum::{
    Router,
    routing::{get, post},
};

use super::{desk, frame, new_ticket, people, tickets};
use crate::store::Store;

/// The routes of all pages.
pub(crate) fn router() -> Router<Store> {
    Router::new()
        .route("/", get(desk::dashboard))
        .route("/handbook", get(desk::handbook))
        .route("/handbook/{slug}", get(desk::article))
        .route("/activity", get(desk::activity))
        .route("/tickets", get(tickets::list).post(new_ticket::create))
        .route("/tickets/new", get(new_ticket::new))
        .route("/tickets/{id}", get(tickets::show).post(tickets::update))
        .route("/tickets/{id}/comments", post(tickets::comment))
        .route("/tickets/{id}/tags", post(tickets::tag))
        .route("/tickets/{id}/tags/remove", post(tickets::untag))
        .route("/tickets/{id}/merge", post(tickets::merge))
        .route("/customers", get(people::customers))
        .route(
            "/customers/{id}",
            get(people::customer).post(people::update_customer),
        )
        .route("/agents", get(people::agents))
        .route("/agents/{id}", post(people::update_agent))
        .route("/style.css", get(frame::stylesheet))
        .fallback(frame::no_such_page)
}
