//! A typed client for the Fleet API, and the types of its wire.
//!
//! It knows HTTP and the words of the API: instances, tasks, verifiers. It knows nothing of runs on
//! this machine, of trials or of results; those are other crates' business.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use fleet_api::{Client, CreateInstance, TaskQuery, VerifyArgs};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let key = std::env::var("FLEET_API_KEY")?;
//! let fleet = Client::builder(key.into()).build()?;
//!
//! for task in fleet.tasks(&TaskQuery::project("my-project")).await? {
//!     let create = CreateInstance::for_task(&task).ttl(Duration::from_secs(3600));
//!     let instance = fleet.create_instance(&create).await?;
//!     // … an agent works in the instance …
//!     if let Some(verifier) = &task.verifier {
//!         let args = VerifyArgs::answer(Some("closed"));
//!         let answer = fleet.verify(verifier, &instance.instance_id, &args).await?;
//!         println!("{}: {}", task.key, answer.score()?);
//!     }
//!     fleet.close_instance(&instance.instance_id).await?;
//! }
//! # Ok(()) }
//! ```
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
//! It never follows a redirect, and the API key leaves in the `Authorization` header alone.

pub mod bundle;
pub mod manager;
pub mod native_verifier;
pub mod pickle;
pub mod python_source;
pub mod request;
pub mod score;
pub mod task_file;
pub mod types;

mod builder;
mod classify;
mod client;
mod create;
mod endpoints;
mod error;
mod rate;
mod retry;
mod task;
mod task_entries;
mod text;
mod transport;
mod verify;

pub use builder::{BuildError, ClientBuilder, DEFAULT_BASE_URL, DEFAULT_MAX_BODY, Timeouts};
pub use client::{CallLimits, Client};
pub use create::{CreateInstance, DEFAULT_CREATE_TIMEOUT};
pub use error::{Awaited, Error, ErrorKind};
pub use rate::{Lane, RateLimits};
pub use request::TaskQuery;
pub use retry::{MAX_RETRY_AFTER, RetryPolicy};
pub use score::ScoreError;
pub use secrecy::SecretString;
pub use task::{Task, VerifierSource};
pub use text::MAX_EXCERPT_BYTES;
pub use verify::{DEFAULT_VERIFIER_TIMEOUT, VerifyArgs};
