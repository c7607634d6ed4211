//! The words of the desk as types: what the database holds, the API answers and the pages show.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Deserializer, Serialize};

/// A closed set of words with one spelling in the database, the API and the forms.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub(crate) enum $name { $($variant),+ }

        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),+];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub(crate) fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }

            /// "open, pending, resolved, closed", for messages.
            pub(crate) fn choices() -> String {
                [$($text),+].join(", ")
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Self::parse(value.as_str()?).ok_or(FromSqlError::InvalidType)
            }
        }
    };
}

words! {
    /// Where a ticket stands; `pending` waits for the customer.
    Status { Open = "open", Pending = "pending", Resolved = "resolved", Closed = "closed" }
}
words! {
    /// How much it hurts.
    Priority { Low = "low", Normal = "normal", High = "high", Urgent = "urgent" }
}
words! {
    /// What it is about; the names of the teams that answer.
    Category { Billing = "billing", Technical = "technical", Shipping = "shipping", Account = "account" }
}
words! {
    /// What a customer pays for.
    Plan { Free = "free", Team = "team", Business = "business" }
}
words! {
    /// Who may read a comment.
    Visibility { Public = "public", Internal = "internal" }
}

/// A customer as tickets mention it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CustomerRef {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) company: String,
    pub(crate) plan: Plan,
}

/// An agent as tickets mention it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AgentRef {
    pub(crate) id: i64,
    pub(crate) name: String,
}

/// A ticket in a list.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ticket {
    pub(crate) id: i64,
    pub(crate) subject: String,
    pub(crate) status: Status,
    pub(crate) priority: Priority,
    pub(crate) category: Category,
    pub(crate) customer: CustomerRef,
    pub(crate) assignee: Option<AgentRef>,
    pub(crate) tags: Vec<String>,
    pub(crate) merged_into: Option<i64>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A ticket with all that was written on it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TicketDetail {
    #[serde(flatten)]
    pub(crate) ticket: Ticket,
    pub(crate) body: String,
    pub(crate) comments: Vec<Comment>,
}

/// One message on a ticket.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comment {
    pub(crate) id: i64,
    pub(crate) ticket_id: i64,
    pub(crate) author: String,
    /// `agent` or `customer`.
    pub(crate) author_kind: String,
    pub(crate) visibility: Visibility,
    pub(crate) body: String,
    pub(crate) created_at: String,
}

/// A customer with its counts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Customer {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) company: String,
    pub(crate) phone: String,
    pub(crate) plan: Plan,
    pub(crate) notes: String,
    pub(crate) open_tickets: i64,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// Somebody who answers tickets.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Agent {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) team: String,
    pub(crate) available: bool,
    pub(crate) open_tickets: i64,
}

/// A tag and how many tickets carry it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Tag {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) tickets: i64,
}

/// A page of the handbook.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Article {
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) updated_at: String,
}

/// One line of the activity log.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Activity {
    pub(crate) id: i64,
    pub(crate) at: String,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) entity: String,
    pub(crate) entity_id: i64,
    pub(crate) detail: String,
}

/// What to do with the assignee in a change of a ticket. In JSON: absent, `null`, or an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Assignment {
    #[default]
    Keep,
    Nobody,
    To(i64),
}

impl<'de> Deserialize<'de> for Assignment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<i64>::deserialize(deserializer).map(|id| id.map_or(Self::Nobody, Self::To))
    }
}

/// One slice of a longer list.
#[derive(Debug, Clone)]
pub(crate) struct Rows<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: i64,
    /// Counted from 1.
    pub(crate) page: i64,
    pub(crate) per_page: i64,
}

impl<T> Rows<T> {
    /// How many pages there are; an empty list has one.
    pub(crate) fn pages(&self) -> i64 {
        ((self.total + self.per_page - 1) / self.per_page).max(1)
    }
}

/// Which slice is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    pub(crate) page: i64,
    pub(crate) per_page: i64,
}

impl Slice {
    /// More rows in one answer are of no use to a person or an agent.
    pub(crate) const MAX_PER_PAGE: i64 = 100;
    pub(crate) const DEFAULT_PER_PAGE: i64 = 25;

    pub(crate) fn offset(self) -> i64 {
        (self.page - 1).saturating_mul(self.per_page)
    }
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            page: 1,
            per_page: Self::DEFAULT_PER_PAGE,
        }
    }
}
