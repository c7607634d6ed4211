//! A network of its own with nothing in it but a loopback, and a read-only view of the files.

#![expect(
    unsafe_code,
    reason = "no safe form brings an interface up or changes the attributes of a mount tree"
)]

use std::fs;
use std::mem::size_of;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Gid, Uid};

use crate::layers::{Layer, Layers};
use crate::policy::{Policy, Role};

/// What the namespaces were made for.
pub(super) struct Own {
    /// Whether they belong to an own user namespace.
    pub(super) users: bool,
    /// Listen at the policy's ports, inside.
    pub(super) listeners: Vec<TcpListener>,
}

/// Enters namespaces of its own and sets them up.
pub(super) fn enter(policy: &Policy, layers: &mut Layers) -> Own {
    let is_program = policy.role == Role::Program;
    let users = match unshare_all(is_program) {
        Ok(users) => users,
        Err(reason) => {
            if is_program {
                layers.note::<()>(Layer::Network, Err(reason.clone()));
            }
            layers.note::<()>(Layer::Mounts, Err(reason));
            return Own {
                users: false,
                listeners: Vec::new(),
            };
        }
    };
    let listeners = if is_program {
        layers
            .note(Layer::Network, network(&policy.ports))
            .unwrap_or_default()
    } else {
        Vec::new()
    };
    layers.note(Layer::Mounts, read_only(&policy.write));
    Own { users, listeners }
}

/// Whether a user namespace was made too. A worker keeps the network that it is in, for children that can make none of their own.
fn unshare_all(network: bool) -> Result<bool, String> {
    let mut ours = CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWNS;
    ours.set(CloneFlags::CLONE_NEWNET, network);
    let (uid, gid) = (Uid::effective(), Gid::effective());
    // For root too: what is left of its privileges then holds for these namespaces only.
    match unshare(CloneFlags::CLONE_NEWUSER | ours) {
        Ok(()) => {
            let map = |name: &str, content: &str| {
                fs::write(format!("/proc/self/{name}"), content)
                    .map_err(|error| format!("writing {name}: {error}"))
            };
            // The kernel wants this before an unprivileged user may map a group.
            map("setgroups", "deny")?;
            map("uid_map", &format!("{uid} {uid} 1"))?;
            map("gid_map", &format!("{gid} {gid} 1"))?;
            Ok(true)
        }
        Err(refused) => unshare(ours)
            .map(|()| false)
            .map_err(|_| format!("making namespaces: {}", refused.desc())),
    }
}

/// Brings the loopback up and listens at the ports.
fn network(ports: &[u16]) -> Result<Vec<TcpListener>, String> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    loopback_up().map_err(|errno| format!("bringing the loopback up: {}", errno.desc()))?;
    let listen = |port: &u16| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, *port))
            .map_err(|error| format!("listening at port {port} inside: {error}"))
    };
    ports.iter().map(listen).collect()
}

fn loopback_up() -> Result<(), Errno> {
    let any = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: all zeroes is a valid request: an empty name and no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).unwrap_or(1);
    // SAFETY: the request is a whole `ifreq`, which is what this operation reads.
    let result =
        unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    Errno::result(result).map(drop)
}

/// Makes every mount read-only but those at the writable paths. Landlock bounds what is read and written; it does not know of changed
/// modes, owners and times, which a read-only mount refuses.
fn read_only(writable: &[std::path::PathBuf]) -> Result<(), String> {
    let at = |what: &'static str| move |errno: Errno| format!("{what}: {}", errno.desc());
    let none = None::<&str>;
    let here =
        std::env::current_dir().map_err(|error| format!("the working directory: {error}"))?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(at("making mounts private"))?;
    for path in writable.iter().filter(|path| path.exists()) {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(path.as_path()), path.as_path(), none, flags, none)
            .map_err(at("making the writable folder a mount"))?;
    }
    set_read_only(Path::new("/"), true).map_err(at("making all mounts read-only"))?;
    for path in writable.iter().filter(|path| path.exists()) {
        set_read_only(path, false).map_err(at("leaving the writable folder writable"))?;
    }
    // The working directory is still the one below the mount that was made at its place.
    std::env::set_current_dir(here).map_err(|error| format!("the working directory: {error}"))
}

fn set_read_only(path: &Path, read_only: bool) -> Result<(), Errno> {
    let flag = libc::MOUNT_ATTR_RDONLY;
    let (attr_set, attr_clr) = if read_only { (flag, 0) } else { (0, flag) };
    let change = libc::mount_attr {
        attr_set,
        attr_clr,
        propagation: 0,
        userns_fd: 0,
    };
    let path = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: path and change outlive the call, and the size is that of the change.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const change,
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(result).map(drop)
}
