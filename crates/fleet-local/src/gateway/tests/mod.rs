//! The gateway between a client and an app that both are played here, byte by byte where it matters.

mod connections;
mod requests;
mod upgrades;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::route::Upstream;
use super::{CONNECTIONS, PATIENCE, UPGRADED, Upstreams, around, forward};
use crate::connections::Connections;

/// Far more than any wait here needs on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// An address with the apps `web` and `mail`, which are the same one.
struct Address {
    connections: Connections,
    upgraded: Arc<Semaphore>,
    port: u16,
}

impl Address {
    /// `app` gets every connection that the gateway makes.
    async fn before<F, W>(app: F) -> Self
    where
        F: Fn(TcpStream) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        Self::with(Connections::at_most(CONNECTIONS), app).await
    }

    async fn with<F, W>(connections: Connections, app: F) -> Self
    where
        F: Fn(TcpStream) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let (listener, app_port) = listen().await;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(app(stream));
            }
        });
        let app = |name: &str| Upstream {
            name: name.to_owned(),
            port: app_port,
            mcp: None,
            computer_mcp: None,
        };
        let upgraded = Arc::new(Semaphore::new(UPGRADED));
        let upstreams = Upstreams {
            apps: Arc::new(vec![app("web"), app("mail")]),
            has_computer: false,
            http: forward::client(),
            refusing: Arc::new(AtomicBool::new(false)),
            connections: connections.clone(),
            upgraded: Arc::clone(&upgraded),
        };
        let (listener, port) = listen().await;
        connections.serve(listener, around(Router::new(), upstreams));
        Self {
            connections,
            upgraded,
            port,
        }
    }

    /// Before an app that answers every request with this, word for word, and closes.
    async fn answering(answer: &'static str) -> Self {
        Self::before(move |mut stream| async move {
            head(&mut stream).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        })
        .await
    }

    /// Before an app that answers with what it was sent, up to the end of the head.
    async fn mirroring() -> Self {
        Self::before(|mut stream| async move {
            let seen = head(&mut stream).await;
            let length = seen.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{seen}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        })
        .await
    }

    async fn close(self) {
        in_time(self.connections.close(PATIENCE)).await;
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends a head with a good `Host` and `Connection: close`, and reads to the end.
    async fn ask(&self, first: &str, more: &str) -> String {
        let host = format!("host: 127.0.0.1:{}\r\n", self.port);
        self.exchange(&format!("{first}\r\n{host}connection: close\r\n{more}"))
            .await
    }

    async fn exchange(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        rest(&mut stream).await
    }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads to the empty line after the headers.
async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            break;
        };
        read.push(byte);
    }
    String::from_utf8(read).unwrap()
}

/// Reads to the end of the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    in_time(stream.read_to_end(&mut read)).await.unwrap();
    String::from_utf8(read).unwrap()
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("it takes far too long")
}
