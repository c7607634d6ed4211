//! Makes an instance and stays with it until it runs.
//!
//! The service may answer before the instance is usable, or not at all although it made one. Both
//! end in looking at the instance until it runs, ends, or the time is up.

use std::time::Duration;

use tracing::debug;

use super::CreateInstance;
use crate::builder::DEFAULT_BASE_URL;
use crate::call::Call;
use crate::client::Client;
use crate::error::{Awaited, Error, ErrorKind};
use crate::request;
use crate::types::{Instance, InstanceId, InstanceStatus, Region, RequestId};

/// How long a create may take when nobody says otherwise.
pub const DEFAULT_CREATE_TIMEOUT: Duration = Duration::from_mins(15);

/// The longest time the service is asked to hold a create.
const MAX_WAIT_LIMIT: Duration = Duration::from_hours(1);

/// The service is asked to answer this much earlier than we stop waiting, so that a slow create
/// arrives as an answer and not as a timeout.
const WAIT_MARGIN: Duration = Duration::from_secs(30);

/// What a held request may take beyond the time the service was asked to hold it.
const HOLD_SLACK: Duration = Duration::from_secs(15);

/// A call with less than twice this left gives up: another look would not be answered in time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

const OPERATION: &str = "create instance";

impl Client {
    /// Makes an instance and returns it when it runs.
    ///
    /// If the service made the instance but its answer was lost, repeating with the same id finds
    /// it. An instance that ends while being awaited is a conflict. Whatever the error, an instance
    /// that is known to exist is in [`Error::instance_id`], and [`Error::is_ambiguous`] says when
    /// one may exist unseen.
    ///
    /// ```no_run
    /// # async fn example(fleet: fleet_api::Client) -> Result<(), fleet_api::Error> {
    /// use std::time::Duration;
    /// use fleet_api::CreateInstance;
    ///
    /// let create = CreateInstance::new("helpdesk:v1.2.0")
    ///     .data("desk-seed")
    ///     .run_id("run-42")
    ///     .heartbeat_interval(Duration::from_secs(30));
    /// let instance = fleet.create_instance(&create).await?;
    /// println!("{} is {}", instance.instance_id, instance.status);
    /// # Ok(()) }
    /// ```
    pub async fn create_instance(&self, create: &CreateInstance) -> Result<Instance, Error> {
        let timeout = create
            .timeout
            .or(self.deadline_limit())
            .unwrap_or(DEFAULT_CREATE_TIMEOUT);
        let timeout = self
            .deadline_limit()
            .map_or(timeout, |limit| limit.min(timeout));
        let max_wait = max_wait(create.max_wait, timeout);
        let call = self.begin_long(max_wait + HOLD_SLACK + self.timeouts().connect, timeout);
        let call = Call {
            deadline: call.begun + timeout,
            ..call
        };
        let request = request::create_instance(&create.body(max_wait));
        let request_id = create.request_id.unwrap_or_else(RequestId::new);
        let base = regional_base(self.base_url(), create.region.as_deref());
        let base = base.as_deref().unwrap_or(self.base_url());

        match self
            .run_at::<Instance>(base, &request, call, request_id)
            .await
        {
            Ok(instance) => {
                let usable = can_be_named(instance);
                let settled = match usable {
                    Ok(instance) => self.settle(instance, call).await,
                    Err(error) => Err(error),
                };
                settled.map_err(|error| error.with_request_id(request_id))
            }
            Err(error) => match error.kind() {
                ErrorKind::Conflict {
                    duplicate_request: true,
                    instance_id: Some(id),
                    ..
                } => {
                    let id = id.clone();
                    debug!(%request_id, instance_id = %id, "an earlier attempt made the instance");
                    self.look(&id, call)
                        .await
                        .map_err(|error| error.with_request_id(request_id))
                }
                _ => Err(error),
            },
        }
    }

    /// Waits for an instance that was answered in whatever state.
    async fn settle(&self, instance: Instance, call: Call) -> Result<Instance, Error> {
        let id = instance.instance_id.clone();
        let status = instance.status.clone();
        match judge(instance) {
            Progress::Done(outcome) => *outcome,
            Progress::Waiting => {
                self.pause_before_look(&id, status, call).await?;
                self.look(&id, call).await
            }
        }
    }

