//! Verifier bundles: reading the zip within limits, and keeping those that were sent.
//!
//! A bundle's hash changes with every build, as the zip holds modification times. What is kept is therefore kept by content, and many
//! hashes point to one content; only the table of hashes grows with the number of builds, and it is bounded too.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::io::{Cursor, Read as _};
use std::sync::{Arc, Mutex, PoisonError};

use fleet_api::native_verifier;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

/// Zip bytes of one bundle. Sources are some kilobytes; decorated verifiers may bring packages along.
pub(super) const ZIP_BYTES: usize = 16 * 1024 * 1024;

/// Unpacked bytes of one bundle.
const UNPACKED_BYTES: u64 = 32 * 1024 * 1024;

/// Files of one bundle.
const FILES: usize = 1000;

/// Unpacked bytes of all bundles together; the least recently used go first.
const STORE_BYTES: usize = 128 * 1024 * 1024;

/// Remembered hashes.
const HASHES: usize = 50_000;

const SOURCE: &str = "verifier.py";
const REQUIREMENTS: &str = "requirements.txt";

/// The bytes are not a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bytes do not have the hash that the request names.
    #[error("the bundle has sha256 {actual}, the request says {claimed}")]
    Hash {
        /// As computed.
        actual: String,
        /// As sent.
        claimed: String,
    },
    /// Not a zip, or a damaged one.
    #[error("the bundle is not a readable zip")]
    Zip(#[source] zip::result::ZipError),
    /// An entry could not be unpacked.
    #[error("the bundle's file {name:?} cannot be unpacked")]
    Unpack {
        /// The entry.
        name: String,
        #[source]
        source: std::io::Error,
    },
    /// Larger than allowed.
    #[error("the bundle is too large: {what}")]
    TooLarge {
        /// Which limit.
        what: String,
    },
    /// An entry would be unpacked outside the bundle's folder.
    #[error("the bundle's file name {name:?} leaves the bundle")]
    Name {
        /// The entry.
        name: String,
    },
    /// No `verifier.py`.
    #[error("the bundle has no verifier.py")]
    NoSource,
    /// `verifier.py` is not UTF-8.
    #[error("verifier.py is not UTF-8 text")]
    NotText,
}

/// An unpacked bundle.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// Source of the verifier.
    pub source: String,
    /// Lines of `requirements.txt`.
    pub requirements: Vec<String>,
    /// Every other file by relative path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The definition, if the source only carries a native verifier.
    pub native: Option<Value>,
    /// Of the content: equal for every build of the same files.
    pub content_hash: [u8; 32],
}

impl Bundle {
    /// A bundle of one source and nothing else.
    pub fn of_source(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            requirements: Vec::new(),
            files: BTreeMap::new(),
            native: None,
            content_hash: Sha256::digest(source).into(),
        }
    }

    /// Unpacks a bundle within the limits.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn unpack(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > ZIP_BYTES {
            return Err(BundleError::TooLarge {
                what: format!("more than {ZIP_BYTES} bytes"),
            });
        }
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(BundleError::Zip)?;
        if archive.len() > FILES {
            return Err(BundleError::TooLarge {
                what: format!("more than {FILES} files"),
            });
        }
        let mut files = BTreeMap::new();
        let mut left = UNPACKED_BYTES;
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(BundleError::Zip)?;
            if entry.is_dir() {
                continue;
            }
            let name = entry.name().to_owned();
            // Also refuses absolute names and drive letters; a symbolic link is unpacked as the text of its target.
            let path = entry
                .enclosed_name()
                .ok_or_else(|| BundleError::Name { name: name.clone() })?;
            let path = path
                .to_str()
                .map(str::to_owned)
                .ok_or_else(|| BundleError::Name { name: name.clone() })?;
            let mut content = Vec::new();
            // The size in the header may lie, so the unpacked bytes are counted.
            entry
                .take(left + 1)
                .read_to_end(&mut content)
                .map_err(|source| BundleError::Unpack { name, source })?;
            left = left
                .checked_sub(content.len() as u64)
                .ok_or_else(|| BundleError::TooLarge {
                    what: format!("more than {UNPACKED_BYTES} bytes unpacked"),
                })?;
            files.insert(path, content);
        }
        Self::from_files(files)
    }

    fn from_files(mut files: BTreeMap<String, Vec<u8>>) -> Result<Self, BundleError> {
        let mut hasher = Sha256::new();
        for (name, content) in &files {
            for part in [name.as_bytes(), content] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        let source = String::from_utf8(files.remove(SOURCE).ok_or(BundleError::NoSource)?)
            .map_err(|_| BundleError::NotText)?;
        let requirements = files.remove(REQUIREMENTS).unwrap_or_default();
        let requirements = String::from_utf8_lossy(&requirements)
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        Ok(Self {
            native: native_verifier::parse(&source),
            source,
            requirements,
            files,
            content_hash: hasher.finalize().into(),
        })
    }

    fn bytes(&self) -> usize {
        self.source.len() + self.files.values().map(Vec::len).sum::<usize>()
    }
}

