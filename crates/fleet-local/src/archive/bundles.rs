//! Verifier bundles by content. Every build of one source has a zip of another hash, so hashes point to contents.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::ArchiveError;

/// Bytes of all zips; the least recently used go first.
const BYTES: i64 = 256 << 20;

/// Hashes that are remembered.
const HASHES: i64 = 50_000;

/// A bundle as it came.
#[derive(Debug)]
pub(crate) struct StoredBundle {
    /// Of the zip, in hex.
    pub(crate) zip_sha256: String,
    pub(crate) content: [u8; 32],
    pub(crate) zip: Vec<u8>,
}

/// Keeps a bundle. `now` orders uses; any number that grows will do.
pub(crate) fn keep(
    connection: &Connection,
    bundle: &StoredBundle,
    now: i64,
) -> Result<(), ArchiveError> {
    connection
        .prepare_cached(
            "INSERT INTO bundle_hashes VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET used = ?3",
        )?
        .execute(params![bundle.zip_sha256, bundle.content, now])?;
    let added = connection
        .prepare_cached("INSERT OR IGNORE INTO bundles VALUES (?1, ?2, ?3)")?
        .execute(params![bundle.content, bundle.zip, now])?;
    if added == 0 {
        connection
            .prepare_cached("UPDATE bundles SET used = ?2 WHERE content = ?1")?
            .execute(params![bundle.content, now])?;
        return Ok(());
    }
    // Only a new content can be one too many; those are rare.
    connection.execute(
        "DELETE FROM bundles WHERE content IN (SELECT content FROM
           (SELECT content, sum(length(zip)) OVER (ORDER BY used DESC, content) AS held FROM bundles) WHERE held > ?1)",
        [BYTES],
    )?;
    connection.execute(
        "DELETE FROM bundle_hashes WHERE content NOT IN (SELECT content FROM bundles) OR zip_sha256 IN
           (SELECT zip_sha256 FROM bundle_hashes ORDER BY used DESC LIMIT -1 OFFSET ?1)",
        [HASHES],
    )?;
    Ok(())
}

/// The zip of some build of the content that a hash names.
pub(crate) fn find(
    connection: &Connection,
    zip_sha256: &str,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    Ok(connection
        .prepare_cached("SELECT zip FROM bundles JOIN bundle_hashes USING (content) WHERE zip_sha256 = lower(?1)")?
        .query_row([zip_sha256.trim()], |row| row.get(0))
        .optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_builds_of_one_content_are_kept_once_and_both_found() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("schema_1.sql"))
            .unwrap();
        for hash in ["aa", "bb"] {
            let bundle = StoredBundle {
                zip_sha256: hash.to_owned(),
                content: [7; 32],
                zip: hash.as_bytes().to_vec(),
            };
            keep(&connection, &bundle, 1).unwrap();
        }
        for hash in ["aa", "BB"] {
            assert_eq!(find(&connection, hash).unwrap().unwrap(), b"aa");
        }
        assert_eq!(find(&connection, "cc").unwrap(), None);
    }
}
