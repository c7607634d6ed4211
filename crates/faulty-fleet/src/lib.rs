//! A Fleet that fails on request, and the judge of what a run left.
//!
//! Tests put it between the harness and the embedded server: every call passes through a layer that injects faults by
//! a [`Script`] or by a seed and writes a [`Ledger`] of what was asked, what reached the service and what was answered. After a
//! run [`judge`] compares the ledger with the run's folder, its exit code and the processes that are alive.
//!
//! It is a dev-dependency and nothing else: no product crate may use it, and it knows nothing of how the harness works inside.

#![expect(
    clippy::unwrap_used,
    reason = "a test's tool fails as tests do: by panicking at the place"
)]

mod answer;
mod fleet;
mod judge;
mod ledger;
mod proxy;
mod run_folder;
mod script;
mod wire;

pub use fleet::{FaultyFleet, Setup};
pub use judge::{Expectation, Left, judge};
pub use ledger::{Injection, Ledger, LedgerEntry, Listed};
pub use run_folder::{Row, RunFolder, processes_of};
pub use script::{Call, Change, Fault, Odds, Rule, Script};
