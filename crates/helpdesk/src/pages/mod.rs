//! The HTML pages: rendered on the server, usable without scripts, changed by forms with POST and
//! a redirect. Everything that can be acted on has a label and an id.

mod desk;
mod frame;
mod new_ticket;
mod people;
mod routes;
mod tickets;

pub(crate) use routes::router;
