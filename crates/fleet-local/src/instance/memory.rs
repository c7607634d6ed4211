//! The memory limit of an instance: what all of its processes hold together, looked at several
//! times a second. And the number of a verifier's processes, for want of a limit that holds for root.
//!
//! Not `setrlimit`: that bounds each process alone, and by address space, of which a threaded
//! program reserves far more than it uses.

use std::time::Duration;

/// Short enough that a runaway allocation is met before the machine suffers, long enough to cost
/// nothing.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Completes when the trees of the given processes hold more than `limit` bytes together, with what
/// they held. Never completes without a limit. Safe to drop.
pub(crate) async fn exceeded(commands: Vec<u32>, limit: Option<u64>) -> u64 {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let held = commands.iter().map(|pid| held_by_tree(*pid)).sum();
        if held > limit {
            return held;
        }
    }
}

/// Resident bytes of a supervised command and of everything it started. Orphans become children of
/// the command's supervisor, so the walk starts there; the supervisor itself is not counted.
/// Processes that end meanwhile count as nothing.
fn held_by_tree(command: u32) -> u64 {
    let Some(supervisor) = status_field(command, "PPid:") else {
        return 0;
    };
    let mut held = 0;
    let mut waiting = children(supervisor);
    while let Some(pid) = waiting.pop() {
        held += status_field(pid, "VmRSS:").unwrap_or(0) * 1024;
        waiting.extend(children(pid));
    }
    held
}

/// Completes when a supervised command has more than `limit` processes. Safe to drop.
pub(crate) async fn crowded(command: u32, limit: u64) {
    /// A fork bomb makes some thousand processes a second.
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if has_more_processes(command, limit) {
            return;
        }
    }
}

/// Stops counting once there are enough.
fn has_more_processes(command: u32, limit: u64) -> bool {
    let Some(supervisor) = status_field(command, "PPid:") else {
        return false;
    };
    let mut waiting = children(supervisor);
    let mut seen = 0;
    while let Some(pid) = waiting.pop() {
        seen += 1;
        if seen > limit {
            return true;
        }
        waiting.extend(children(pid));
    }
    false
}

fn status_field<T: std::str::FromStr>(pid: u32, name: &str) -> Option<T> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|line| {
            line.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}
