//! What the system knows of a process while it runs: memory, descriptors, threads.

use std::fs;

/// One look at a process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    /// Resident memory, KiB.
    pub(super) memory: u64,
    /// The most that it has been so far, KiB.
    pub(super) peak: u64,
    pub(super) descriptors: u64,
    pub(super) threads: u64,
}

/// Looks at a process; nothing if it is gone or only waits to be reaped.
pub(super) fn look(pid: u32) -> Option<Look> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    read(&status, descriptors as u64)
}

fn read(status: &str, descriptors: u64) -> Option<Look> {
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Look {
        memory: number("VmRSS:")?,
        peak: number("VmHWM:")?,
        descriptors,
        threads: number("Threads:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_and_one_that_is_over_is_not() {
        let own = look(std::process::id()).unwrap();
        assert!(own.peak >= own.memory && own.memory > 0);
        assert!(own.descriptors > 0 && own.threads > 0);
        assert!(read("Name:\tx\nState:\tZ (zombie)\nThreads:\t1\n", 0).is_none());
    }
}
