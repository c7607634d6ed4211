//! Who holds the lock of a file: for a message only, never for a decision.

use std::fs::File;

/// The process that holds the advisory lock of `file`, as far as the system says so.
#[cfg(target_os = "linux")]
pub(super) fn holder(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let inode = file.metadata().ok()?.ino();
    find(&std::fs::read_to_string("/proc/locks").ok()?, inode)
}

/// Other systems do not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn holder(_file: &File) -> Option<u32> {
    None
}

/// Lines look like `3: FLOCK  ADVISORY  WRITE 4711 fd:01:393222 0 EOF`. The device is left out of the comparison: its
/// number there differs from the one that `stat` gives on some file systems.
#[cfg(target_os = "linux")]
fn find(locks: &str, inode: u64) -> Option<u32> {
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, found) = fields.get(5)?.rsplit_once(':')?;
        let is_ours = fields.get(1) == Some(&"FLOCK") && found.parse() == Ok(inode);
        is_ours.then(|| fields[4].parse().ok()).flatten()
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_found_by_the_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 00:2e:42 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 fd:01:42 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 12 fd:01:42 0 EOF\n";
        assert_eq!(find(locks, 42), Some(4711));
        assert_eq!(find(locks, 43), None);
        assert_eq!(find("", 42), None);
    }
}
