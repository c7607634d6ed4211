//! What the tools are asked with. The descriptions are what an agent reads.

use rmcp::schemars;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{Assignment, Category, Plan, Priority, Status, Visibility};
use crate::query::{ActivityQuery, CustomerQuery, TicketQuery};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FindTickets {
    /// Words in the subject, the text, or the customer's name or company; or a ticket number.
    search: String,
    /// Statuses, separated by commas: open, pending, resolved, closed. Empty: any.
    status: String,
    /// Priorities, separated by commas: low, normal, high, urgent. Empty: any.
    priority: String,
    /// billing, technical, shipping or account. Empty: any.
    category: String,
    /// Number of the agent that tickets are assigned to, or "none". Empty: any.
    assignee: String,
    /// Number of the customer.
    customer_id: Option<i64>,
    /// A tag that tickets carry.
    tag: String,
    /// updated, newest, oldest, priority or number.
    sort: String,
    /// Counted from 1.
    page: Option<i64>,
    /// At most 100; 25 if not given.
    per_page: Option<i64>,
}

impl From<FindTickets> for TicketQuery {
    fn from(ask: FindTickets) -> Self {
        Self {
            q: ask.search,
            status: ask.status,
            priority: ask.priority,
            category: ask.category,
            assignee: ask.assignee,
            customer: number(ask.customer_id),
            tag: ask.tag,
            sort: ask.sort,
            page: number(ask.page),
            per_page: number(ask.per_page),
            done: String::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FindCustomers {
    /// Words in the name, company or e-mail address.
    search: String,
    /// free, team or business. Empty: any.
    plan: String,
    /// Counted from 1.
    page: Option<i64>,
    /// At most 100; 25 if not given.
    per_page: Option<i64>,
}

impl From<FindCustomers> for CustomerQuery {
    fn from(ask: FindCustomers) -> Self {
        Self {
            q: ask.search,
            plan: ask.plan,
            page: number(ask.page),
            per_page: number(ask.per_page),
            done: String::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FindActivity {
    /// ticket, customer, agent or tag. Empty: all.
    entity: String,
    /// Its number; only together with entity.
    id: Option<i64>,
    /// Counted from 1.
    page: Option<i64>,
    /// At most 100; 25 if not given.
    per_page: Option<i64>,
}

impl From<FindActivity> for ActivityQuery {
    fn from(ask: FindActivity) -> Self {
        Self {
            entity: ask.entity,
            id: number(ask.id),
            page: number(ask.page),
            per_page: number(ask.per_page),
        }
    }
}

/// As it would stand in a query string.
fn number(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneTicket {
    /// The ticket's number.
    pub(super) ticket_id: i64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneCustomer {
    /// The customer's number.
    pub(super) customer_id: i64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneArticle {
    /// The article's slug, as `list_articles` gives it.
    pub(super) slug: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTicket {
    /// One line.
    pub(super) subject: String,
    /// What the customer writes.
    pub(super) body: String,
    /// The customer's number.
    pub(super) customer_id: i64,
    pub(super) category: Category,
    /// normal if not given.
    pub(super) priority: Option<Priority>,
    /// Number of the agent that answers it.
    pub(super) assignee_id: Option<i64>,
    /// Names of existing tags.
    #[serde(default)]
    pub(super) tags: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateTicket {
    /// The ticket's number.
    pub(super) ticket_id: i64,
    /// A new subject.
    pub(super) subject: Option<String>,
    pub(super) status: Option<Status>,
    pub(super) priority: Option<Priority>,
    pub(super) category: Option<Category>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AssignTicket {
    /// The ticket's number.
    pub(super) ticket_id: i64,
    /// The agent's number; null takes the ticket from everybody.
    pub(super) agent_id: Option<i64>,
}

impl AssignTicket {
    pub(super) fn assignment(&self) -> Assignment {
        self.agent_id.map_or(Assignment::Nobody, Assignment::To)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    /// The ticket's number.
    pub(super) ticket_id: i64,
    /// What to write.
    pub(super) body: String,
    /// public, which the customer reads, or internal; public if not given.
    pub(super) visibility: Option<Visibility>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagTicket {
    /// The ticket's number.
    pub(super) ticket_id: i64,
    /// Name of an existing tag.
    pub(super) tag: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateTag {
    /// The new tag's name.
    pub(super) name: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MergeTickets {
    /// Number of the duplicate, which is closed.
    pub(super) duplicate_id: i64,
    /// Number of the ticket that is kept.
    pub(super) kept_id: i64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateCustomer {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) company: String,
    pub(super) plan: Plan,
    #[serde(default)]
    pub(super) phone: String,
    #[serde(default)]
    pub(super) notes: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateCustomer {
    /// The customer's number.
    pub(super) customer_id: i64,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) company: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) plan: Option<Plan>,
    pub(super) notes: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetAvailable {
    /// The agent's number.
    pub(super) agent_id: i64,
    /// Whether the agent takes tickets.
    pub(super) available: bool,
}
