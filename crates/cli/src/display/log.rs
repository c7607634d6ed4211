//! Log lines and live area share one terminal: every line goes above the area while there is one.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::MultiProgress;
use tracing_subscriber::fmt::MakeWriter;

use crate::secrets::masked;

/// The live area that is on the screen now.
static AREA: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Puts a live area on the screen, or takes it away.
pub(crate) fn set_area(area: Option<MultiProgress>) {
    *AREA.lock().unwrap_or_else(PoisonError::into_inner) = area;
}

/// Writes a line above the live area, or just writes it.
pub(crate) fn line(text: &str) {
    let text = masked(text);
    let write = || {
        // Nothing can be done about a terminal that is gone; the run goes on.
        let _ = writeln!(anstream::stderr(), "{text}");
    };
    let area = AREA.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match area {
        Some(area) => area.suspend(write),
        None => write(),
    }
}

/// The writer of tracing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        line(String::from_utf8_lossy(bytes).trim_end_matches('\n'));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