/// The bundles that were sent, least recently used ones dropped.
#[derive(Debug, Default)]
pub struct BundleStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    clock: u64,
    bytes: usize,
    by_zip: HashMap<[u8; 32], Used<[u8; 32]>>,
    by_content: HashMap<[u8; 32], Used<Arc<Bundle>>>,
}

#[derive(Debug)]
struct Used<T> {
    value: T,
    last: u64,
}

impl BundleStore {
    /// Unpacks a bundle and keeps it. `claimed` is the hash that the request names, in hex; it is compared, never trusted.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn insert(&self, bytes: &[u8], claimed: &str) -> Result<Arc<Bundle>, BundleError> {
        let zip_hash: [u8; 32] = Sha256::digest(bytes).into();
        let actual = hex::encode(zip_hash);
        if !actual.eq_ignore_ascii_case(claimed.trim()) {
            return Err(BundleError::Hash {
                actual,
                claimed: claimed.chars().take(64).collect(),
            });
        }
        if let Some(known) = self.by_hash(zip_hash) {
            return Ok(known);
        }
        Ok(self.keep(zip_hash, Bundle::unpack(bytes)?))
    }

    /// Keeps the content of a zip under a hash that another build of it has. Whoever calls this knows that it does.
    ///
    /// # Errors
    /// See [`BundleError`].
    pub fn restore(&self, sha256: &str, bytes: &[u8]) -> Result<(), BundleError> {
        let mut hash = [0; 32];
        if hex::decode_to_slice(sha256.trim(), &mut hash).is_ok() {
            self.keep(hash, Bundle::unpack(bytes)?);
        }
        Ok(())
    }

    fn keep(&self, zip_hash: [u8; 32], bundle: Bundle) -> Arc<Bundle> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        inner.clock += 1;
        let last = inner.clock;
        inner.by_zip.insert(
            zip_hash,
            Used {
                value: bundle.content_hash,
                last,
            },
        );
        let kept = inner
            .by_content
            .entry(bundle.content_hash)
            .or_insert_with(|| {
                inner.bytes += bundle.bytes();
                Used {
                    value: Arc::new(bundle),
                    last,
                }
            });
        kept.last = last;
        let kept = Arc::clone(&kept.value);
        while inner.bytes > STORE_BYTES
            && let Some(dropped) = remove_oldest(&mut inner.by_content)
        {
            inner.bytes -= dropped.bytes();
        }
        while inner.by_zip.len() > HASHES && remove_oldest(&mut inner.by_zip).is_some() {}
        kept
    }

    /// The bundle of a hash, in hex.
    pub fn get(&self, sha256: &str) -> Option<Arc<Bundle>> {
        let mut hash = [0; 32];
        hex::decode_to_slice(sha256.trim(), &mut hash).ok()?;
        self.by_hash(hash)
    }

    fn by_hash(&self, zip_hash: [u8; 32]) -> Option<Arc<Bundle>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let last = inner.clock;
        let zip = inner.by_zip.get_mut(&zip_hash)?;
        zip.last = last;
        let content = zip.value;
        let bundle = inner.by_content.get_mut(&content)?;
        bundle.last = last;
        Some(Arc::clone(&bundle.value))
    }

    /// Distinct contents kept.
    pub fn len(&self) -> usize {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_content
            .len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn remove_oldest<K: Eq + Hash + Copy, T>(map: &mut HashMap<K, Used<T>>) -> Option<T> {
    let oldest = map
        .iter()
        .min_by_key(|(_, used)| used.last)
        .map(|(key, _)| *key)?;
    map.remove(&oldest).map(|used| used.value)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;
    use zip::{DateTime, ZipWriter};

    use super::*;

    fn zip(files: &[(&str, &[u8])], year: u16) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default()
            .last_modified_time(DateTime::from_date_and_time(year, 1, 1, 0, 0, 0).unwrap());
        for (name, content) in files {
            writer.start_file(*name, options).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn sha(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    #[test]
    fn builds_of_one_source_are_kept_once() {
        let store = BundleStore::default();
        let files: [(&str, &[u8]); 2] = [
            ("requirements.txt", b"fleet-python\n"),
            ("verifier.py", b"def v(env): return 1"),
        ];
        let (first, second) = (zip(&files, 2001), zip(&files, 2002));
        assert_ne!(sha(&first), sha(&second));
        store.insert(&first, &sha(&first)).unwrap();
        let again = store.insert(&second, &sha(&second).to_uppercase()).unwrap();
        assert_eq!(store.len(), 1);
        assert_eq!(again.requirements, ["fleet-python"]);
        assert!(store.get(&sha(&first)).is_some());
        assert!(store.get(&sha(b"other")).is_none());
        assert!(store.get("not hex").is_none());
    }

    #[test]
    fn the_claimed_hash_is_not_trusted() {
        let bytes = zip(&[("verifier.py", b"x = 1")], 2001);
        let store = BundleStore::default();
        assert!(matches!(
            store.insert(&bytes, &sha(b"other")),
            Err(BundleError::Hash { .. })
        ));
        assert!(store.is_empty());
    }

    #[test]
    fn a_zip_bomb_is_refused_by_what_it_unpacks_to() {
        let zeros = vec![0; usize::try_from(UNPACKED_BYTES).unwrap() + 1];
        let bytes = zip(&[("verifier.py", b"x = 1"), ("zeros", &zeros)], 2001);
        assert!(bytes.len() < 100_000);
        assert!(matches!(
            Bundle::unpack(&bytes),
            Err(BundleError::TooLarge { .. })
        ));
    }

    #[test]
    fn names_that_leave_the_bundle_and_missing_sources_are_refused() {
        let error = |files: &[(&str, &[u8])]| Bundle::unpack(&zip(files, 2001)).unwrap_err();
        assert!(matches!(
            error(&[("verifier.py", b""), ("../evil.py", b"")]),
            BundleError::Name { .. }
        ));
        assert!(matches!(error(&[("other.py", b"")]), BundleError::NoSource));
        assert!(matches!(
            error(&[("verifier.py", b"\xff")]),
            BundleError::NotText
        ));
        assert!(matches!(
            Bundle::unpack(b"no zip"),
            Err(BundleError::Zip(_))
        ));
    }

    #[test]
    fn a_native_definition_is_recognised() {
        let source = native_verifier::render(&serde_json::json!({"kind": "state"}));
        let bundle = Bundle::unpack(&zip(&[("verifier.py", source.as_bytes())], 2001)).unwrap();
        assert_eq!(bundle.native.unwrap()["kind"], "state");
    }
}
