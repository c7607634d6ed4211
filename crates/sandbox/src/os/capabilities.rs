//! Gives up every capability. With no-new-privileges set, executing a program gives none back, to root neither.

#![expect(unsafe_code, reason = "capset has no safe form")]

use nix::errno::Errno;
use nix::libc;

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

pub(super) fn drop_all() -> Result<(), String> {
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    let none = [Sets {
        effective: 0,
        permitted: 0,
        inheritable: 0,
    }; 2];
    // SAFETY: header and sets have the layout of this version, and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    Errno::result(result)
        .map(drop)
        .map_err(|errno| errno.desc().to_owned())
}
