//! Measurements on the release binary: what grows (`soak`) and how far from the machine's limit it is (`bench`).

pub(crate) mod bench;
mod place;
mod process;
pub(crate) mod soak;

pub(crate) use place::{APP, app};
