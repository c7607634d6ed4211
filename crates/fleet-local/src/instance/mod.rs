//! One running environment: its record, its lease, its apps, and the task that leads it from
//! `pending` to its end.

mod apps;
mod browser;
mod files;
pub(crate) mod lease;
pub(crate) mod memory;
mod output;
mod ports;
mod record;
mod supervisor;

pub(crate) use browser::{InstanceBrowser, find as find_browser};
pub(crate) use files::{BROWSER, LOGS, plan as plan_files};
pub(crate) use record::{EndCause, Instance, InstanceSpec, Status, Urls};
pub(crate) use supervisor::{Host, supervise};
