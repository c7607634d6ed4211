//! Moves one output stream from its pipe to its sink with bounded memory, until its end.

use std::io;

use redact::Redactor;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::head_tail::HeadTail;
use super::json_line::LastJsonLine;
use crate::exit::StreamStats;

/// As much as a pipe holds on Linux, so that one read can empty it.
const CHUNK_BYTES: usize = 64 << 10;

/// Where the kept bytes go.
#[derive(Debug)]
pub(crate) enum Store {
    File(File),
    Memory(Vec<u8>),
}

/// What a drained stream leaves.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    pub(crate) stats: StreamStats,
    pub(crate) last_json_line: Option<Vec<u8>>,
}

/// What is done with a stream on its way.
#[derive(Debug)]
pub(crate) struct Handling {
    /// The most bytes kept.
    pub(crate) limit: u64,
    /// Remember the last line that starts with `{`.
    pub(crate) watch: bool,
    /// Replaced before anything is kept or remembered.
    pub(crate) mask: Redactor,
}

/// Reads `pipe` to its end, or until `stop` fires, and keeps what `handling` says in `store`.
///
/// A store that cannot be written is given up, never the stream: a command must not block or
/// die because our disk is full.
pub(crate) async fn drain(
    mut pipe: pipe::Receiver,
    mut store: Store,
    handling: Handling,
    mut stop: oneshot::Receiver<()>,
) -> Drained {
    let mut keep = HeadTail::new(handling.limit);
    let mut watch = handling.watch.then(LastJsonLine::new);
    let mut mask = handling.mask.stream();
    let mut seen = 0;
    let mut stats = StreamStats::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        // Both arms may be dropped: a read that has not completed has taken nothing from the
        // pipe, and `stop` is only ever looked at here.
        let length = tokio::select! {
            biased;
            read = pipe.read(&mut chunk) => read,
            _ = &mut stop => break,
        };
        match length {
            Ok(0) => {
                stats.reached_end = true;
                break;
            }
            Ok(length) => {
                seen += length as u64;
                let bytes = mask.push(&chunk[..length]);
                if let Some(watch) = &mut watch {
                    watch.push(bytes);
                }
                let head = keep.push(bytes);
                stats.bytes_kept += store.write(head, &mut stats).await;
            }
            Err(error) => {
                tracing::warn!(%error, "an output stream could not be read");
                break;
            }
        }
    }
    let rest = mask.finish();
    if let Some(watch) = &mut watch {
        watch.push(rest);
    }
    let head = keep.push(rest);
    stats.bytes_kept += store.write(head, &mut stats).await;
    stats.bytes_seen = seen;
    // Masking changes lengths, so what was dropped is counted after it.
    let masked = keep.seen();
    let (marker, tail) = keep.finish();
    store.write(&marker, &mut stats).await;
    stats.bytes_kept += store.write(&tail, &mut stats).await;
    stats.truncated = stats.bytes_kept < masked;
    stats.memory = store.close(&mut stats).await;
    Drained {
        stats,
        last_json_line: watch.and_then(LastJsonLine::finish),
    }
}

impl Store {
    /// Gives back how many bytes were taken: all, or none after a failure.
    async fn write(&mut self, bytes: &[u8], stats: &mut StreamStats) -> u64 {
        if bytes.is_empty() || stats.write_error.is_some() {
            return 0;
        }
        let written = match self {
            Self::File(file) => file.write_all(bytes).await,
            Self::Memory(memory) => {
                memory.extend_from_slice(bytes);
                Ok(())
            }
        };
        note(written, stats);
        if stats.write_error.is_none() {
            bytes.len() as u64
        } else {
            0
        }
    }

    async fn close(self, stats: &mut StreamStats) -> Option<Vec<u8>> {
        match self {
            Self::File(mut file) => {
                // The last write runs on a blocking thread; its error only shows here.
                let flushed = file.flush().await;
                note(flushed, stats);
                None
            }
            Self::Memory(memory) => Some(memory),
        }
    }
}

fn note(result: io::Result<()>, stats: &mut StreamStats) {
    if let Err(error) = result {
        tracing::warn!(%error, "an output file could not be written; the rest of the stream is dropped");
        stats.write_error.get_or_insert_with(|| error.to_string());
        stats.truncated = true;
    }
}
