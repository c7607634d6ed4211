//! The files of an instance.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::types::lenient;

/// Bytes of a file's content that are answered when nobody says otherwise.
const MAX_CONTENT: u64 = 102_400;

/// Bytes of a document that are read when nobody says otherwise.
const MAX_DOCUMENT: u64 = 10_485_760;

/// Answer of `POST /diff/fs`: the files that were written since the instance began.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileDiff {
    /// Whether it worked.
    pub success: bool,
    /// The files, by path.
    #[serde(default)]
    pub files: Vec<FileDiffEntry>,
    /// How many there are.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total_files: u64,
    /// Their bytes.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub total_size: u64,
    /// How the service knows.
    #[serde(default, deserialize_with = "lenient::text")]
    pub source: String,
    /// What happened, for people.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
    /// Why it did not work.
    #[serde(default)]
    pub error: Option<String>,
}

/// One file of a [`FileDiff`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileDiffEntry {
    /// Where it is.
    pub path: String,
    /// Its bytes.
    #[serde(default, deserialize_with = "lenient::count_or_zero")]
    pub size: u64,
    /// When it was written, ISO 8601.
    #[serde(default, deserialize_with = "lenient::text")]
    pub modified_time: String,
    /// What it is, for example `text` or `pdf`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub file_type: String,
    /// Its text, when it has some.
    #[serde(default)]
    pub content: Option<String>,
}

/// Body of `POST /fs/file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileStateBody {
    /// The file.
    pub path: String,
    /// Whether its content is wanted.
    #[serde(default = "with_content")]
    pub include_content: bool,
    /// Bytes of content at most.
    #[serde(default = "max_content", deserialize_with = "lenient::whole")]
    pub max_content_size: u64,
}

/// Body of `POST /fs/file/text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileTextBody {
    /// The file.
    pub path: String,
    /// Bytes of content at most.
    #[serde(default = "max_content", deserialize_with = "lenient::whole")]
    pub max_content_size: u64,
}

/// Body of `POST /fs/doc/text`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DocumentTextBody {
    /// The document.
    pub path: String,
    /// Bytes that are read at most.
    #[serde(default = "max_document", deserialize_with = "lenient::whole")]
    pub max_size: u64,
}

/// Body of `POST /fs/doc/metadata` and `POST /fs/doc/structured`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FilePathBody {
    /// The document.
    pub path: String,
}

const fn with_content() -> bool {
    true
}

const fn max_content() -> u64 {
    MAX_CONTENT
}

const fn max_document() -> u64 {
    MAX_DOCUMENT
}

impl FileStateBody {
    /// The file at `path`, with its content.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            include_content: with_content(),
            max_content_size: max_content(),
        }
    }
}

impl FileTextBody {
    /// The text of the file at `path`.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            max_content_size: max_content(),
        }
    }
}

impl DocumentTextBody {
    /// The text of the document at `path`.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            max_size: max_document(),
        }
    }
}

/// Answer of `POST /fs/file`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileState {
    /// Whether it worked; a file that does not exist is no failure.
    pub success: bool,
    /// The file.
    #[serde(default, deserialize_with = "lenient::text")]
    pub path: String,
    /// Whether it exists.
    pub exists: bool,
    /// Its bytes.
    #[serde(default, deserialize_with = "lenient::count")]
    pub size: Option<u64>,
    /// When it was written, ISO 8601.
    #[serde(default)]
    pub modified_time: Option<String>,
    /// What it is, for example `text` or `pdf`.
    #[serde(default)]
    pub file_type: Option<String>,
    /// Its text, when it has some and it was wanted.
    #[serde(default)]
    pub content: Option<String>,
    /// What happened, for people.
    #[serde(default)]
    pub message: Option<String>,
    /// Why it did not work.
    #[serde(default)]
    pub error: Option<String>,
}

/// Answer of `POST /fs/doc/metadata`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DocumentMetadata {
    /// Whether it worked.
    pub success: bool,
    /// The document.
    #[serde(default, deserialize_with = "lenient::text")]
    pub path: String,
    /// What it is, for example `pdf`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub file_type: String,
    /// What it says of itself: title, author, pages.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// Answer of `POST /fs/doc/structured`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DocumentStructure {
    /// Whether it worked.
    pub success: bool,
    /// The document.
    #[serde(default, deserialize_with = "lenient::text")]
    pub path: String,
    /// What it is, for example `xlsx`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub file_type: String,
    /// Its parts: sheets and cells, paragraphs, pages.
    #[serde(default)]
    pub data: Map<String, Value>,
}
