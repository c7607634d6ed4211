//! Replaces secrets in what is written: streams, texts and files of bytes.
//!
//! A [`Redactor`] is made once of the secrets of a run and shared. For each secret it knows the forms in which
//! programs usually print it (`forms`), and it finds them across the borders of chunks ([`Stream`]). It knows
//! nothing of where a secret comes from, nor of what is done with the text; only [`names_a_secret`] says of a name that
//! its value is probably one.
//!
//! What it cannot do: a secret that is compressed, encrypted, printed character by character, or wrapped by `base64`
//! into lines at a place nobody can foresee is not found.

mod forms;
mod name;
mod redactor;
mod stream;

pub use name::names_a_secret;
pub use redactor::{MASK, MIN_SECRET_BYTES, Redactor};
pub use stream::Stream;
