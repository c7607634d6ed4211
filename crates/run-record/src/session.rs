//! What the service's session of an attempt has taken so far: a fold beside the attempt's own state.
//!
//! A session says nothing of a trial's result and holds nothing at the service, so it has no place in the order of an
//! attempt's steps; it has one of its own. Its events may come long after the attempt is closed, in another sitting.

use serde::{Deserialize, Serialize};

use crate::{Event, IllegalTransition, RequestId, Step};

/// How a session ended at the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The agent came to its own end, and its work has a score.
    Completed,
    /// The agent ended badly, or the infrastructure did not let its work be scored.
    Failed,
}

impl SessionEnd {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// The request of a session whose answer is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    /// Its idempotency key: whoever repeats it sends this one.
    pub request_id: RequestId,
    /// Messages of the session before it.
    pub offset: u64,
    /// Messages in it; 0 if it only says how the session ended.
    pub messages: u64,
}

/// The session of an attempt as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id, once the service has told it.
    pub session_id: Option<String>,
    /// Messages that the service has confirmed.
    pub messages: u64,
    /// What may be there without a confirmation.
    pub pending: Option<SessionRequest>,
    /// How it ended; absent while something of it is missing at the service.
    pub end: Option<SessionEnd>,
    /// Why it could not be delivered the last time.
    pub error: Option<String>,
    /// True if it is not tried again: the service does not want it, or there is nothing to send.
    pub given_up: bool,
}

impl SessionRecord {
    /// Whether nothing more is to be sent.
    pub fn is_settled(&self) -> bool {
        self.end.is_some() || self.given_up
    }

    /// `completed` or `failed` once it is whole, `undelivered` if it was given up, else `pending`.
    pub fn as_str(&self) -> &'static str {
        match (self.end, self.given_up) {
            (Some(end), _) => end.as_str(),
            (None, true) => "undelivered",
            (None, false) => "pending",
        }
    }

    /// Takes an event of the session, if it is legal here. On an error nothing changes.
    ///
    /// One request is under way at a time, it begins where the confirmed ones ended, and only it is confirmed: that no
    /// message is in a session twice or missing is these three.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        let refuse = |event| {
            Err(IllegalTransition {
                from: Step::Released,
                event,
            })
        };
        match event {
            Event::SessionIntended {
                request_id,
                offset,
                messages,
                ..
            } => {
                let request = SessionRequest {
                    request_id: *request_id,
                    offset: *offset,
                    messages: *messages,
                };
                // A repeat is the same request.
                let is_repeat = self.pending.is_none_or(|pending| pending == request);
                if self.is_settled() || *offset != self.messages || !is_repeat {
                    return refuse("session_intended");
                }
                self.pending = Some(request);
                self.error = None;
            }
            Event::SessionIngested {
                session_id,
                messages,
                end,
                ..
            } => {
                let expected = self.pending.map(|sent| sent.offset + sent.messages);
                let same = self
                    .session_id
                    .as_ref()
                    .is_none_or(|known| known == session_id);
                if self.is_settled() || expected != Some(*messages) || !same {
                    return refuse("session_ingested");
                }
                self.session_id = Some(session_id.clone());
                self.messages = *messages;
                self.pending = None;
                self.end = *end;
            }
            Event::SessionFailed {
                message, given_up, ..
            } => {
                if self.is_settled() {
                    return refuse("session_failed");
                }
                self.error = Some(message.clone());
                self.given_up = *given_up;
            }
            _ => return refuse("another event"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attempt, fixtures};

    fn intended(id: u128, offset: u64, messages: u64) -> Event {
        Event::SessionIntended {
            trial: fixtures::trial("a"),
            attempt: Attempt::FIRST,
            request_id: RequestId(uuid::Uuid::from_u128(id)),
            offset,
            messages,
        }
    }

    fn ingested(session: &str, messages: u64, end: Option<SessionEnd>) -> Event {
        Event::SessionIngested {
            trial: fixtures::trial("a"),
            attempt: Attempt::FIRST,
            session_id: session.to_owned(),
            messages,
            end,
        }
    }

    fn failed(given_up: bool) -> Event {
        Event::SessionFailed {
            trial: fixtures::trial("a"),
            attempt: Attempt::FIRST,
            message: "503".to_owned(),
            given_up,
        }
    }

    fn all(events: &[Event]) -> Result<SessionRecord, IllegalTransition> {
        let mut session = SessionRecord::default();
        for event in events {
            session.apply(event)?;
        }
        Ok(session)
    }

    #[test]
    fn a_session_grows_request_by_request_to_its_end() {
        let session = all(&[
            intended(1, 0, 32),
            failed(false),
            intended(1, 0, 32),
            ingested("s", 32, None),
            intended(2, 32, 8),
            ingested("s", 40, Some(SessionEnd::Completed)),
        ])
        .unwrap();
        assert_eq!((session.messages, session.as_str()), (40, "completed"));
        assert!(session.is_settled() && session.pending.is_none() && session.error.is_none());
    }

    #[test]
    fn x1_nothing_is_sent_twice_left_out_or_confirmed_unasked() {
        let wrong: [&[Event]; 8] = [
            &[ingested("s", 1, None)],
            &[intended(1, 5, 1)],
            // Another request while the first may have arrived.
            &[intended(1, 0, 2), intended(2, 0, 2)],
            &[intended(1, 0, 2), intended(1, 0, 3)],
            &[intended(1, 0, 2), ingested("s", 3, None)],
            &[
                intended(1, 0, 2),
                ingested("s", 2, None),
                intended(2, 2, 1),
                ingested("other", 3, None),
            ],
            &[
                intended(1, 0, 2),
                ingested("s", 2, Some(SessionEnd::Failed)),
                intended(2, 2, 1),
            ],
            &[failed(true), intended(1, 0, 1)],
        ];
        for events in wrong {
            assert!(all(events).is_err(), "{events:?}");
        }
        assert_eq!(all(&[failed(true)]).unwrap().as_str(), "undelivered");
        assert_eq!(all(&[intended(1, 0, 2)]).unwrap().as_str(), "pending");
    }
}
