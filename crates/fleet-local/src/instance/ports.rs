//! Ports for apps. An app binds its port itself, so a port can only be chosen beforehand, not held.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Ports given to instances of this process that still live. The system may offer a port again as
/// soon as it is released, long before the app that it was meant for has bound it; fifty instances
/// that start at once would meet that.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// More tries than ports could be taken by accident.
const TRIES: usize = 64;

/// A loopback port that no other instance of this process is given until this is dropped.
#[derive(Debug)]
pub(crate) struct Port(u16);

impl Port {
    pub(crate) fn reserve() -> io::Result<Self> {
        // Listeners are kept until one fits, so that the system does not offer the same port again.
        let mut refused = Vec::new();
        for _ in 0..TRIES {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            if GIVEN
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(port)
            {
                return Ok(Self(port));
            }
            refused.push(listener);
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "no free loopback port was found for an app",
        ))
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

#[cfg(test)]
mod tests {
    use super::*;

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
