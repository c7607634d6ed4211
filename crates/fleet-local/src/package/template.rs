//! Seeds as ready database files. A script is run once per content, not once per instance; an
//! instance gets a file copy.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Package;

/// Part of every cache key, so that a change of how templates are built does not meet old files.
const FORMAT: &[u8] = b"template 1\n";

/// Why a seed could not be made into a database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TemplateError {
    #[error("could not prepare the data of an environment package")]
    Io(#[source] io::Error),
    #[error("{} is not valid for SQLite", file.display())]
    Sql {
        file: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
}

/// The built seeds, by source file. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Templates(Arc<BTreeMap<PathBuf, PathBuf>>);

impl Templates {
    /// Builds what is missing under `cache` for every data set of the packages. Blocking.
    pub(crate) fn build<'a>(
        packages: impl Iterator<Item = &'a Package>,
        cache: &Path,
    ) -> Result<Self, TemplateError> {
        fs_err::create_dir_all(cache).map_err(TemplateError::Io)?;
        let mut built = BTreeMap::new();
        for package in packages {
            let versioned = package
                .data
                .iter()
                .flat_map(|(_, set)| set.versions.iter().map(|(_, databases)| databases));
            let plain = package.data.iter().map(|(_, set)| &set.databases);
            for source in versioned
                .chain(plain)
                .flat_map(|databases| databases.values())
            {
                if !built.contains_key(source) {
                    built.insert(source.clone(), template(source, cache)?);
                }
            }
        }
        Ok(Self(Arc::new(built)))
    }

    /// The template of a source file that a package named.
    pub(crate) fn get(&self, source: &Path) -> &Path {
        self.0
            .get(source)
            .expect("every data file of every loaded package has a template")
    }
}

fn template(source: &Path, cache: &Path) -> Result<PathBuf, TemplateError> {
    let content = fs_err::read(source).map_err(TemplateError::Io)?;
    let is_script = source
        .extension()
        .is_some_and(|extension| extension == "sql");
    let mut hash = Sha256::new();
    hash.update(FORMAT);
    hash.update(if is_script { b"sql\n" } else { b"db \n" });
    hash.update(&content);
    let path = cache.join(format!("{}.db", hex::encode(hash.finalize())));
    if path.is_file() {
        return Ok(path);
    }

    // Built beside its place and renamed, so that a second server with the same cache never sees
    // half a file.
    let build = tempfile::Builder::new()
        .prefix(".build-")
        .suffix(".db")
        .tempfile_in(cache)
        .map_err(TemplateError::Io)?;
    let sql = |error| TemplateError::Sql {
        file: source.to_owned(),
        source: error,
    };
    if is_script {
        let script = String::from_utf8(content).map_err(|error| {
            TemplateError::Io(io::Error::new(io::ErrorKind::InvalidData, error))
        })?;
        let connection = rusqlite::Connection::open(build.path()).map_err(sql)?;
        connection.execute_batch(&script).map_err(sql)?;
        finish(&connection).map_err(sql)?;
        connection.close().map_err(|(_, error)| sql(error))?;
    } else {
        // Through a copy: the package's own file is never opened, so no journal appears beside it.
        fs_err::write(build.path(), &content).map_err(TemplateError::Io)?;
        let connection = rusqlite::Connection::open(build.path()).map_err(sql)?;
        finish(&connection).map_err(sql)?;
        connection.close().map_err(|(_, error)| sql(error))?;
    }
    build
        .persist(&path)
        .map_err(|error| TemplateError::Io(error.error))?;
    Ok(path)
}

/// Makes the database one self-contained file: instances are made by copying exactly one file.
fn finish(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    // Reads every page, so that a damaged file is found here and not by an agent.
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(verdict),
        ))
    }
}
