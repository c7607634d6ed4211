//! The instance manager: resources, SQLite, reset, diff.
