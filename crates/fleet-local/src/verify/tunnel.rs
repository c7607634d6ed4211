//! The way from a port of a sandbox's own network to the same port outside, and to nothing else.

use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Connections from a sandbox's own network. Dropping it cuts them.
#[derive(Debug)]
pub(super) struct Tunnel(JoinHandle<()>);

impl Tunnel {
    pub(super) fn open(listener: std::net::TcpListener, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        Ok(Self(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            // Ends by being aborted; the connections go with their set.
            while let Ok((mut inside, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                connections.spawn(async move {
                    // To this one address, whatever the program asked for: inside there is no other.
                    if let Ok(mut outside) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                        // Small pieces go on at once: waiting for more would cost each question 40 ms. An error here shows below.
                        let _ = (inside.set_nodelay(true), outside.set_nodelay(true));
                        // A broken connection is the verifier's to notice.
                        let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
                    }
                });
            }
        })))
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.abort();
    }
}
