//! Tries one thing that a confined program may or may not do, and says what the system answered: `ok`, or the name of an error.

#![expect(
    unsafe_code,
    clippy::print_stdout,
    reason = "it tries what has no safe form, and tells by printing"
)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};

use nix::errno::Errno;
use nix::libc;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match attempt(&words) {
        Ok(()) => println!("ok"),
        Err(errno) => println!("{errno:?}"),
    }
}

fn attempt(words: &[&str]) -> Result<(), Errno> {
    match *words {
        ["read", path] => io(File::open(path).and_then(|mut file| file.read(&mut [0; 16]))),
        ["list", path] => io(fs::read_dir(path).map(Iterator::count)),
        ["write", path] => io(fs::write(path, "x")),
        ["chmod", path] => io(fs::set_permissions(path, fs::Permissions::from_mode(0o700))),
        ["connect", address] => io(TcpStream::connect(address)),
        ["say", address, text] => io(say(address, text)),
        ["listen", address] => io(TcpListener::bind(address)),
        ["udp", address] => {
            io(UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"x", address)))
        }
        ["unix", path] => io(UnixStream::connect(path)),
        ["pair"] => io(UnixStream::pair()),
        ["datagrams"] => io(UnixDatagram::pair()),
        ["raw"] => call(
            libc::SYS_socket,
            [libc::AF_INET.into(), libc::SOCK_RAW.into(), 0],
        ),
        ["netlink"] => call(
            libc::SYS_socket,
            [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0],
        ),
        ["io_uring"] => call(libc::SYS_io_uring_setup, [1, 0, 0]),
        ["kill", pid] => call(
            libc::SYS_kill,
            [pid.parse().unwrap_or(0), libc::SIGKILL.into(), 0],
        ),
        ["ptrace", pid] => call(
            libc::SYS_ptrace,
            [libc::PTRACE_ATTACH.into(), pid.parse().unwrap_or(0), 0],
        ),
        ["limits", pid] => call(libc::SYS_prlimit64, [pid.parse().unwrap_or(0), 0, 0]),
        ["namespace"] => call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0]),
        ["mount"] => call(libc::SYS_mount, [0, 0, 0]),
        // The number of `getpid` in the other set of x86 numbers.
        ["x32"] => call(0x4000_0000 + libc::SYS_getpid, [0; 3]),
        ["allocate", bytes] => allocate(bytes.parse().unwrap_or(0)),
        ["grow", path, bytes] => grow(path, bytes.parse().unwrap_or(0)),
        ["start", program] => io(std::process::Command::new(program).status()),
        _ => Err(Errno::EINVAL),
    }
}

fn say(address: &str, text: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(text.as_bytes())?;
    let mut answer = String::new();
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_to_string(&mut answer)?;
    println!("{answer}");
    Ok(())
}

fn allocate(bytes: usize) -> Result<(), Errno> {
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(bytes).map_err(|_| Errno::ENOMEM)
}

fn grow(path: &str, bytes: u64) -> Result<(), Errno> {
    // Told by an error, not by a signal.
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    io(File::create(path).and_then(|file| file.set_len(bytes)))
}

fn io<T>(result: std::io::Result<T>) -> Result<(), Errno> {
    result
        .map(drop)
        .map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}

fn call(number: libc::c_long, [a, b, c]: [libc::c_long; 3]) -> Result<(), Errno> {
    // SAFETY: the arguments are numbers and null pointers, which the calls tried here refuse or ignore.
    let result = unsafe { libc::syscall(number, a, b, c, 0, 0) };
    Errno::result(result).map(drop)
}
