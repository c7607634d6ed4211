//! The seccomp filters: system calls that reach beyond the process in ways that the other layers do not cover.
//!
//! A list of what is denied, not of what is allowed: the programs are anybody's, in any language, and the files, the network, the signals
//! and the privileges are bounded by other layers. Everything that only a debugger, a container engine, a driver or an administrator
//! calls is on it.

use std::collections::BTreeMap;
use std::mem::size_of;

use nix::errno::Errno;
use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter, sock_filter,
};

use crate::layers::{Layer, Layers};
use crate::policy::Role;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// For nobody, whatever its arguments.
const NEVER: &[i64] = &[
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    // mounts and namespaces
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_fanotify_init,
    // the kernel and the machine
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

/// Modes, owners and attributes of an open file. Landlock does not know of these nor of those by path, so without read-only mounts all are
/// denied.
const ATTRIBUTES_OF_OPEN: &[i64] = &[
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fsetxattr,
    libc::SYS_fremovexattr,
];

/// By path: a child of the worker shares the worker's writable mount, and Landlock does not know of these.
const ATTRIBUTES_BY_PATH: &[i64] = &[
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
];

/// Signals to others, where Landlock does not keep them inside. A program can then end its own children only by closing their pipes, and
/// itself only by leaving.
const SIGNALS: &[i64] = &[
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];

/// What outlives its maker, where there is no namespace of its own for it.
const SHARED: &[i64] = &[
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
];

/// Linux 6.6; one number on every architecture.
const SYS_FCHMODAT2: i64 = 452;

/// Programs have another way without these, and ask for it when they are told that the kernel is too old. `clone3` hides its flags from a
/// filter; `io_uring` does other calls' work behind a filter's back.
const NOT_THERE: &[i64] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Memory that no limit of a process counts.
const UNCOUNTED: [i64; 2] = [libc::SYS_memfd_create, libc::SYS_memfd_secret];

/// Makes a namespace of any kind.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// The filters for a process of this role, given the other layers.
pub(super) fn filters(role: Role, layers: &Layers) -> Result<Vec<BpfProgram>, String> {
    let mut denied: Rules = NEVER.iter().map(|call| (*call, Vec::new())).collect();
    if role == Role::Program {
        deny_to_programs(&mut denied).map_err(|error| error.to_string())?;
        if !layers.holds(Layer::Mounts) {
            let attributes = ATTRIBUTES_OF_OPEN.iter().chain(ATTRIBUTES_BY_PATH);
            denied.extend(attributes.map(|call| (*call, Vec::new())));
        }
        if !layers.holds(Layer::Signals) {
            denied.extend(SIGNALS.iter().map(|call| (*call, Vec::new())));
        }
        if !layers.holds(Layer::Network) {
            denied.extend(SHARED.iter().map(|call| (*call, Vec::new())));
        }
    }
    let absent = if role == Role::Program {
        let all = NOT_THERE.iter().chain(&UNCOUNTED);
        all.map(|call| (*call, Vec::new())).collect()
    } else {
        // glibc starts threads and processes of the worker with `clone3`; its children are programs.
        NOT_THERE[1..]
            .iter()
            .map(|call| (*call, Vec::new()))
            .collect()
    };
    Ok([
        Some(compile(denied, Errno::EPERM)?),
        Some(compile(absent, Errno::ENOSYS)?),
        other_numbers(),
    ]
    .into_iter()
    .flatten()
    .collect())
}

/// The filters of a program that is no executed one but a child of a [`Role::Worker`], as the kernel loads them: `struct sock_filter`
/// after `struct sock_filter`. Such a child is ended with its process group, so it cannot leave that either.
pub fn child_filters(layers: &Layers) -> Vec<Vec<u8>> {
    let calls = |calls: &[i64]| calls.iter().map(|call| (*call, Vec::new())).collect();
    let all = || {
        let mut all = filters(Role::Program, layers)?;
        let group = calls(&[libc::SYS_setsid, libc::SYS_setpgid]);
        all.push(compile(group, Errno::EPERM)?);
        all.push(compile(calls(ATTRIBUTES_BY_PATH), Errno::EPERM)?);
        Ok::<_, String>(all)
    };
    // A part of the list is none: what is loaded is told as this layer.
    let all = all().unwrap_or_default();
    all.iter()
        .map(|program| program.iter().flat_map(bytes).collect())
        .collect()
}

fn bytes(instruction: &sock_filter) -> [u8; size_of::<sock_filter>()] {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&instruction.code.to_ne_bytes());
    bytes[2] = instruction.jt;
    bytes[3] = instruction.jf;
    bytes[4..].copy_from_slice(&instruction.k.to_ne_bytes());
    bytes
}

