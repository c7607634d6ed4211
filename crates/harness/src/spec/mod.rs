//! The run spec: reading, checking, resolving.