    /// Looks at the instance until it runs, ends, or the call's time is up.
    async fn look(&self, id: &InstanceId, call: Call) -> Result<Instance, Error> {
        let request = request::new_instance(id)
            .map_err(|error| Error::invalid_id(OPERATION, error).with_ambiguous(true))?;
        // Held requests are long; a look is not.
        let call = Call {
            attempt: self.timeouts().attempt,
            ..call
        };
        let mut status = InstanceStatus::Pending;
        loop {
            let instance: Instance = match self.run(&request, call, RequestId::new()).await {
                Ok(instance) => instance,
                // The time may be up in the middle of a look; what was missing is the instance.
                Err(_) if call.remaining().is_zero() => return Err(never_ran(id, status, call)),
                Err(error) => return Err(error.with_instance(id.clone()).with_ambiguous(true)),
            };
            status = instance.status.clone();
            match judge(instance) {
                Progress::Done(outcome) => return *outcome,
                Progress::Waiting => self.pause_before_look(id, status.clone(), call).await?,
            }
        }
    }

    async fn pause_before_look(
        &self,
        id: &InstanceId,
        status: InstanceStatus,
        call: Call,
    ) -> Result<(), Error> {
        // Half of what is left at most, so that a call of a few seconds looks as well.
        let poll = self.timeouts().poll;
        let pause = poll.min(call.remaining() / 2);
        if pause < poll.min(SHORTEST_PAUSE) {
            return Err(never_ran(id, status, call));
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// An instance whose id cannot stand in a URL could be neither kept alive nor closed: the answer is none, and the
/// instance is to be looked for by its run.
fn can_be_named(instance: Instance) -> Result<Instance, Error> {
    let Err(invalid) = request::close_instance(&instance.instance_id) else {
        return Ok(instance);
    };
    let kind = ErrorKind::Undecodable {
        reason: invalid.to_string(),
        excerpt: String::new(),
    };
    Err(Error::new(OPERATION, kind).with_ambiguous(true))
}

/// The time is up, and the instance is left as it was last seen.
fn never_ran(id: &InstanceId, status: InstanceStatus, call: Call) -> Error {
    let kind = ErrorKind::Timeout {
        after: call.begun.elapsed(),
        awaited: Awaited::Instance(status),
    };
    Error::new(OPERATION, kind)
        .with_instance(id.clone())
        .with_ambiguous(true)
}

enum Progress {
    Done(Box<Result<Instance, Error>>),
    Waiting,
}

fn judge(instance: Instance) -> Progress {
    if instance.status.is_running() {
        return Progress::Done(Box::new(Ok(instance)));
    }
    if !instance.status.is_ended() {
        return Progress::Waiting;
    }
    let (id, status) = (instance.instance_id, instance.status);
    let kind = ErrorKind::Conflict {
        message: format!("instance {id} has ended (its status is {status})"),
        instance_id: Some(id.clone()),
        duplicate_request: false,
        resource: None,
    };
    Progress::Done(Box::new(Err(Error::new(OPERATION, kind).with_instance(id))))
}

/// How long the service may hold the request.
fn max_wait(asked: Option<Duration>, timeout: Duration) -> Duration {
    asked
        .unwrap_or_else(|| timeout.saturating_sub(WAIT_MARGIN))
        .min(MAX_WAIT_LIMIT)
}

/// Only creates at Fleet's global address go to a region's own; elsewhere the body tells it.
fn regional_base(base: &str, region: Option<&str>) -> Option<String> {
    let own = Region::from(region?).base_url()?;
    (base == DEFAULT_BASE_URL).then(|| own.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_asked_to_answer_before_we_give_up() {
        let seconds = |asked: Option<u64>, timeout| {
            max_wait(asked.map(Duration::from_secs), Duration::from_secs(timeout)).as_secs()
        };
        assert_eq!(seconds(None, 900), 870);
        assert_eq!(seconds(None, 10), 0);
        assert_eq!(seconds(None, 100_000), 3600);
        assert_eq!(seconds(Some(7), 900), 7);
        assert_eq!(seconds(Some(7_000), 900), 3600);
    }

    #[test]
    fn only_the_global_address_has_regional_ones() {
        let base = |base, region| regional_base(base, Some(region));
        assert_eq!(
            base(DEFAULT_BASE_URL, "eu-west-2").as_deref(),
            Some("https://eu-west-2.fleetai.com")
        );
        assert_eq!(base(DEFAULT_BASE_URL, "mars-1"), None);
        assert_eq!(base("http://127.0.0.1:1", "eu-west-2"), None);
        assert_eq!(regional_base(DEFAULT_BASE_URL, None), None);
    }
}
