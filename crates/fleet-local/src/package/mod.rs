//! Environment packages: the folders with an `environment.yaml` from which instances are made.

mod check;
mod discover;
mod manifest;
mod ordered;
mod placeholder;
mod template;

pub use discover::{DiscoverError, discover};
pub use manifest::{AppManifest, DataSet, DatabasePaths, Package, PackageError, load};
pub(crate) use manifest::{is_variable_name, seed_placeholder};
pub(crate) use ordered::OrderedMap;
pub use placeholder::PlaceholderError;
pub(crate) use placeholder::Values;
pub(crate) use template::{TemplateError, Templates};
