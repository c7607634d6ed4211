//! The file of recorded requests and the thread that writes it.

use std::io::{self, Write};
use std::path::Path;

use fs_err::os::unix::fs::OpenOptionsExt as _;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

/// The file never grows beyond this; a server that is recorded by mistake for a week must not fill
/// the disk.
const FILE_LIMIT: u64 = 256 << 20;

/// Lines that wait for the disk. Requests wait with them when it is full.
const QUEUE: usize = 256;

#[derive(Debug)]
enum Job {
    Line(String),
    Flush(oneshot::Sender<()>),
}

/// The way to the file. Cheap to clone; the thread ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Lines(mpsc::Sender<Job>);

/// Opens the file for appending, readable for its owner alone, and starts the thread that writes it.
pub(crate) fn open(path: &Path) -> io::Result<Lines> {
    let file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let written = file.metadata()?.len();
    let (lines, jobs) = mpsc::channel(QUEUE);
    std::thread::Builder::new()
        .name("recorder".to_owned())
        .spawn(move || write(jobs, BoundedFile::new(file, written, FILE_LIMIT)))?;
    Ok(Lines(lines))
}

impl Lines {
    /// Waits for room in the queue.
    pub(super) async fn write(&self, line: String) {
        // Fails only when the thread is gone, which said why.
        let _ = self.0.send(Job::Line(line)).await;
    }

    /// Does not wait: without room the line is lost.
    pub(super) fn write_now(&self, line: String) {
        if self.0.try_send(Job::Line(line)).is_err() {
            tracing::warn!("a request whose client hung up was not recorded: the disk is too slow");
        }
    }

    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.0.send(Job::Flush(done)).await.is_ok() {
            let _ = flushed.await;
        }
    }
}

fn write(mut jobs: mpsc::Receiver<Job>, mut file: BoundedFile<impl Write>) {
    while let Some(job) = jobs.blocking_recv() {
        match job {
            Job::Line(line) => {
                if let Err(error) = file.line(&line) {
                    tracing::warn!("requests are no longer recorded: {error}");
                    return;
                }
            }
            // Each line is one write, so everything before this one is in the file.
            Job::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// A file that takes whole lines until it is full.
struct BoundedFile<F> {
    file: F,
    written: u64,
    limit: u64,
    is_full: bool,
}

impl<F: Write> BoundedFile<F> {
    fn new(file: F, written: u64, limit: u64) -> Self {
        Self {
            file,
            written,
            limit,
            is_full: false,
        }
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        if self.is_full {
            return Ok(());
        }
        let last;
        let line = if self.written + line.len() as u64 > self.limit {
            self.is_full = true;
            tracing::warn!("the file of recorded requests is full; nothing more is recorded");
            let note = "the file has reached its limit; nothing more is recorded";
            last = format!("{}\n", json!({"note": note, "limit_bytes": self.limit}));
            &last
        } else {
            line
        };
        self.written += line.len() as u64;
        self.file.write_all(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_gets_one_note_and_no_half_line() {
        let mut bytes = Vec::new();
        let mut file = BoundedFile::new(&mut bytes, 0, 10);
        for line in ["1234\n", "5678\n", "9\n", "a\n"] {
            file.line(line).unwrap();
        }
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["1234", "5678"]);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].contains(r#""limit_bytes":10"#), "{text}");
    }
}
