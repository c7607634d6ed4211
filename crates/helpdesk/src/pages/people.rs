//! The pages of customers and agents.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::frame::{Choice, Form, Frame, PageError, Pager, Path, Query, done, page, when};
use crate::{
    model::{Agent, Customer, Plan, Slice, Ticket},
    query::CustomerQuery,
    store::{self, CustomerPatch, Order, Store, StoreError, TicketFilter},
};

fn plans(chosen: &str) -> Vec<Choice> {
    Choice::of_words(Plan::ALL.iter().map(|word| word.as_str()), chosen)
}

#[derive(Template)]
#[template(path = "customers.html")]
struct CustomersPage {
    frame: Frame,
    query: CustomerQuery,
    customers: Vec<Customer>,
    plans: Vec<Choice>,
    pager: Pager,
}

pub(super) async fn customers(
    State(store): State<Store>,
    Query(query): Query<CustomerQuery>,
) -> Result<Response, PageError> {
    let filter = query.filter()?;
    let found = store.read(move |db| store::customers(db, &filter)).await?;
    let template = CustomersPage {
        frame: Frame::new(&store, "customers", "Customers").done(&query.done),
        pager: Pager::new(&found, "customers", |page| {
            format!("/customers?{}", query.link(page))
        }),
        customers: found.items,
        plans: plans(&query.plan),
        query,
    };
    Ok(page(StatusCode::OK, &template))
}

#[derive(Template)]
#[template(path = "customer.html")]
struct CustomerPage {
    frame: Frame,
    id: i64,
    form: CustomerForm,
    plans: Vec<Choice>,
    since: String,
    tickets: Vec<Ticket>,
    /// How many tickets there are beyond the ones shown.
    more: i64,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CustomerForm {
    name: String,
    email: String,
    company: String,
    phone: String,
    plan: String,
    notes: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Outcome {
    done: String,
}

pub(super) async fn customer(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Query(outcome): Query<Outcome>,
) -> Result<Response, PageError> {
    let template = customer_page(&store, id).await?;
    Ok(page(
        StatusCode::OK,
        &CustomerPage {
            frame: template.frame.done(&outcome.done),
            ..template
        },
    ))
}

async fn customer_page(store: &Store, id: i64) -> Result<CustomerPage, PageError> {
    let (customer, tickets) = store
        .read(move |db| {
            let filter = TicketFilter {
                customer: Some(id),
                order: Order::Newest,
                slice: Slice {
                    page: 1,
                    per_page: 50,
                },
                ..TicketFilter::default()
            };
            Ok((store::customer(db, id)?, store::list_tickets(db, &filter)?))
        })
        .await?;
    Ok(CustomerPage {
        frame: Frame::new(store, "customers", customer.name.clone()),
        id,
        plans: plans(customer.plan.as_str()),
        since: when(&customer.created_at),
        more: tickets.total - i64::try_from(tickets.items.len()).unwrap_or(0),
        tickets: tickets.items,
        form: CustomerForm {
            name: customer.name,
            email: customer.email,
            company: customer.company,
            phone: customer.phone,
            plan: customer.plan.to_string(),
            notes: customer.notes,
        },
    })
}

pub(super) async fn update_customer(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Form(form): Form<CustomerForm>,
) -> Result<Response, PageError> {
    let patch = CustomerPatch {
        name: Some(form.name.clone()),
        email: Some(form.email.clone()),
        company: Some(form.company.clone()),
        phone: Some(form.phone.clone()),
        plan: Plan::parse(&form.plan),
        notes: Some(form.notes.clone()),
    };
    let result = if patch.plan.is_some() {
        store
            .write(move |change| store::update_customer(change, id, &patch))
            .await
    } else {
        Err(StoreError::invalid("plan", "please choose a plan"))
    };
    match result {
        Ok(()) => Ok(done(&format!("/customers/{id}"), "saved")),
        Err(error @ StoreError::Invalid { .. }) => {
            let template = customer_page(&store, id).await?;
            let frame = template.frame.problem(&error);
            let plans = plans(&form.plan);
            Ok(page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &CustomerPage {
                    frame,
                    form,
                    plans,
                    ..template
                },
            ))
        }
        Err(error) => Ok(PageError::from(error).into_response()),
    }
}

#[derive(Template)]
#[template(path = "agents.html")]
struct AgentsPage {
    frame: Frame,
    agents: Vec<Agent>,
}

pub(super) async fn agents(
    State(store): State<Store>,
    Query(outcome): Query<Outcome>,
) -> Result<Response, PageError> {
    let agents = store.read(store::agents).await?;
    let frame = Frame::new(&store, "agents", "Agents").done(&outcome.done);
    Ok(page(StatusCode::OK, &AgentsPage { frame, agents }))
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AgentForm {
    available: String,
}

pub(super) async fn update_agent(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Form(form): Form<AgentForm>,
) -> Result<Response, PageError> {
    let available = match form.available.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(StoreError::invalid("available", "available must be yes or no").into()),
    };
    store
        .write(move |change| store::set_available(change, id, available))
        .await?;
    Ok(done("/agents", "saved"))
}
