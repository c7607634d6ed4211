//! Rows that no test proves, each with the reason. A row that gets a test leaves this list.

pub(super) const EXCEPTIONS: &[(&str, &str)] = &[];
