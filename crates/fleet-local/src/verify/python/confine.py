"""Takes away from a forked child what a verifier must not have, before any of the verifier's code is compiled.

The same layers as those of the crate `sandbox`, in the same order and with the same names, for a process that is not executed anew. The
filters for system calls are made there and come as bytes. A layer that cannot be had is reported; whether the rest is enough is the
server's decision, which is waited for.
"""

import base64
import ctypes
import fcntl
import json
import os
import resource
import socket
import struct

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
CAPABILITY_VERSION_3 = 0x20080522
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

# Landlock: the same numbers on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
RULE_PATH, RULE_PORT = 1, 2
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE, IOCTL_DEVICE = 1 << 14, 1 << 15
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
READ = EXECUTE | READ_FILE | READ_DIR
# How many rights each version knows, from the first one on.
RIGHTS_OF_VERSION = [13, 14, 15, 15, 16]
CONNECT_TCP = 2


def check(result):
    """The result of a C function, or the error that it left."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def system_call(number, *arguments):
    return check(libc.syscall(ctypes.c_long(number), *arguments))


class Layers:
    def __init__(self):
        self.held = []
        self.missing = {}

    def note(self, name, attempt, *arguments):
        try:
            value = attempt(*arguments)
        except OSError as error:
            self.missing[name] = error.strerror or str(error)
            return None
        self.held.append(name)
        return value


def own_network(ports):
    """A namespace with nothing in it but a loopback, at these ports of which the server listens."""
    uid, gid = os.geteuid(), os.getegid()
    check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC))
    for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)
    if not ports:
        return []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    listeners = []
    for port in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        listeners.append(listener)
    return listeners


def lower(name, value):
    """Lowers one resource limit, never above the hard limit that is already there."""
    if value is None:
        return
    _, hard = resource.getrlimit(name)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(name, (value, value))


def limit(limits):
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_AS, limits["memory_bytes"])
    lower(resource.RLIMIT_CPU, limits["cpu_seconds"])
    lower(resource.RLIMIT_FSIZE, limits["file_bytes"])
    lower(resource.RLIMIT_NOFILE, limits["open_files"])


def limit_processes(layers, limits):
    if os.geteuid() == 0:
        raise OSError(0, "the kernel does not count root's")
    if "network" not in layers.held:
        raise OSError(0, "all of the user's would count, for want of a user namespace")
    lower(resource.RLIMIT_NPROC, limits["processes"])


def drop_capabilities():
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    check(libc.capset(struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)))


def rules(policy, ports, folder, version):
    """Restricts files, ports and signals, as far as this version of Landlock can."""
    known = (1 << RIGHTS_OF_VERSION[min(version, len(RIGHTS_OF_VERSION)) - 1]) - 1
    ruleset = struct.pack("QQQ", known, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = system_call(CREATE_RULESET, ruleset, ctypes.c_size_t(size), 0)

    def allow(path, rights):
        try:
            at = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return  # what is not there needs no rule
        if not os.path.isdir(path):
            rights &= FILE_RIGHTS
        try:
            system_call(ADD_RULE, ruleset, RULE_PATH, struct.pack("=Qi", rights & known, at), 0)
        finally:
            os.close(at)

    for path in [*policy["read"], "/proc/self"]:
        allow(path, READ)
    for path in [*policy["write"], folder]:
        allow(path, known)
    for path in ("/dev/random", "/dev/urandom"):
        allow(path, READ_FILE)
    for path in ("/dev/null", "/dev/zero", "/dev/full"):
        allow(path, READ_FILE | WRITE_FILE)
    if version >= 4:
        for port in ports:
            system_call(ADD_RULE, ruleset, RULE_PORT, struct.pack("QQ", CONNECT_TCP, port), 0)
    system_call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def restrict(layers, policy, ports, folder):
    asked = {"files": 1, "ports": 4, "signals": 6}
    try:
        version = system_call(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
        rules(policy, ports, folder, version)
    except OSError as error:
        layers.missing.update(dict.fromkeys(asked, f"Landlock: {error.strerror}"))
        return
    for name, since in asked.items():
        if version >= since:
            layers.held.append(name)
        else:
            layers.missing[name] = f"Landlock of this kernel is version {version}, needed is {since}"


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def filter_calls(filters):
    if not filters:
        raise OSError(0, "no filter could be made")
    for code in map(base64.b64decode, filters):
        program = Program(len(code) // 8, code)
        check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0))


def confine(order, folder):
    """Returns once the server has let this process through; does not return otherwise."""
    gate = socket.socket(socket.AF_UNIX)
    gate.connect(order["gate"])
    policy, layers = order["policy"], Layers()
    ports = policy["ports"]
    # The order matters: each layer forbids what the ones before it needed.
    listeners = layers.note("network", own_network, ports) or []
    layers.note("limits", limit, policy["limits"])
    layers.note("processes", limit_processes, layers, policy["limits"])
    layers.note("capabilities", drop_capabilities)
    restrict(layers, policy, ports, folder)
    layers.note("system_calls", filter_calls, order["filters"])
    report = json.dumps({"held": layers.held, "missing": layers.missing}).encode() + b"\n"
    socket.send_fds(gate, [report], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()
    if gate.recv(1) != b"+":
        os._exit(126)
    gate.close()