pub(super) fn apply(filters: Result<Vec<BpfProgram>, String>) -> Result<(), String> {
    for filter in filters? {
        apply_filter(&filter).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn deny_to_programs(denied: &mut Rules) -> Result<(), seccompiler::BackendError> {
    denied.insert(libc::SYS_unshare, Vec::new());
    let mut clone = Vec::new();
    // A sibling would be the supervisor's child, and nobody's to reap.
    for flag in NAMESPACES.into_iter().chain([libc::CLONE_PARENT]) {
        clone.push(rule([has(0, flag)?])?);
    }
    denied.insert(libc::SYS_clone, clone);
    // Another process's limits. The own ones can only be lowered.
    denied.insert(libc::SYS_prlimit64, vec![rule([differs(0, 0)?])?]);

    // TCP over IPv4 is the one kind of socket: Landlock knows no other, and the manager listens there.
    let mut socket = vec![rule([differs(0, libc::AF_INET)?])?];
    socket.extend(other_than_streams()?);
    socket.push(rule([differs(2, 0)?, differs(2, libc::IPPROTO_TCP)?])?);
    denied.insert(libc::SYS_socket, socket);
    // A connected pair is harmless; a pair of datagram sockets can still send to any address.
    denied.insert(libc::SYS_socketpair, other_than_streams()?);
    // A connection that no `connect` was asked for, and so no rule.
    for (call, flags) in [
        (libc::SYS_sendto, 3),
        (libc::SYS_sendmsg, 2),
        (libc::SYS_sendmmsg, 3),
    ] {
        denied.insert(call, vec![rule([has(flags, libc::MSG_FASTOPEN)?])?]);
    }
    Ok(())
}

/// Any type of socket but a stream; flags ride in the same argument.
fn other_than_streams() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    const TYPE: u64 = 0xf;
    (0..=TYPE)
        .filter(|kind| *kind != libc::SOCK_STREAM as u64)
        .map(|kind| rule([condition(1, SeccompCmpOp::MaskedEq(TYPE), kind)?]))
        .collect()
}

fn rule<const N: usize>(
    conditions: [SeccompCondition; N],
) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions.into())
}

fn has(argument: u8, flag: libc::c_int) -> Result<SeccompCondition, seccompiler::BackendError> {
    let flag = u64::from(flag.cast_unsigned());
    condition(argument, SeccompCmpOp::MaskedEq(flag), flag)
}

fn differs(
    argument: u8,
    value: libc::c_int,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    condition(argument, SeccompCmpOp::Ne, u64::from(value.cast_unsigned()))
}

/// All arguments looked at are C ints: the kernel ignores their upper halves, and so do we.
fn condition(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

fn compile(rules: Rules, errno: Errno) -> Result<BpfProgram, String> {
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(errno as u32),
        std::env::consts::ARCH
            .try_into()
            .map_err(|error: seccompiler::BackendError| error.to_string())?,
    );
    filter
        .and_then(TryInto::try_into)
        .map_err(|error: seccompiler::BackendError| error.to_string())
}

/// x86 has a second set of numbers for the same calls (x32), which would pass by every list of the first one.
fn other_numbers() -> Option<BpfProgram> {
    const FIRST_OTHER: u32 = 0x4000_0000;
    let [load, if_at_least, answer] = [0x20, 0x35, 0x06];
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    cfg!(target_arch = "x86_64").then(|| {
        vec![
            step(load, 0, 0, 0),
            step(if_at_least, 0, 1, FIRST_OTHER),
            step(answer, 0, 0, libc::SECCOMP_RET_ERRNO | Errno::ENOSYS as u32),
            step(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
        ]
    })
}
