//! Gives up capabilities. With no-new-privileges set, executing a program gives none back, to root neither.

#![expect(unsafe_code, reason = "capset has no safe form")]

use nix::errno::Errno;
use nix::libc;
use nix::unistd::Uid;

use crate::policy::Role;

/// `_LINUX_CAPABILITY_VERSION_3`: two words a set.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Without it the children of a root worker could not be root in user namespaces of their own; it lets nobody do more by itself than mark
/// files, and those are read-only.
const SETFCAP: u32 = 1 << 31;

pub(super) fn drop_all(role: Role) -> Result<(), String> {
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    let none = Sets {
        effective: 0,
        permitted: 0,
        inheritable: 0,
    };
    let mut left = [none; 2];
    if role == Role::Worker && Uid::effective().is_root() {
        left[0].effective = SETFCAP;
        left[0].permitted = SETFCAP;
    }
    // SAFETY: header and sets have the layout of this version, and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, left.as_ptr()) };
    Errno::result(result)
        .map(drop)
        .map_err(|errno| errno.desc().to_owned())
}
