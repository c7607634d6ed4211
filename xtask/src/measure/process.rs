//! What the system knows of a process while it runs: memory, descriptors, threads, processor time.

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
    /// Processor time used so far, its children's not included, in hundredths of a second.
    pub(super) processor: u64,
}

/// Looks at a process; nothing if it is gone or only waits to be reaped.
pub(super) fn look(pid: u32) -> Option<Look> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    read(&status, &stat, descriptors as u64)
}

/// Linux counts processor time for `/proc` in hundredths of a second on every machine.
fn read(status: &str, stat: &str, descriptors: u64) -> Option<Look> {
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Look {
        memory: number("VmRSS:")?,
        peak: number("VmHWM:")?,
        descriptors,
        threads: number("Threads:")?,
        processor: processor(stat)?,
    })
}

/// User and system time; the name before them may hold anything, and ends with the last parenthesis.
fn processor(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_and_one_that_is_over_is_not() {
        let own = look(std::process::id()).unwrap();
        assert!(own.peak >= own.memory && own.memory > 0);
        assert!(own.descriptors > 0 && own.threads > 0);
        assert!(read("Name:\tx\nState:\tZ (zombie)\nThreads:\t1\n", "", 0).is_none());
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 1 0 0 0 42 8 9 9 20 0 1 0";
        assert_eq!(processor(stat), Some(50));
    }
}
