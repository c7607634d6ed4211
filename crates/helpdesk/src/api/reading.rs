//! What is only read: counts, tags, the handbook, the activity log.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::error::{ApiError, Path, Query, listed};
use crate::{
    model::Article,
    query::ActivityQuery,
    store::{self, Store},
};

pub(super) async fn stats(State(store): State<Store>) -> Result<Json<Value>, ApiError> {
    let figures = store.read(store::dashboard).await?;
    let by_category: serde_json::Map<_, _> = figures
        .by_category
        .into_iter()
        .map(|(category, count)| (category, count.into()))
        .collect();
    Ok(Json(json!({
        "today": store.today().date().to_string(),
        "open": figures.open,
        "urgent": figures.urgent,
        "unassigned": figures.unassigned,
        "pending": figures.pending,
        "resolved": figures.resolved,
        "open_by_category": by_category,
    })))
}

pub(super) async fn tags(State(store): State<Store>) -> Result<Json<Value>, ApiError> {
    let tags = store.read(store::tags).await?;
    Ok(Json(json!({ "tags": tags, "total": tags.len() })))
}

pub(super) async fn articles(State(store): State<Store>) -> Result<Json<Value>, ApiError> {
    let articles = store.read(store::articles).await?;
    Ok(Json(
        json!({ "articles": articles, "total": articles.len() }),
    ))
}

pub(super) async fn article(
    State(store): State<Store>,
    Path(slug): Path<String>,
) -> Result<Json<Article>, ApiError> {
    Ok(Json(store.read(move |db| store::article(db, &slug)).await?))
}

pub(super) async fn activity(
    State(store): State<Store>,
    Query(query): Query<ActivityQuery>,
) -> Result<Json<Value>, ApiError> {
    let filter = query.filter()?;
    let page = store.read(move |db| store::activity(db, &filter)).await?;
    Ok(listed("activity", &page))
}
