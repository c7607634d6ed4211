//! Waiting for children without the losses of a typed wrapper: a child that was ended by a
//! real-time signal or made with an odd exit signal is still a child.

#![expect(
    unsafe_code,
    reason = "waitid is called as it is: the typed wrapper refuses real-time signals"
)]

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Pid;

use crate::protocol::End;

/// What there is to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Children {
    /// This one has ended and not been reaped.
    Ended(Pid),
    /// There are some; none has ended.
    Running,
    /// There are none.
    None,
}

/// Looks for an ended child without reaping it.
pub(crate) fn look_for_ended() -> Children {
    match wait(libc::P_ALL, 0, libc::WNOWAIT) {
        Ok(Some((pid, _))) => Children::Ended(pid),
        Err(Errno::ECHILD) => Children::None,
        // The other errors of waitid are about wrong arguments.
        Ok(None) | Err(_) => Children::Running,
    }
}

/// Reaps one child by its id if it has ended. `Err` if it is no child of ours.
pub(crate) fn reap(pid: Pid) -> Result<Option<End>, Errno> {
    let id = pid.as_raw().cast_unsigned();
    Ok(wait(libc::P_PID, id, 0)?.map(|(_, end)| end))
}

/// Reaps one child, which is about to end; false if it has not ended within the limit.
pub(super) fn reap_one(pid: Pid, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    loop {
        match reap(pid) {
            Ok(None) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(None) => return false,
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

fn wait(
    kind: libc::idtype_t,
    id: libc::id_t,
    extra: libc::c_int,
) -> Result<Option<(Pid, End)>, Errno> {
    // `__WALL` also sees children that were made with another exit signal than SIGCHLD.
    let options = libc::WEXITED | libc::WNOHANG | libc::__WALL | extra;
    // SAFETY: siginfo_t is plain data for which all zeros are valid, and waitid only writes to it.
    let (result, info) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        (libc::waitid(kind, id, &raw mut info, options), info)
    };
    Errno::result(result)?;
    // SAFETY: after a successful waitid the fields of SIGCHLD are set, or all are zero.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    if pid == 0 {
        return Ok(None);
    }
    let end = if info.si_code == libc::CLD_EXITED {
        End::Exited(status)
    } else {
        End::Signaled(status)
    };
    Ok(Some((Pid::from_raw(pid), end)))
}
