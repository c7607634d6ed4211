//! Reading a document in a process of its own.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use process_tree::{Limits, OutputSink, StdinSource, TreeCommand};
use tokio::sync::Semaphore;

use super::{Document, Kind};
use crate::error_chain;
use crate::programs::Programs;

/// Documents that are read at a time.
const PARALLEL: usize = 2;

/// Wall-clock time of one document.
const TIME: Duration = Duration::from_secs(30);

/// Processor time of one document, in seconds.
const CPU_SECONDS: u64 = 20;

/// Memory of one document.
const MEMORY: u64 = 768 * 1024 * 1024;

/// Bytes of the answer.
const ANSWER: u64 = 64 * 1024 * 1024;

/// Between the polite and the hard stop; it has nothing to save.
const GRACE: Duration = Duration::from_millis(200);

/// Reads documents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DocumentReader {
    program: PathBuf,
    programs: Programs,
    turns: Arc<Semaphore>,
}

/// A document could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is damaged, locked, or not what its name says.
    #[error("the document cannot be read: {0}")]
    Unreadable(String),
    /// It cost too much.
    #[error("the document cannot be read: it took too much time or memory")]
    TooMuch,
    /// The reading process could not be started.
    #[error("the document reader could not be started: {0}")]
    Start(String),
}

impl DocumentReader {
    /// A reader whose processes are `program`, which calls [`super::document_main`] when its first argument is `__document`.
    pub(crate) fn new(program: PathBuf, programs: Programs) -> Self {
        Self {
            program,
            programs,
            turns: Arc::new(Semaphore::new(PARALLEL)),
        }
    }

    /// Reads one document. Dropping the future ends the reading.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub async fn read(&self, kind: Kind, bytes: Vec<u8>) -> Result<Document, DocumentError> {
        let start = |error: std::io::Error| DocumentError::Start(error.to_string());
        let _turn = self
            .turns
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let folder = tempfile::Builder::new()
            .prefix("document-")
            .tempdir()
            .map_err(start)?;
        // A copy that nobody changes while it is read, and that is reached without following the instance's links.
        let file = folder.path().join("document");
        fs_err::File::create(&file)
            .and_then(|mut copy| copy.write_all(&bytes))
            .map_err(start)?;
        drop(bytes);

        let mut command = TreeCommand::new(&self.program, folder.path());
        command.args = ["__document", kind.as_str()].map(OsString::from).into();
        command.stdin = StdinSource::File(file);
        command.stdout = OutputSink::Memory { limit: ANSWER };
        command.grace = GRACE;
        command.limits = Limits {
            data_bytes: Some(MEMORY),
            cpu_seconds: Some(CPU_SECONDS),
            file_bytes: Some(0),
            ..Limits::default()
        };
        let started = self.programs.start("a reader of a document", command);
        let mut tree = started
            .await
            .map_err(|error| DocumentError::Start(error_chain(&error)))?;
        // `wait` may be called again.
        let Ok(exit) = tokio::time::timeout(TIME, tree.wait()).await else {
            tree.kill();
            tree.wait().await;
            return Err(DocumentError::TooMuch);
        };
        if exit.stdout.truncated {
            return Err(DocumentError::TooMuch);
        }
        let answer = exit.stdout.memory.unwrap_or_default();
        match serde_json::from_slice::<Result<Document, String>>(&answer) {
            Ok(read) => read.map_err(DocumentError::Unreadable),
            // It ended without an answer: by a signal, or for want of memory.
            Err(_) => Err(DocumentError::TooMuch),
        }
    }
}
