//! The tools themselves.

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde_json::json;

use super::answer::{Answer, answer, listed};
use super::ask::{
    AssignTicket, CreateCustomer, CreateTag, CreateTicket, FindActivity, FindCustomers,
    FindTickets, MergeTickets, OneArticle, OneCustomer, OneTicket, Reply, SetAvailable, TagTicket,
    UpdateCustomer, UpdateTicket,
};
use crate::model::{Priority, Status, TicketDetail, Visibility};
use crate::query::{ActivityQuery, CustomerQuery, TicketQuery};
use crate::store::{
    self, Change, CustomerPatch, NewComment, NewCustomer, NewTicket, Store, StoreError, TicketPatch,
};

/// What an agent is told before it sees the tools.
const INSTRUCTIONS: &str = "A support desk. Tickets have a status (open, pending, resolved, closed), a priority and a category; \
    customers write them, agents answer them. The handbook (list_articles) says how this desk works. \
    Every change is written to the activity log in the name of who is signed in.";

/// The desk as a set of tools.
#[derive(Clone)]
pub(crate) struct DeskTools {
    store: Store,
    tools: ToolRouter<Self>,
}

#[tool_router(router = routes)]
impl DeskTools {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            tools: Self::routes(),
        }
    }

    #[tool(description = "Who is signed in, which day it is, and counts of what needs attention.")]
    async fn desk_overview(&self) -> Answer {
        let figures = self.store.read(store::dashboard).await;
        answer(figures.map(|figures| {
            json!({
                "signed_in": self.store.actor(),
                "today": self.store.today().date().to_string(),
                "open": figures.open,
                "urgent": figures.urgent,
                "unassigned": figures.unassigned,
                "pending": figures.pending,
                "resolved": figures.resolved,
                "open_by_category": figures.by_category,
            })
        }))
    }

    #[tool(description = "Lists or searches tickets, page by page; without their texts.")]
    async fn list_tickets(&self, Parameters(ask): Parameters<FindTickets>) -> Answer {
        let filter = match TicketQuery::from(ask).filter() {
            Ok(filter) => filter,
            Err(mistake) => return answer::<()>(Err(mistake)),
        };
        let found = self.store.read(move |db| store::list_tickets(db, &filter));
        answer(found.await.map(|page| listed("tickets", &page)))
    }

    #[tool(description = "Reads one ticket with its text, its tags and all comments.")]
    async fn get_ticket(&self, Parameters(ask): Parameters<OneTicket>) -> Answer {
        let found = self.store.read(move |db| store::ticket(db, ask.ticket_id));
        answer(found.await)
    }

    #[tool(description = "Makes a new ticket, open, and answers with it.")]
    async fn create_ticket(&self, Parameters(ask): Parameters<CreateTicket>) -> Answer {
        let new = NewTicket {
            subject: ask.subject,
            body: ask.body,
            customer_id: ask.customer_id,
            priority: ask.priority.unwrap_or(Priority::Normal),
            category: ask.category,
            assignee: ask.assignee_id,
            tags: ask.tags,
        };
        let made = self.store.write(move |change| {
            let id = store::create_ticket(change, &new)?;
            store::ticket(change.db(), id)
        });
        answer(made.await)
    }

    #[tool(
        description = "Changes a ticket's status, priority, category or subject; what is not given stays."
    )]
    async fn update_ticket(&self, Parameters(ask): Parameters<UpdateTicket>) -> Answer {
        let patch = TicketPatch {
            subject: ask.subject,
            status: ask.status,
            priority: ask.priority,
            category: ask.category,
            ..TicketPatch::default()
        };
        self.patch(ask.ticket_id, patch).await
    }

    #[tool(description = "Closes a ticket.")]
    async fn close_ticket(&self, Parameters(ask): Parameters<OneTicket>) -> Answer {
        let patch = TicketPatch {
            status: Some(Status::Closed),
            ..TicketPatch::default()
        };
        self.patch(ask.ticket_id, patch).await
    }

    #[tool(description = "Assigns a ticket to an agent, or to nobody.")]
    async fn assign_ticket(&self, Parameters(ask): Parameters<AssignTicket>) -> Answer {
        let patch = TicketPatch {
            assignee: ask.assignment(),
            ..TicketPatch::default()
        };
        self.patch(ask.ticket_id, patch).await
    }

    #[tool(description = "Writes a reply to the customer, or an internal note, on a ticket.")]
    async fn reply_to_ticket(&self, Parameters(ask): Parameters<Reply>) -> Answer {
        let comment = NewComment {
            body: ask.body,
            visibility: ask.visibility.unwrap_or(Visibility::Public),
        };
        let id = ask.ticket_id;
        self.change(id, move |change| {
            store::add_comment(change, id, &comment).map(drop)
        })
        .await
    }

    #[tool(description = "Puts an existing tag on a ticket.")]
    async fn tag_ticket(&self, Parameters(ask): Parameters<TagTicket>) -> Answer {
        let id = ask.ticket_id;
        self.change(id, move |change| store::add_tag(change, id, &ask.tag))
            .await
    }

    #[tool(description = "Takes a tag off a ticket.")]
    async fn untag_ticket(&self, Parameters(ask): Parameters<TagTicket>) -> Answer {
        let id = ask.ticket_id;
        self.change(id, move |change| store::remove_tag(change, id, &ask.tag))
            .await
    }

    #[tool(
        description = "Merges a duplicate into the ticket that is kept; the duplicate is closed."
    )]
    async fn merge_tickets(&self, Parameters(ask): Parameters<MergeTickets>) -> Answer {
        self.change(ask.kept_id, move |change| {
            store::merge(change, ask.duplicate_id, ask.kept_id)
        })
        .await
    }

    #[tool(description = "Lists all tags with how many tickets carry them.")]
    async fn list_tags(&self) -> Answer {
        let tags = self.store.read(store::tags).await;
        answer(tags.map(|tags| json!({"tags": tags})))
    }

    #[tool(description = "Makes a new tag.")]
    async fn create_tag(&self, Parameters(ask): Parameters<CreateTag>) -> Answer {
        let made = self
            .store
            .write(move |change| {
                let id = store::create_tag(change, &ask.name)?;
                Ok(json!({"id": id, "name": ask.name.trim()}))
            })
            .await;
        answer(made)
    }

    #[tool(description = "Lists or searches customers, page by page.")]
    async fn list_customers(&self, Parameters(ask): Parameters<FindCustomers>) -> Answer {
        let filter = match CustomerQuery::from(ask).filter() {
            Ok(filter) => filter,
            Err(mistake) => return answer::<()>(Err(mistake)),
        };
        let found = self.store.read(move |db| store::customers(db, &filter));
        answer(found.await.map(|page| listed("customers", &page)))
    }

    #[tool(description = "Reads one customer.")]
    async fn get_customer(&self, Parameters(ask): Parameters<OneCustomer>) -> Answer {
        let found = self
            .store
            .read(move |db| store::customer(db, ask.customer_id));
        answer(found.await)
    }

    #[tool(description = "Makes a new customer and answers with it.")]
    async fn create_customer(&self, Parameters(ask): Parameters<CreateCustomer>) -> Answer {
        let new = NewCustomer {
            name: ask.name,
            email: ask.email,
            company: ask.company,
            phone: ask.phone,
            plan: ask.plan,
            notes: ask.notes,
        };
        let made = self.store.write(move |change| {
            let id = store::create_customer(change, &new)?;
            store::customer(change.db(), id)
        });
        answer(made.await)
    }

    #[tool(description = "Changes a customer; what is not given stays.")]
    async fn update_customer(&self, Parameters(ask): Parameters<UpdateCustomer>) -> Answer {
        let id = ask.customer_id;
        let patch = CustomerPatch {
            name: ask.name,
            email: ask.email,
            company: ask.company,
            phone: ask.phone,
            plan: ask.plan,
            notes: ask.notes,
        };
        let changed = self.store.write(move |change| {
            store::update_customer(change, id, &patch)?;
            store::customer(change.db(), id)
        });
        answer(changed.await)
    }

    #[tool(description = "Lists the agents with their teams and how many open tickets each has.")]
    async fn list_agents(&self) -> Answer {
        let agents = self.store.read(store::agents).await;
        answer(agents.map(|agents| json!({"agents": agents})))
    }

    #[tool(description = "Marks an agent as available or away.")]
    async fn set_agent_available(&self, Parameters(ask): Parameters<SetAvailable>) -> Answer {
        let changed = self.store.write(move |change| {
            store::set_available(change, ask.agent_id, ask.available)?;
            store::agent(change.db(), ask.agent_id)
        });
        answer(changed.await)
    }

    #[tool(description = "Lists the articles of the handbook.")]
    async fn list_articles(&self) -> Answer {
        let articles = self.store.read(store::articles).await;
        answer(articles.map(|articles| {
            let titles = articles
                .iter()
                .map(|article| json!({"slug": article.slug, "title": article.title}));
            json!({"articles": titles.collect::<Vec<_>>()})
        }))
    }

    #[tool(description = "Reads one article of the handbook.")]
    async fn get_article(&self, Parameters(ask): Parameters<OneArticle>) -> Answer {
        let found = self.store.read(move |db| store::article(db, &ask.slug));
        answer(found.await)
    }

    #[tool(description = "Reads the activity log, the latest first.")]
    async fn list_activity(&self, Parameters(ask): Parameters<FindActivity>) -> Answer {
        let filter = match ActivityQuery::from(ask).filter() {
            Ok(filter) => filter,
            Err(mistake) => return answer::<()>(Err(mistake)),
        };
        let found = self.store.read(move |db| store::activity(db, &filter));
        answer(found.await.map(|page| listed("activity", &page)))
    }
}

impl DeskTools {
    async fn patch(&self, id: i64, patch: TicketPatch) -> Answer {
        self.change(id, move |change| {
            store::update_ticket(change, id, &patch).map(drop)
        })
        .await
    }

    /// Changes a ticket and answers with how it is now.
    async fn change(
        &self,
        id: i64,
        change: impl FnOnce(&Change<'_>) -> Result<(), StoreError> + Send + 'static,
    ) -> Answer {
        let changed: Result<TicketDetail, StoreError> = self
            .store
            .write(move |open| {
                change(open)?;
                store::ticket(open.db(), id)
            })
            .await;
        answer(changed)
    }
}

#[tool_handler(router = self.tools)]
impl ServerHandler for DeskTools {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("helpdesk", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }
}
