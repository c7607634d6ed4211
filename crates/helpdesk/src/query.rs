//! The query strings of lists, the same for the pages and the API: `?status=open,pending&page=2`.
//! An empty value means "not narrowed", because that is what an untouched form field sends.

use serde::Deserialize;

use crate::{
    model::{Category, Plan, Priority, Slice, Status},
    store::{ActivityFilter, Assigned, CustomerFilter, Order, StoreError, TicketFilter},
};

/// The parameters of a list of tickets as they were sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TicketQuery {
    pub(crate) q: String,
    pub(crate) status: String,
    pub(crate) priority: String,
    pub(crate) category: String,
    /// An agent's number, or `none`.
    pub(crate) assignee: String,
    pub(crate) customer: String,
    pub(crate) tag: String,
    pub(crate) sort: String,
    pub(crate) page: String,
    pub(crate) per_page: String,
    /// The outcome that a redirect announces; not a filter.
    pub(crate) done: String,
}

impl TicketQuery {
    /// The filter that is meant, or which parameter makes no sense.
    pub(crate) fn filter(&self) -> Result<TicketFilter, StoreError> {
        Ok(TicketFilter {
            statuses: words(&self.status, "status", Status::parse, &Status::choices())?,
            priorities: words(
                &self.priority,
                "priority",
                Priority::parse,
                &Priority::choices(),
            )?,
            category: word(
                &self.category,
                "category",
                Category::parse,
                &Category::choices(),
            )?,
            assigned: match self.assignee.as_str() {
                "none" => Some(Assigned::ToNobody),
                other => number(other, "assignee")?.map(Assigned::To),
            },
            customer: number(&self.customer, "customer")?,
            tag: filled(&self.tag),
            search: filled(&self.q),
            order: word(
                &self.sort,
                "sort",
                Order::parse,
                "updated, newest, oldest, priority, number",
            )?
            .unwrap_or_default(),
            slice: slice(&self.page, &self.per_page)?,
        })
    }

    /// The query string of another page of the same list.
    pub(crate) fn link(&self, page: i64) -> String {
        let mut link = url::form_urlencoded::Serializer::new(String::new());
        let page = page.to_string();
        for (name, value) in [
            ("q", &self.q),
            ("status", &self.status),
            ("priority", &self.priority),
            ("category", &self.category),
            ("assignee", &self.assignee),
            ("customer", &self.customer),
            ("tag", &self.tag),
            ("sort", &self.sort),
            ("per_page", &self.per_page),
            ("page", &page),
        ] {
            if !value.is_empty() {
                link.append_pair(name, value);
            }
        }
        link.finish()
    }
}

/// The parameters of a list of customers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CustomerQuery {
    pub(crate) q: String,
    pub(crate) plan: String,
    pub(crate) page: String,
    pub(crate) per_page: String,
    pub(crate) done: String,
}

impl CustomerQuery {
    pub(crate) fn filter(&self) -> Result<CustomerFilter, StoreError> {
        Ok(CustomerFilter {
            search: filled(&self.q),
            plan: word(&self.plan, "plan", Plan::parse, &Plan::choices())?,
            slice: slice(&self.page, &self.per_page)?,
        })
    }

    pub(crate) fn link(&self, page: i64) -> String {
        let mut link = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("q", &self.q),
            ("plan", &self.plan),
            ("page", &page.to_string()),
        ] {
            if !value.is_empty() {
                link.append_pair(name, value);
            }
        }
        link.finish()
    }
}

/// The parameters of the activity log.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ActivityQuery {
    /// `ticket`, `customer`, `agent` or `tag`.
    pub(crate) entity: String,
    /// Its number; only with `entity`.
    pub(crate) id: String,
    pub(crate) page: String,
    pub(crate) per_page: String,
}

impl ActivityQuery {
    pub(crate) fn filter(&self) -> Result<ActivityFilter, StoreError> {
        let id = number(&self.id, "id")?;
        let about = match (filled(&self.entity), id) {
            (Some(entity), id)
                if ["ticket", "customer", "agent", "tag"].contains(&entity.as_str()) =>
            {
                Some((entity, id))
            }
            (Some(_), _) => {
                return Err(StoreError::invalid(
                    "entity",
                    "entity must be one of ticket, customer, agent, tag",
                ));
            }
            (None, Some(_)) => {
                return Err(StoreError::invalid(
                    "id",
                    "id is only of use together with entity",
                ));
            }
            (None, None) => None,
        };
        Ok(ActivityFilter {
            about,
            slice: slice(&self.page, &self.per_page)?,
        })
    }
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn word<T>(
    text: &str,
    field: &'static str,
    parse: impl Fn(&str) -> Option<T>,
    choices: &str,
) -> Result<Option<T>, StoreError> {
    match text.trim() {
        "" => Ok(None),
        text => match parse(text) {
            Some(value) => Ok(Some(value)),
            None => Err(StoreError::invalid(
                field,
                format!("{field} must be one of {choices}"),
            )),
        },
    }
}

fn words<T>(
    text: &str,
    field: &'static str,
    parse: impl Fn(&str) -> Option<T>,
    choices: &str,
) -> Result<Vec<T>, StoreError> {
    text.split(',')
        .filter_map(|part| word(part, field, &parse, choices).transpose())
        .collect()
}

fn number(text: &str, field: &'static str) -> Result<Option<i64>, StoreError> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(StoreError::invalid(
                field,
                format!("{field} must be a number"),
            )),
        },
    }
}

fn slice(page: &str, per_page: &str) -> Result<Slice, StoreError> {
    let page = number(page, "page")?.unwrap_or(1);
    let per_page = number(per_page, "per_page")?.unwrap_or(Slice::DEFAULT_PER_PAGE);
    if page < 1 {
        return Err(StoreError::invalid("page", "pages are counted from 1"));
    }
    if !(1..=Slice::MAX_PER_PAGE).contains(&per_page) {
        return Err(StoreError::invalid(
            "per_page",
            format!("per_page must be from 1 to {}", Slice::MAX_PER_PAGE),
        ));
    }
    Ok(Slice { page, per_page })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_form_is_no_filter() {
        let filter = TicketQuery::default().filter().unwrap();
        assert!(filter.statuses.is_empty() && filter.search.is_none() && filter.assigned.is_none());
    }

    #[test]
    fn several_statuses_and_nobody() {
        let query = TicketQuery {
            status: "open,pending".into(),
            assignee: "none".into(),
            ..TicketQuery::default()
        };
        let filter = query.filter().unwrap();
        assert_eq!(filter.statuses, [Status::Open, Status::Pending]);
        assert_eq!(filter.assigned, Some(Assigned::ToNobody));
    }

    #[test]
    fn nonsense_names_its_parameter() {
        for (query, field) in [
            (
                TicketQuery {
                    status: "opne".into(),
                    ..TicketQuery::default()
                },
                "status",
            ),
            (
                TicketQuery {
                    page: "0".into(),
                    ..TicketQuery::default()
                },
                "page",
            ),
            (
                TicketQuery {
                    per_page: "101".into(),
                    ..TicketQuery::default()
                },
                "per_page",
            ),
            (
                TicketQuery {
                    assignee: "Tom".into(),
                    ..TicketQuery::default()
                },
                "assignee",
            ),
        ] {
            match query.filter() {
                Err(StoreError::Invalid { field: named, .. }) => assert_eq!(named, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_link_keeps_the_filter() {
        let query = TicketQuery {
            q: "two words & more".into(),
            status: "open".into(),
            ..TicketQuery::default()
        };
        assert_eq!(query.link(3), "q=two+words+%26+more&status=open&page=3");
    }
}
