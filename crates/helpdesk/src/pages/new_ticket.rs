//! The page on which a ticket is written.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{
    frame::{Choice, Form, Frame, PageError, Query, done, page},
    tickets::{assignees, categories, chosen, optional_id, priorities},
};
use crate::{
    model::{Category, Customer, Priority, Slice},
    store::{self, CustomerFilter, NewTicket, Store, StoreError},
};

#[derive(Template)]
#[template(path = "new_ticket.html")]
struct NewPage {
    frame: Frame,
    form: NewForm,
    customers: Vec<Choice>,
    priorities: Vec<Choice>,
    categories: Vec<Choice>,
    assignees: Vec<Choice>,
    tags: Vec<Choice>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NewForm {
    subject: String,
    body: String,
    customer: String,
    priority: String,
    category: String,
    assignee: String,
    tag: String,
}

pub(super) async fn new(
    State(store): State<Store>,
    Query(form): Query<NewForm>,
) -> Result<Response, PageError> {
    let template = new_page(&store, form).await?;
    Ok(page(StatusCode::OK, &template))
}

pub(super) async fn create(
    State(store): State<Store>,
    Form(form): Form<NewForm>,
) -> Result<Response, PageError> {
    let result = match new_ticket(&form) {
        Ok(new) => {
            store
                .write(move |change| store::create_ticket(change, &new))
                .await
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(id) => Ok(done(&format!("/tickets/{id}"), "created")),
        Err(error @ StoreError::Invalid { .. }) => {
            let template = new_page(&store, form).await?;
            let frame = template.frame.problem(&error);
            Ok(page(
                StatusCode::UNPROCESSABLE_ENTITY,
                &NewPage { frame, ..template },
            ))
        }
        Err(error) => Ok(PageError::from(error).into_response()),
    }
}

async fn new_page(store: &Store, form: NewForm) -> Result<NewPage, PageError> {
    let (customers, agents, tags) = store
        .read(|db| Ok((all_customers(db)?, store::agents(db)?, store::tags(db)?)))
        .await?;
    let priority = if form.priority.is_empty() {
        "normal"
    } else {
        &form.priority
    };
    Ok(NewPage {
        frame: Frame::new(store, "new", "New ticket"),
        customers: customers
            .iter()
            .map(|customer| {
                Choice::new(
                    &customer.id,
                    &format!("{} ({})", customer.name, customer.company),
                    &form.customer,
                )
            })
            .collect(),
        priorities: priorities(priority),
        categories: categories(&form.category),
        assignees: assignees(&agents, "", &form.assignee),
        tags: tags
            .iter()
            .map(|tag| Choice::new(&tag.name, &tag.name, &form.tag))
            .collect(),
        form,
    })
}

/// The select field needs them all; a desk has tens or hundreds.
fn all_customers(db: &rusqlite::Connection) -> Result<Vec<Customer>, StoreError> {
    let mut all = Vec::new();
    let mut slice = Slice {
        page: 1,
        per_page: Slice::MAX_PER_PAGE,
    };
    loop {
        let found = store::customers(
            db,
            &CustomerFilter {
                slice,
                ..CustomerFilter::default()
            },
        )?;
        let last = slice.page >= found.pages();
        all.extend(found.items);
        if last {
            return Ok(all);
        }
        slice.page += 1;
    }
}

fn new_ticket(form: &NewForm) -> Result<NewTicket, StoreError> {
    Ok(NewTicket {
        subject: form.subject.clone(),
        body: form.body.clone(),
        customer_id: optional_id("customer", &form.customer)?
            .ok_or_else(|| StoreError::invalid("customer", "please choose a customer"))?,
        priority: chosen("priority", Priority::parse(&form.priority))?,
        category: chosen("category", Category::parse(&form.category))?,
        assignee: optional_id("assignee", &form.assignee)?,
        tags: Some(form.tag.clone())
            .filter(|tag| !tag.is_empty())
            .into_iter()
            .collect(),
    })
}
