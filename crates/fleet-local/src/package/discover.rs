//! Finds packages: a folder is a package, or holds packages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::{MANIFEST, Package, PackageError, load};

/// Why the packages under the given folders cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// The folder could not be listed.
    #[error("could not look for environment packages")]
    List(#[source] std::io::Error),
    /// Neither a package nor a folder of packages.
    #[error("no environment package in {}: neither it nor a folder in it has an environment.yaml", dir.display())]
    Empty {
        /// The folder.
        dir: PathBuf,
    },
    /// A package that cannot be used.
    #[error(transparent)]
    Package(PackageError),
    /// Two packages with one key.
    #[error("the environment key {key:?} is used by both {} and {}", first.display(), second.display())]
    Duplicate {
        /// The key.
        key: String,
        /// Where it was seen first.
        first: PathBuf,
        /// Where it was seen again.
        second: PathBuf,
    },
}

/// Loads every package of the given folders, by key.
pub fn discover(folders: &[PathBuf]) -> Result<BTreeMap<String, Arc<Package>>, DiscoverError> {
    let mut packages: BTreeMap<String, Arc<Package>> = BTreeMap::new();
    for folder in folders {
        for dir in package_dirs(folder)? {
            let package = load(&dir).map_err(DiscoverError::Package)?;
            match packages.get(&package.key) {
                // The same folder reached twice (`--environments a --environments a/b`) is no
                // conflict.
                Some(known) if known.dir == package.dir => {}
                Some(known) => {
                    return Err(DiscoverError::Duplicate {
                        key: package.key,
                        first: known.dir.clone(),
                        second: package.dir,
                    });
                }
                None => {
                    packages.insert(package.key.clone(), Arc::new(package));
                }
            }
        }
    }
    Ok(packages)
}

fn package_dirs(folder: &Path) -> Result<Vec<PathBuf>, DiscoverError> {
    if folder.join(MANIFEST).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let mut dirs = Vec::new();
    for entry in fs_err::read_dir(folder).map_err(DiscoverError::List)? {
        let path = entry.map_err(DiscoverError::List)?.path();
        if path.join(MANIFEST).is_file() {
            dirs.push(path);
        }
    }
    dirs.sort();
    if dirs.is_empty() {
        Err(DiscoverError::Empty {
            dir: folder.to_owned(),
        })
    } else {
        Ok(dirs)
    }
}
