//! A typed client for the Fleet API, and the types of its wire.
//!
//! It knows HTTP and the words of the API: instances, tasks, verifiers. It knows nothing of runs on
//! this machine, of trials or of results; those are other crates' business.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use fleet_api::{Client, TaskQuery};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let fleet = Client::from_env()?;
//! for task in fleet.tasks(&TaskQuery::project("my-project")).await? {
//!     let env = task.make(&fleet).heartbeat_interval(Duration::from_secs(60)).await?;
//!     let alive = env.keep_alive()?;
//!     // … an agent works in the instance, and gives an answer …
//!     let score = env.score(&task, "closed").await;
//!     alive.stop().await;
//!     env.close().await?;
//!     println!("{}: {}", task.key, score?);
//! }
//! # Ok(()) }
//! ```
//!
//! # Where to begin
//!
//! - [`Client`] has a method for every endpoint. [`Client::from_env`] reads `FLEET_API_KEY` (or the
//!   login that `flt login` left) and `FLEET_BASE_URL`.
//! - [`Environment`] is an instance one works in: [`Client::make`] and [`Task::make`] make one,
//!   [`Client::attach`] finds one. It beats ([`Environment::keep_alive`]), verifies, grades, looks
//!   into its data ([`Environment::db`]) and closes. The entry of the catalogue, from which
//!   instances are made, has the same name in the API: it is [`types::Environment`].
//! - [`manager`] looks into the data, files and browser of an instance, and compares them with what
//!   was expected.
//! - [`Session`] logs what an agent's model said; [`types::GradeBody`] asks the judge.
//! - [`types`] are the words of the wire, for both sides of it; [`task_file`] reads and writes files
//!   of tasks.
//!
//! The folder `examples` has a program for each of these.
//!
//! # What a call does on its own
//!
//! - It waits for its turn under the client's rates ([`RateLimits`]), and while the service asks for
//!   quiet (`Retry-After`). Heartbeats wait for nobody.
//! - It repeats attempts that may succeed later ([`RetryPolicy`]), always under the same
//!   `X-Request-ID`, within one deadline ([`Timeouts`], [`CallLimits`]).
//! - It reads answers within limits of size and time, and sorts errors ([`Error`]) by what a caller
//!   can do about them.
//!
//! It never follows a redirect, and a credential leaves in its own header alone. No `Debug`, error or
//! log shows one, also when the service quotes it.
//!
//! # What may grow
//!
//! - Errors and other enums that callers read are `#[non_exhaustive]`, and words of the wire keep an
//!   `Other(String)`. [`ScoreError`] is closed on purpose: whoever decides what a run without a score
//!   means should meet a new way of having none as a compiler error; so is [`types::Rubric`], which a
//!   server must be able to answer in all its forms.
//! - Structures that only this crate makes ([`Executed`](manager::Executed), [`types::InvalidId`]) are
//!   `#[non_exhaustive]` as well, or keep their fields to themselves.
//! - Settings and the types of the wire are plain records, because both sides of the wire and callers'
//!   tests build them: write them with `..Default::default()`, take them apart with `..`, and a new
//!   field of a minor version breaks nothing.

#![warn(missing_docs)]

pub mod bundle;
pub mod manager;
pub mod native_verifier;
pub mod pickle;
pub mod python_source;
pub mod request;
pub mod score;
pub mod task_file;
pub mod types;

mod address;
mod attempts;
mod build_error;
mod builder;
mod call;
mod classify;
mod client;
mod create;
mod credentials;
mod endpoints;
mod environment;
mod error;
mod judge;
mod rate;
mod retry;
mod secrets;
mod session;
mod task;
mod task_entries;
mod text;
mod transport;
mod verify;

pub use build_error::BuildError;
pub use builder::{ClientBuilder, DEFAULT_BASE_URL, DEFAULT_MAX_BODY, Timeouts};
pub use call::CallLimits;
pub use client::Client;
pub use create::{CreateInstance, DEFAULT_CREATE_TIMEOUT};
pub use credentials::{Credentials, Login};
pub use environment::{Environment, HasVerifier, KeepAlive, Lost, Make, VerifyError};
pub use error::{Awaited, Error, ErrorKind};
pub use judge::GradeError;
pub use rate::{Lane, RateLimits};
pub use request::TaskQuery;
pub use retry::{MAX_RETRY_AFTER, RetryPolicy};
pub use score::ScoreError;
pub use secrecy::SecretString;
pub use session::Session;
pub use task::{Task, VerifierSource};
pub use text::MAX_EXCERPT_BYTES;
pub use verify::{DEFAULT_VERIFIER_TIMEOUT, VerifyArgs};
