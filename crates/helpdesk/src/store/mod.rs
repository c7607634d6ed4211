//! Everything that knows SQL. Each function is one reading or one change; the transaction around a
//! change, the clock and the activity log come from [`Store`].

mod connection;
mod library;
mod people;
mod talk;
mod tickets;

pub use connection::OpenError;
pub(crate) use connection::{Change, Store, StoreError};
pub(crate) use library::{ActivityFilter, Dashboard, activity, article, articles, dashboard};
pub(crate) use people::{
    CustomerFilter, CustomerPatch, NewCustomer, agent, agents, create_customer, customer,
    customers, set_available, update_customer,
};
pub(crate) use talk::{NewComment, add_comment, add_tag, create_tag, merge, remove_tag, tags};
pub(crate) use tickets::{
    Assigned, NewTicket, Order, TicketFilter, TicketPatch, create_ticket, list_tickets, ticket,
    update_ticket,
};
