//! An instance's own directory and its own copy of the data.

use std::io;
use std::path::Path;

use crate::manager::{OpenError, open_current};
use crate::package::{DatabasePaths, Templates};
use crate::seam::{DatabaseFiles, InstanceFiles};

/// Folder of the databases below an instance's directory.
const DATA: &str = "data";
/// Folder of what the apps and the setup commands print.
pub(crate) const LOGS: &str = "logs";
/// Folder of the browser's profile.
pub(crate) const BROWSER: &str = ".browser";

/// Where the files of an instance will be. Nothing is created.
pub(crate) fn plan(dir: &Path, databases: &DatabasePaths) -> InstanceFiles {
    let data = dir.join(DATA);
    let databases = databases
        .keys()
        .map(|name| {
            let files = DatabaseFiles {
                seed: data.join(format!("{name}.seed.db")),
                current: data.join(format!("{name}.db")),
            };
            (name.clone(), files)
        })
        .collect();
    InstanceFiles {
        dir: dir.to_owned(),
        databases,
    }
}

/// Creates the directory and copies the data. Blocking.
pub(crate) fn create(
    files: &InstanceFiles,
    databases: &DatabasePaths,
    templates: &Templates,
) -> io::Result<()> {
    fs_err::create_dir_all(files.dir.join(LOGS))?;
    fs_err::create_dir_all(files.dir.join(DATA))?;
    for (name, source) in databases {
        let target = &files.databases[name];
        let template = templates.get(source);
        copy(template, &target.current)?;
        copy(template, &target.seed)?;
        make_readonly(&target.seed)?;
    }
    Ok(())
}

/// Makes what the setup commands left the beginning of the instance: what it is compared with and
/// reset to. Nothing else may have the databases open. Blocking.
pub(crate) fn begin_here(files: &InstanceFiles) -> io::Result<()> {
    for database in files.databases.values() {
        settle(&database.current).map_err(io::Error::other)?;
        fs_err::remove_file(&database.seed)?;
        copy(&database.current, &database.seed)?;
        make_readonly(&database.seed)?;
    }
    Ok(())
}

/// Writes all of a database into its one file, whatever its writer left beside it.
fn settle(database: &Path) -> Result<(), OpenError> {
    let connection = open_current(database)?;
    let checkpoint = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    checkpoint.map_err(|source| OpenError::new(database, source))
}

fn make_readonly(file: &Path) -> io::Result<()> {
    let mut permissions = fs_err::metadata(file)?.permissions();
    permissions.set_readonly(true);
    fs_err::set_permissions(file, permissions)
}

/// `fs::copy` shares blocks where the file system can; the mode of the template (private, as
/// temporary files are) is kept.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::copy(from, to).map(|_| ())
}
