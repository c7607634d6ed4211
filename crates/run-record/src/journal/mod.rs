//! The journal file: one checksummed JSON line per event, appended and synced in groups.
//!
//! `line` is the format, `write` appends, `read` replays, `salvage` makes a damaged journal usable again.

mod holder;
mod line;
mod read;
mod reserve;
mod salvage;
mod write;

pub use line::FORMAT_VERSION;
pub use read::{JournalReader, Replay, ReplayError, replay};
pub use salvage::{SalvageError, Salvaged, salvage};
pub use write::{Journal, JournalError, JournalHold, JournalStore, Room};

#[cfg(test)]
mod tests;
