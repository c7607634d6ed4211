//! Writes down every request that the server gets, as one JSON line each, for people who want to know
//! what a client really sends.
//!
//! Responsible for copying a request while it passes, masking what is secret in it, and bounding what
//! is kept. It changes nothing about how a request is answered. What apps of instances are asked is
//! not recorded: that is the agent's work, not the Fleet API.

mod entry;
mod mask;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use futures::TryStreamExt as _;
use http::request::Parts;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use self::entry::Entry;
use self::mask::Mask;
use self::writer::Lines;
pub(crate) use self::writer::open;

/// Bytes of one body that are kept. Bundles of verifiers, the longest bodies that are of interest,
/// are far below it.
const BODY_LIMIT: usize = 1 << 20;

/// Whose request it was, and which instance's.
#[derive(Debug, Clone)]
pub(crate) enum Plane {
    Control,
    Manager { instance: String },
}

/// The URI as it was sent, where it was tidied before it was routed.
#[derive(Debug, Clone)]
pub(crate) struct AsSent(pub(crate) http::Uri);

/// Where requests are written down. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    lines: Lines,
    mask: Arc<Mask>,
}

impl Recorder {
    /// `api_key` is masked wherever it appears.
    pub(crate) fn new(lines: Lines, api_key: Option<&SecretString>) -> Self {
        Self {
            lines,
            mask: Arc::new(Mask::new(api_key.map(SecretString::expose_secret))),
        }
    }

    /// `router`, with every request to it recorded.
    pub(crate) fn around<S: Clone + Send + Sync + 'static>(
        &self,
        router: Router<S>,
        plane: Plane,
    ) -> Router<S> {
        router.layer(middleware::from_fn_with_state(
            (self.clone(), plane),
            record,
        ))
    }

    /// Returns when everything that was answered before is in the file.
    pub(crate) async fn flush(&self) {
        self.lines.flush().await;
    }
}

async fn record(
    State((recorder, plane)): State<(Recorder, Plane)>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let body_seen = Arc::new(Mutex::new(Seen::default()));
    let mut pending = Pending::new(&recorder, plane, &parts, Arc::clone(&body_seen));
    let copied = body
        .into_data_stream()
        .inspect_ok(move |piece| lock(&body_seen).push(piece));
    let response = next
        .run(Request::from_parts(parts, Body::from_stream(copied)))
        .await;
    if let Some(line) = pending.line(Some(response.status().as_u16())) {
        recorder.lines.write(line).await;
    }
    response
}

/// What was read of a body.
#[derive(Debug, Default)]
struct Seen {
    kept: Vec<u8>,
    bytes: u64,
}

impl Seen {
    fn push(&mut self, piece: &Bytes) {
        self.bytes += piece.len() as u64;
        let room = BODY_LIMIT - self.kept.len();
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request that has no answer yet. One whose client hangs up never gets one: its handler is
/// dropped, and this with it, which is then recorded.
struct Pending {
    recorder: Recorder,
    /// None once the line was made.
    entry: Option<Entry>,
    begun: Instant,
    body: Arc<Mutex<Seen>>,
}

impl Pending {
    fn new(recorder: &Recorder, plane: Plane, parts: &Parts, body: Arc<Mutex<Seen>>) -> Self {
        let uri = match (
            parts.extensions.get::<AsSent>(),
            parts.extensions.get::<OriginalUri>(),
        ) {
            (Some(AsSent(uri)), _) | (None, Some(OriginalUri(uri))) => uri,
            (None, None) => &parts.uri,
        };
        Self {
            recorder: recorder.clone(),
            entry: Some(Entry::new(Timestamp::now(), plane, parts, uri)),
            begun: Instant::now(),
            body,
        }
    }

    fn line(&mut self, status: Option<u16>) -> Option<String> {
        let entry = self.entry.take()?;
        let seen = std::mem::take(&mut *lock(&self.body));
        Some(entry.line(&seen, status, self.begun.elapsed(), &self.recorder.mask))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(line) = self.line(None) {
            // Nobody can wait here; a full queue costs this line and says so.
            self.recorder.lines.write_now(line);
        }
    }
}
