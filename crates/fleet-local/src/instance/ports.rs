//! Ports for apps. An app binds its port itself, so a port can only be chosen beforehand, not held.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Ports given to instances of this process that still live. A port may be free for long before the
/// app that it was meant for has bound it; fifty instances that start at once would meet that.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// Ports that the system does not lend to connections that go out: those take any port for a moment,
/// just when the app wants it.
static QUIET: LazyLock<Range<u16>> = LazyLock::new(|| FIRST..first_lent().unwrap_or(FIRST));

/// How many of them were looked at. From a place of its own in each process, so that two servers do
/// not look at the same ones; one after the other, so that a port rests before it is given again.
static LOOKED_AT: LazyLock<AtomicU16> = LazyLock::new(|| {
    let [first, second, ..] = *uuid::Uuid::new_v4().as_bytes();
    AtomicU16::new(u16::from_be_bytes([first, second]))
});

/// Well-known services, and ports that browsers refuse, are below.
const FIRST: u16 = 12_000;

/// More tries than ports could be taken by accident.
const TRIES: usize = 64;

/// A loopback port that no other instance of this process is given until this is dropped.
#[derive(Debug)]
pub(crate) struct Port(u16);

impl Port {
    pub(crate) fn reserve() -> io::Result<Self> {
        if let Some(port) = Self::quiet() {
            return Ok(port);
        }
        // Listeners are kept until one fits, so that the system does not offer the same port again.
        let mut refused = Vec::new();
        for _ in 0..TRIES {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            if let Some(port) = Self::take(port) {
                return Ok(port);
            }
            refused.push(listener);
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "no free loopback port was found for an app",
        ))
    }

    fn quiet() -> Option<Self> {
        if QUIET.is_empty() {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let at = LOOKED_AT.fetch_add(1, Ordering::Relaxed) % (QUIET.end - QUIET.start);
            let port = QUIET.start + at;
            let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
            is_free.then(|| Self::take(port)).flatten()
        })
    }

    /// Unless it is given already.
    fn take(port: u16) -> Option<Self> {
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        given.insert(port).then_some(Self(port))
    }

    pub(crate) fn number(&self) -> u16 {
        self.0
    }

    /// Whether somebody listens there now. Asked after an app failed to start: then it is somebody
    /// else.
    pub(crate) fn is_taken(&self) -> bool {
        TcpListener::bind((Ipv4Addr::LOCALHOST, self.0)).is_err()
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        GIVEN
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

/// The first port that connections that go out may get; not known where the system is no Linux.
fn first_lent() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_connections_get_are_given_only_where_there_are_no_others() {
        let port = Port::reserve().unwrap().number();
        assert!(
            QUIET.is_empty() || QUIET.contains(&port),
            "{port} of {QUIET:?}"
        );
    }

    #[test]
    fn many_ports_differ_and_are_free() {
        let ports: Vec<Port> = (0..200).map(|_| Port::reserve().unwrap()).collect();
        let numbers: HashSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 200);
        assert!(!ports[0].is_taken());
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[1].number())).unwrap();
        assert!(ports[1].is_taken());
    }
}
