//! A hold on one process that cannot be mistaken for another: its id may be used again once it is
//! reaped, what is held here never stands for the next one.

#![expect(unsafe_code, reason = "these system calls have no safe form here")]

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// Readable once the process has ended.
#[derive(Debug)]
pub(crate) struct PidFd(OwnedFd);

impl PidFd {
    /// Holds the process that has this id now. Linux can do so since 5.3.
    pub(crate) fn open(pid: Pid) -> Result<Self, Errno> {
        // SAFETY: takes numbers and answers with a new descriptor or an error.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        let fd = Errno::result(fd)?;
        let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
        // SAFETY: it was just made and is nobody else's. The kernel has set close-on-exec.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    pub(crate) fn kill(&self, signal: Signal) -> Result<(), Errno> {
        self.send(signal as libc::c_int)
    }

    /// Whether it still has its id: it lives, or nobody has reaped it.
    pub(crate) fn has_its_id(&self) -> bool {
        self.send(0) != Err(Errno::ESRCH)
    }

    fn send(&self, signal: libc::c_int) -> Result<(), Errno> {
        let none = std::ptr::null::<libc::siginfo_t>();
        let fd = self.0.as_raw_fd();
        // SAFETY: without a siginfo the kernel makes one; nothing is written to.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, none, 0) };
        Errno::result(sent).map(drop)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
