//! What an environment package is, and how it answers for versions and data. The checks of its
//! manifest are in `check`; nothing is started and no data is built here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::PlaceholderError;
use crate::seam::CURRENT;

/// The file that makes a folder a package.
pub(crate) const MANIFEST: &str = "environment.yaml";

/// An environment package, checked.
#[derive(Debug, Clone)]
pub struct Package {
    /// The folder of the package, absolute.
    pub dir: PathBuf,
    /// The environment key; safe in a URL.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// One sentence or more, if given.
    pub description: Option<String>,
    /// Version → what the package says of it (a date as a rule), in the order of the file.
    pub versions: Vec<(String, String)>,
    /// The version of an instance that asks for none.
    pub default_version: String,
    /// Data key → what a fresh instance starts from, in the order of the file.
    pub data: Vec<(String, DataSet)>,
    /// Commands run once per instance before the apps, in order. No shell is involved.
    pub setup: Vec<Vec<String>>,
    /// The apps by name, in the order in which they start. At least one.
    pub apps: Vec<(String, AppManifest)>,
    /// How long setup and apps together may take to become ready.
    pub start_timeout: Duration,
    /// Memory limit of one instance's processes, in bytes.
    pub memory_limit: Option<u64>,
    /// Task files of the package, absolute.
    pub tasks: Vec<PathBuf>,
}

/// What `data` says under one data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// Files used when no version is asked for, or when the set is not versioned.
    pub databases: DatabasePaths,
    /// Version → files. Empty: the set is not versioned and answers to every version.
    pub versions: Vec<(String, DatabasePaths)>,
}

impl DataSet {
    /// Whether there is a database of this data name in any of its versions.
    pub fn has(&self, name: &str) -> bool {
        self.databases.contains_key(name)
            || self
                .versions
                .iter()
                .any(|(_, files)| files.contains_key(name))
    }
}

/// Data name → `.sql` script or `.db` file, absolute.
pub type DatabasePaths = BTreeMap<String, PathBuf>;

/// One app of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppManifest {
    /// Program and arguments, with placeholders.
    pub command: Vec<String>,
    /// Path that answers 2xx when the app is ready. None: ready as soon as it accepts a connection.
    pub health: Option<String>,
    /// Path of the page to start with.
    pub url: String,
    /// Environment variables, with placeholders.
    pub env: Vec<(String, String)>,
    /// Name under which the app's own manager offers a database → data name. Empty: it offers all data under their own names.
    pub databases: Vec<(String, String)>,
    /// Path of its MCP endpoint; none: `/mcp`, if it has one.
    pub mcp: Option<String>,
    /// Path of an MCP endpoint that works like a person at a screen, for instances of image type `mcp`.
    pub computer_mcp: Option<String>,
}

/// Why a package cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The manifest could not be read.
    #[error("could not read the environment package")]
    Read(#[source] std::io::Error),
    /// The manifest is not what contract §8 says. The text names line and column.
    #[error("{}: {message}", file.display())]
    Syntax {
        /// The manifest.
        file: PathBuf,
        /// The parser's message with line, column and an excerpt.
        message: String,
    },
    /// A value that parses but cannot be.
    #[error("{}: {key}: {problem}", file.display())]
    Invalid {
        /// The manifest.
        file: PathBuf,
        /// The key in dotted form.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A text with a placeholder that is not known where it stands.
    #[error("{}: {key}", file.display())]
    Placeholder {
        /// The manifest.
        file: PathBuf,
        /// The key in dotted form.
        key: String,
        /// What is wrong.
        #[source]
        source: PlaceholderError,
    },
}

/// Reads the package in the folder `dir`.
pub fn load(dir: &Path) -> Result<Package, PackageError> {
    let dir = fs_err::canonicalize(dir).map_err(PackageError::Read)?;
    let file = dir.join(MANIFEST);
    let text = fs_err::read_to_string(&file).map_err(PackageError::Read)?;
    super::check::parse(&text, &dir, &file)
}

/// The placeholder of the read-only twin of a database.
pub(crate) fn seed_placeholder(name: &str) -> String {
    if name == CURRENT {
        "db:seed".to_owned()
    } else {
        format!("db:{name}:seed")
    }
}

/// Whether the operating system takes `name` as the name of an environment variable.
pub(crate) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

impl Package {
    /// Whether there is an app with computer use for instances of image type `mcp`.
    pub fn has_computer_mcp(&self) -> bool {
        self.apps.iter().any(|(_, app)| app.computer_mcp.is_some())
    }

    /// The version to use for `wanted`: the default one for `None` and the empty text. `None` if it
    /// is not known.
    pub fn resolve_version<'a>(&'a self, wanted: Option<&'a str>) -> Option<&'a str> {
        match wanted {
            // The SDK's `make_for_task` sends the text "None" for a task without a version.
            None | Some("" | "None") => Some(&self.default_version),
            Some(wanted) => self
                .versions
                .iter()
                .map(|(version, _)| version.as_str())
                .find(|version| *version == wanted),
        }
    }

    /// The data key of an instance that asks for none: `default`, or the first one. `None` if the
    /// package has no data.
    pub fn default_data_key(&self) -> Option<&str> {
        self.data
            .iter()
            .map(|(key, _)| key.as_str())
            .find(|key| *key == "default")
            .or_else(|| self.data.first().map(|(key, _)| key.as_str()))
    }

    /// The databases of a data key and version. `None` if either is not known.
    pub fn databases(&self, data_key: &str, version: Option<&str>) -> Option<&DatabasePaths> {
        let set = self
            .data
            .iter()
            .find(|(key, _)| key == data_key)
            .map(|(_, set)| set)?;
        match version {
            None | Some("" | "None") => Some(&set.databases),
            Some(_) if set.versions.is_empty() => Some(&set.databases),
            Some(wanted) => set
                .versions
                .iter()
                .find(|(version, _)| version == wanted)
                .map(|(_, databases)| databases),
        }
    }
}
