//! Customers and agents over JSON.

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, Body, Path, Query, listed};
use crate::{
    model::{Agent, Customer, Plan},
    query::CustomerQuery,
    store::{self, CustomerPatch, NewCustomer, Store},
};

pub(super) async fn customers(
    State(store): State<Store>,
    Query(query): Query<CustomerQuery>,
) -> Result<Json<Value>, ApiError> {
    let filter = query.filter()?;
    let page = store.read(move |db| store::customers(db, &filter)).await?;
    Ok(listed("customers", &page))
}

pub(super) async fn customer(
    State(store): State<Store>,
    Path(id): Path<i64>,
) -> Result<Json<Customer>, ApiError> {
    Ok(Json(store.read(move |db| store::customer(db, id)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateCustomer {
    name: String,
    email: String,
    company: String,
    plan: Plan,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    notes: String,
}

pub(super) async fn create_customer(
    State(store): State<Store>,
    Body(body): Body<CreateCustomer>,
) -> Result<(StatusCode, Json<Customer>), ApiError> {
    let CreateCustomer {
        name,
        email,
        company,
        plan,
        phone,
        notes,
    } = body;
    let new = NewCustomer {
        name,
        email,
        company,
        phone,
        plan,
        notes,
    };
    let customer = store
        .write(move |change| {
            let id = store::create_customer(change, &new)?;
            store::customer(change.db(), id)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(customer)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateCustomer {
    name: Option<String>,
    email: Option<String>,
    company: Option<String>,
    phone: Option<String>,
    plan: Option<Plan>,
    notes: Option<String>,
}

pub(super) async fn update_customer(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Body(body): Body<UpdateCustomer>,
) -> Result<Json<Customer>, ApiError> {
    let UpdateCustomer {
        name,
        email,
        company,
        phone,
        plan,
        notes,
    } = body;
    let patch = CustomerPatch {
        name,
        email,
        company,
        phone,
        plan,
        notes,
    };
    let customer = store
        .write(move |change| {
            store::update_customer(change, id, &patch)?;
            store::customer(change.db(), id)
        })
        .await?;
    Ok(Json(customer))
}

pub(super) async fn agents(State(store): State<Store>) -> Result<Json<Value>, ApiError> {
    let agents = store.read(store::agents).await?;
    Ok(Json(json!({ "agents": agents, "total": agents.len() })))
}

pub(super) async fn agent(
    State(store): State<Store>,
    Path(id): Path<i64>,
) -> Result<Json<Agent>, ApiError> {
    Ok(Json(store.read(move |db| store::agent(db, id)).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateAgent {
    available: bool,
}

pub(super) async fn update_agent(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Body(body): Body<UpdateAgent>,
) -> Result<Json<Agent>, ApiError> {
    let agent = store
        .write(move |change| {
            store::set_available(change, id, body.available)?;
            store::agent(change.db(), id)
        })
        .await?;
    Ok(Json(agent))
}
